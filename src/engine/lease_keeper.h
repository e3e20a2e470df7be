// Gets and keeps the leases of one node, and shares the store's partitions fairly with the other nodes.
//
//   every ttl/3:  renew what is held ─ fenced? ─> lost: the shard drops the partition
//                 look at all leases: who is alive, and how many partitions are mine by right
//                   fewer than that: acquire free ones ─> gained: a shard reads the partition back and runs it
//                   more than that:  hand some over    ─> the shard finishes its commits, then the lease is released
//
// How nodes see each other: every node holds one partition of its own, so its name stands among the leases even when
// it holds nothing else. With n nodes, ordered by name, each may have count/n shared partitions and the first count%n
// one more, so all nodes come to the same answer without talking. Clocks may differ: that costs time, never safety,
// for the store fences every commit.
//
// What the nodes tell each other of their agents' limits (limits/shared_limits.h) stands as a notice in the lease of that
// partition of their own. When it changes, it is written and all leases are read a second time in the round.
//
// A process that shares nothing (`mapflow run`) has a name with a '/' in it, and is not counted. When its lease has run out
// and something unfinished is in its partition, the node that sees it first takes that over.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "engine/agent.h"
#include "engine/clock.h"
#include "engine/executor.h"
#include "engine/random.h"
#include "persistence/store.h"

namespace mapflow::engine {

class SharedLimits;

/// Whether a node of that name shares the store's partitions with others.
inline bool shares(std::string_view node) { return node.find('/') == std::string_view::npos; }

struct LeaseKeeperContext {
  std::shared_ptr<Executor> executor;
  std::shared_ptr<const Clock> clock;
  std::shared_ptr<Random> random;
  std::shared_ptr<persistence::Store> store;
  LogLine log;                 ///< may be empty
  std::string node;            ///< name of this node; with a '/' unless it shares
  Duration ttl = std::chrono::seconds(5);
  bool share = true;           ///< take part in running the shared partitions
  std::shared_ptr<SharedLimits> limits;  ///< what the nodes tell each other of them; null: nothing

  // What it tells the shards; called on the executor.
  std::function<void(const persistence::Lease&)> gained;
  std::function<void(persistence::Partition)> lost;
  std::function<void(persistence::Partition, std::move_only_function<void()> done)> hand_over;
};

/// Thread safety: every public call may come from any thread; callbacks are called on the executor.
class LeaseKeeper : public std::enable_shared_from_this<LeaseKeeper> {
 public:
  static std::shared_ptr<LeaseKeeper> make(LeaseKeeperContext context);

  /// Gets the node's own partition and, when it shares, its first share; then goes on by itself. `done` is told the
  /// node's own partition, or why there is none.
  void start(std::move_only_function<void(Result<persistence::Partition>)> done);
  /// Takes a certain partition, trying until `until` while another node's lease runs. Success at once when it is held
  /// already. Errors: conflict when the time is up; not_found; those of the store.
  void take(persistence::Partition partition, Timestamp until, std::move_only_function<void(Status)> done);
  /// The shard's word that a lease is of no use any more: it is acquired anew, after a while that grows.
  void broken(const persistence::Lease& lease);
  /// Hands everything over and releases it. `done` is called when all is through.
  void stop(std::move_only_function<void()> done);

 private:
  struct Held {
    persistence::Lease lease;
    enum class Standing : std::uint8_t { running, broken, leaving } standing = Standing::running;
    bool for_good = false;        ///< not given away to other nodes: the node's own, or asked for by take()
    Duration back_off{};          ///< before it is acquired anew
  };

  explicit LeaseKeeper(LeaseKeeperContext context) : context_(std::move(context)) {}
  template <class Work> void post(Work work);
  template <class Work> void post_in(Duration span, Work work);
  void say(const std::string& line) const;

  Result<persistence::Partition> take_own();
  Result<persistence::Lease> acquire(persistence::Partition partition, bool for_good);
  void try_take(persistence::Partition partition, Timestamp until, std::move_only_function<void(Status)> done);
  void acquire_anew(persistence::Partition partition);
  void round();
  void renew_all();
  Result<persistence::Lease> renew(persistence::Lease lease);
  void share();
  void share_limits(const std::vector<persistence::Lease>& leases);
  void take_orphans(const std::vector<persistence::Lease>& leases, Timestamp now);
  void hand_over(persistence::Partition partition);
  void let_go(const persistence::Lease& lease);

  const LeaseKeeperContext context_;
  std::map<persistence::Partition, Held> held_;
  std::map<persistence::Partition, persistence::Epoch> empty_;  ///< of others, with nothing unfinished in them at that epoch
  std::optional<persistence::Partition> own_;
  std::string notice_;  ///< of the own lease
  bool stopping_ = false;
  std::vector<std::move_only_function<void()>> stopped_;
};

}  // namespace mapflow::engine
