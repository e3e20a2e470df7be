// What a shard is told from outside: everything that reaches it comes as one of these letters, through its mailbox.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "engine/instance.h"
#include "engine/limits/agent_gate.h"
#include "kernel/input.h"
#include "persistence/store.h"

namespace mapflow::engine {

/// What became of a request. Called once, on the shard's executor; must not block.
using Answer = std::move_only_function<void(Result<Value>)>;

/// Error codes that stay inside the engine: where else to ask.
namespace reroute {
inline constexpr std::string_view not_owner = "not_owner";  ///< the shard does not run that partition now
inline constexpr std::string_view elsewhere = "elsewhere";  ///< the instance is in another partition than the request says
inline constexpr std::string_view later = "later";          ///< it rests on a commit in flight: ask again when that is over
}  // namespace reroute

/// Begin this instance; the answer is whether it was already there. Errors: conflict.
struct StartDemand {
  std::shared_ptr<const kernel::Program> program;
  kernel::Start start;
  bool id_given = false;  ///< by the caller, so that it may exist
  std::vector<std::shared_ptr<const kernel::Program>> library;  ///< what sub-workflows are started from
};
/// Answer with the outcome document as soon as the instance is terminal or suspended.
struct WatchDemand {};
/// Answer with the instance's document as it is now.
struct DescribeDemand {};

using Demand = std::variant<StartDemand, kernel::Signal, kernel::Pause, kernel::Resume, kernel::Cancel,
                            kernel::Terminate, kernel::Retry, kernel::Skip, kernel::Update,
                            kernel::MakeCheckpoint, kernel::Rewind, kernel::Debug, kernel::StepOnce, kernel::Complete,
                            WatchDemand, DescribeDemand>;

/// Whether the request may bring an instance back that is over.
inline bool revives(const Demand& demand) {
  return std::holds_alternative<kernel::Rewind>(demand) || std::holds_alternative<kernel::Retry>(demand);
}

/// A wish of a person or program. The answer comes when what it rests on is durable.
/// Errors: not_owner, elsewhere, not_found, what the kernel refuses with, what the store fails with.
struct Request {
  persistence::Partition partition;
  std::string instance;
  Demand demand;
  Answer answer;  ///< may be empty
};

/// An input that waits for its turn.
struct Work {
  InstanceRef instance;
  kernel::Input input;
};

/// An agent or handler has answered.
struct CallOutcome {
  InstanceRef instance;
  kernel::CallDone done;
  std::string envelope_id;
  bool final = true;  ///< false: taken by the transport, which may still fail to deliver it
};

/// A call that waited at its agent's gate may go, or is turned away.
struct GateAnswer {
  InstanceRef instance;
  std::string envelope_id;
  Result<Permit> permit;
};

/// A handler that is at work says how far it is.
struct ProgressTold {
  InstanceRef instance;
  kernel::RunId run;
  std::uint32_t attempt = 1;
  Value progress;
};

/// A task for the workers whose time has come.
struct WorkDue {
  std::move_only_function<void()> task;
};

/// The oldest commit in flight of a tenure is durable, or has failed.
struct CommitOutcome {
  std::uint64_t tenure = 0;
  Result<persistence::LogPosition> position;
};

/// The node has this lease now: recover the partition and run it.
struct Adopt {
  persistence::Lease lease;
  Timestamp given{};  ///< when this node got it
};
/// The lease is lost: drop everything at once.
struct Abandon {
  persistence::Partition partition;
};
/// Stop running the partition, let commits in flight finish, then call `done`.
struct Surrender {
  persistence::Partition partition;
  std::move_only_function<void()> done;
};
/// Something may have been posted to the partition's inbox.
struct Glance {
  persistence::Partition partition;
};
/// Call `done` once no message without an answer is on its way any more.
struct Drain {
  std::move_only_function<void()> done;
};

using Letter = std::variant<CallOutcome, GateAnswer, CommitOutcome, Request, Adopt, Abandon, Surrender, Glance,
                            Drain, ProgressTold, WorkDue>;

}  // namespace mapflow::engine
