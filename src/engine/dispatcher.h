// Makes the calls that the kernel has decided on, once their records are durable, and brings the outcomes back.
//
//   PlaceCall ─> gate, secrets ─┬─> Agent::call ················> mailbox ─> CallDone
//                 │    ^        ├─> handler on the worker pool ─> mailbox ─> CallDone
//                 └wait┘        └─> handler here and now ───────────────────> CallDone
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
#include "engine/limits/gatekeeper.h"
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
  std::shared_ptr<Gatekeeper> gates = nullptr;  ///< null: the member makes one of its own
};

/// Thread safety: the shard's.
class Dispatcher {
 public:
  Dispatcher(DispatchParts parts, std::shared_ptr<const Clock> clock, std::shared_ptr<Mailbox> mailbox,
             const ShardOptions& options);

  /// Makes the call. What is known at once is appended to `ready`; the rest comes as CallOutcome.
  void place(std::uint64_t tenure, const Instance& instance, kernel::PlaceCall&& call, std::vector<Work>& ready);
  void drop(const kernel::DropCall& call);
  /// To be told of every CallOutcome. False: nobody waits for it any more.
  bool arrived(const CallOutcome& outcome);
  /// A call that waited at its agent's gate may go, or is turned away. `instance`: null when it has left.
  void answered(GateAnswer letter, const Instance* instance, std::vector<Work>& ready);
  /// A tenure is over: gives up its calls, but not the messages that were already taken.
  void forget(std::uint64_t tenure);
  /// Tries again what the workers had no room for. Gives when to come back; kNever when nothing waits.
  Timestamp retry_waiting();
  /// Fails the calls whose handler has not been heard of for too long. Gives when to come back.
  Timestamp miss_heartbeats();
  /// Gives the workers something to do, as soon as they have room for it.
  void work(Task task);
  /// Messages without an answer that are still on their way.
  std::size_t deliveries() const { return deliveries_; }
  /// Calls that wait at their agent's gate.
  std::size_t held() const { return held_; }
  /// What the workers had no room for yet.
  std::size_t waiting() const { return waiting_.size(); }

 private:
  /// A call that its agent's gate holds back.
  struct Held {
    std::shared_ptr<AgentGate> gate;
    Ticket ticket = 0;
    kernel::PlaceCall call;
  };
  /// What a handler at work and the dispatcher share.
  struct Pulse {
    std::atomic<bool> cancelled = false;
    std::atomic<std::int64_t> heard_us = INT64_MAX;  ///< never: it has not begun
  };
  struct Listening {
    std::string envelope_id;
    InstanceRef instance;
    kernel::RunId run;
    std::uint32_t attempt = 1;
    Duration silence{};                            ///< so long a handler may be silent
  };
  struct InFlight {
    std::uint64_t tenure = 0;
    std::unique_ptr<Held> held;                    ///< the call waits at its gate; null: it is made
    std::weak_ptr<Permit> permit;                  ///< with a gate, until the call is over
    Timestamp deadline = kNever;                   ///< with a gate: of the attempt
    std::shared_ptr<Agent> agent;                  ///< null: a handler
    std::shared_ptr<Pulse> pulse;                  ///< of a handler
    bool taken = false;                            ///< the workflow has gone on without its outcome
  };
  struct Waiting {
    std::string envelope_id;  ///< empty: wanted in any case
    Task task;
  };

  /// A call on its way from the kernel to whoever is called.
  struct Passage {
    std::uint64_t tenure = 0;
    const Instance& instance;
    const AgentConfig* agent = nullptr;  ///< null: a handler, or nobody declares the agent
    std::shared_ptr<Permit> permit{};    ///< null: the agent has no limits
  };
  void enter(Passage passage, kernel::PlaceCall&& call, std::vector<Work>& ready);
  void make(Passage passage, kernel::PlaceCall&& call, std::vector<Work>& ready);
  Status prepare(Envelope& envelope) const;
  void call_handler(const std::shared_ptr<const RegisteredHandler>& handler, Passage passage, kernel::PlaceCall&& call,
                    std::vector<Work>& ready);
  StepInput input_of(kernel::PlaceCall& call, InstanceRef instance, const std::shared_ptr<Pulse>& pulse);
  void call_agent(std::shared_ptr<Agent> agent, Passage passage, kernel::PlaceCall&& call);
  const std::shared_ptr<const RegisteredHandler>* handler_of(const AgentConfig* agent, const kernel::Target& target) const;
  void give_up(const std::string& envelope_id, const InFlight& entry);
  InFlight& note(const kernel::PlaceCall& call, const Passage& passage);

  const DispatchParts parts_;
  const std::shared_ptr<const Clock> clock_;
  const std::shared_ptr<Mailbox> mailbox_;
  const ShardOptions options_;
  std::unordered_map<std::string, InFlight> in_flight_;  ///< by envelope id
  std::deque<Waiting> waiting_;
  std::vector<Listening> listening_;
  std::size_t deliveries_ = 0;
  std::size_t held_ = 0;
};

}  // namespace mapflow::engine
