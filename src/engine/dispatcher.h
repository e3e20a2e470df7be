// Makes the calls that the kernel has decided on, once their records are durable, and brings the outcomes back.
//
//   PlaceCall ─> secrets, limits ─┬─> Agent::call ················> mailbox ─> CallDone
//                                 ├─> handler on the worker pool ─> mailbox ─> CallDone
//                                 └─> handler here and now ───────────────────> CallDone
//
// Each shard has its own dispatcher; agents and workers are shared by the shards of a node.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/agent_pool.h"
#include "engine/clock.h"
#include "engine/handler.h"
#include "engine/letters.h"
#include "engine/mailbox.h"
#include "engine/options.h"
#include "engine/secrets.h"
#include "engine/worker_pool.h"

namespace mapflow::engine {

/// What the dispatchers of a node share.
struct DispatchParts {
  std::shared_ptr<const HandlerTable> handlers;
  std::shared_ptr<AgentPool> agents;
  std::shared_ptr<Workers> workers;
  std::shared_ptr<const Secrets> secrets;
};

/// Thread safety: the shard's.
class Dispatcher {
 public:
  Dispatcher(DispatchParts parts, std::shared_ptr<const Clock> clock, std::shared_ptr<Mailbox> mailbox,
             const ShardOptions& options);

  /// Makes the call. What is known at once is appended to `ready`; the rest comes as CallOutcome.
  void place(std::uint64_t tenure, const Instance& instance, kernel::PlaceCall call, std::vector<Work>& ready);
  void drop(const kernel::DropCall& call);
  /// To be told of every CallOutcome. False: nobody waits for it any more.
  bool arrived(const CallOutcome& outcome);
  /// A tenure is over: gives up its calls, but not the messages that were already taken.
  void forget(std::uint64_t tenure);
  /// Tries again what the workers had no room for. Gives when to come back; kNever when nothing waits.
  Timestamp retry_waiting();
  /// Messages without an answer that are still on their way.
  std::size_t deliveries() const { return deliveries_; }

 private:
  struct InFlight {
    std::uint64_t tenure = 0;
    std::shared_ptr<Agent> agent;                  ///< null: a handler
    std::shared_ptr<std::atomic<bool>> cancelled;  ///< a handler asks it
    bool taken = false;                            ///< the workflow has gone on without its outcome
  };
  struct Waiting {
    std::string envelope_id;
    Task task;
  };

  Status prepare(Envelope& envelope) const;
  void call_handler(const std::shared_ptr<const RegisteredHandler>& handler, std::uint64_t tenure, InstanceRef instance,
                    kernel::PlaceCall call, std::vector<Work>& ready);
  void call_agent(std::shared_ptr<Agent> agent, std::uint64_t tenure, InstanceRef instance, kernel::PlaceCall call);
  const std::shared_ptr<const RegisteredHandler>* handler_of(const kernel::Program& program,
                                                             const kernel::Target& target) const;
  InFlight& note(std::string envelope_id, std::uint64_t tenure);

  const DispatchParts parts_;
  const std::shared_ptr<const Clock> clock_;
  const std::shared_ptr<Mailbox> mailbox_;
  const ShardOptions options_;
  std::unordered_map<std::string, InFlight> in_flight_;  ///< by envelope id
  std::deque<Waiting> waiting_;
  std::size_t deliveries_ = 0;
};

}  // namespace mapflow::engine
