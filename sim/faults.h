// What can go wrong in a simulated cluster.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "base/error.h"
#include "sim/chance.h"

namespace mapflow::sim {

enum class Fault : std::uint8_t {
  crash,         ///< a node is gone between two actions, and back some time later
  freeze,        ///< a node stands still for longer than its leases last, and does not know
  commit_lost,   ///< a commit fails
  commit_doubt,  ///< a commit takes effect, but is reported as failed
  commit_slow,   ///< commits become durable late
  lease_lost,    ///< somebody else takes a partition while its owner is at work
  store_error,   ///< any other call to the store fails, done or not
  late_reply,    ///< agents take their time
  busy_workers,  ///< there is no room for a handler just now
  skew,          ///< the nodes' clocks differ
  hold,          ///< people pause and resume instances
  cancel,        ///< people cancel or terminate instances
  rewind,        ///< people take instances back, over or not
  mend,          ///< people retry, skip, update, debug and rerun, and limits bite: nobody can foresee the end
};

using Faults = std::set<Fault>;

Faults all_faults();
std::string_view to_string(Fault fault);
/// "all", "none", or names with commas between them. Errors: invalid_input naming what there is.
Result<Faults> parse_faults(std::string_view text);
/// Some of `faults`: each is left out with some chance, so that the others meet conditions they would otherwise hide.
Faults swarm(const Faults& faults, Chance chance);

/// Rules that can be broken on purpose, to prove that the simulator notices. For tests of the simulator only.
enum class Sabotage : std::uint8_t {
  none,
  early_done,     ///< a commit is said to be durable before it is
  dropped_commit, ///< now and then a commit is said to be durable, and is not written
  stale_epoch,    ///< a commit under a lease that was lost is let through
  lost_command,   ///< the inbox is emptied even if the commit fails that carries the commands out
  early_cut,      ///< the log loses one entry too many
  open_gates,     ///< agents' limits are not kept
  scattered_turns,  ///< the instances of a workflow with turns are spread over the partitions
  blind_expect,   ///< whatever is answered is taken, whether it is what the step expects or not
  stray_answer,   ///< an answer by token is taken for any call that was left open
  double_write,   ///< now and then a commit is written twice, so that its results are applied twice
};
/// By name, as above. Errors: invalid_input.
Result<Sabotage> parse_sabotage(std::string_view name);

}  // namespace mapflow::sim
