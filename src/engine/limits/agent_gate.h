// The gate of one agent as the dispatchers of many shards see it. LocalGate is a node's: it has the limits for itself, or that
// share of them which SharedLimits (shared_limits.h) tells it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "engine/clock.h"
#include "engine/event_bus.h"
#include "engine/executor.h"
#include "engine/limits/gate.h"

namespace mapflow::engine {

/// Thread safety: every call may come from any thread. Callbacks come from any thread, and never from within the call
/// that asked for them.
class AgentGate {
 public:
  virtual ~AgentGate() = default;

  struct Entry {
    Ticket ticket = 0;
    std::optional<Status> answer;   ///< nullopt: the call waits, and `later` will be told
  };
  using Later = std::move_only_function<void(Ticket, Status)>;
  /// A call wants to go. When the answer is good, end() must follow once. Errors: circuit_open, resource_exhausted.
  virtual Entry enter(Priority priority, Later later) = 0;
  /// A call that waits does not want to any more. `later` may be on its way all the same; if so, the call goes or not as it
  /// says.
  virtual void leave(Ticket ticket) = 0;
  virtual void judge(Ticket ticket, Verdict verdict) = 0;
  virtual void end(Ticket ticket) = 0;
  /// Whether a new gate in its place would decide just the same.
  virtual bool at_rest() const = 0;
};

/// The right of one call to be under way: given back when it goes out of scope. Moves only.
class Permit {
 public:
  Permit() = default;  ///< of an agent without limits
  Permit(std::shared_ptr<AgentGate> gate, Ticket ticket) : gate_(std::move(gate)), ticket_(ticket) {}
  Permit(Permit&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)), ticket_(other.ticket_) {}
  Permit& operator=(Permit&& other) noexcept {
    std::swap(gate_, other.gate_);
    std::swap(ticket_, other.ticket_);
    return *this;
  }
  ~Permit() {
    if (gate_) gate_->end(ticket_);
  }
  /// Tells what the outcome says about the agent.
  void judge(const Result<Reply>& outcome) const {
    if (gate_) gate_->judge(ticket_, verdict_of(outcome));
  }
  static Verdict verdict_of(const Result<Reply>& outcome);

 private:
  std::shared_ptr<AgentGate> gate_;
  Ticket ticket_ = 0;
};

/// Whose gate it is.
struct GateName {
  std::string agent;
  std::string key;  ///< the value of `key:`; empty without one
  GateId id = 0;    ///< the same in every process: of the agent's name, settings and limits, and the key
};

class LocalGate final : public AgentGate, public std::enable_shared_from_this<LocalGate> {
 public:
  /// Publishes agent.circuit_opened, agent.circuit_closed and agent.limited to `events`, which may be null.
  LocalGate(GateName name, const AgentLimits& limits, std::shared_ptr<Executor> executor, std::shared_ptr<const Clock> clock,
            std::shared_ptr<EventSink> events);

  Entry enter(Priority priority, Later later) override;
  void leave(Ticket ticket) override;
  void judge(Ticket ticket, Verdict verdict) override;
  void end(Ticket ticket) override;
  bool at_rest() const override;

  // --- a share of the limits, for SharedLimits ---
  const GateName& name() const { return name_; }
  /// Gate::word.
  GateWord word();
  /// From now on at most so much, and never more than before. Gives how many calls are under way: never more afterwards,
  /// until it is given more.
  std::size_t shrink(const Amounts& share);
  /// At least so much until `until`, and no calls until `open_until`.
  void grow(const Amounts& share, Timestamp until, Timestamp open_until);
  struct Before {
    std::uint32_t tokens = 0;  ///< it had so many …
    Timestamp since{};         ///< … then
  };
  /// Its first share, before anybody calls. Without `before` it has all the tokens of it.
  void begin(const Amounts& share, Timestamp until, const std::optional<Before>& before);
  const Amounts& limit() const { return gate_.limit(); }

 private:
  struct Told {
    Later later;
    Ticket ticket;
    Status answer;
  };
  /// Changes the gate, lets go who may go now, and tells everybody about it, outside the lock.
  template <class Change>
  void change(const Change& change);
  std::vector<Told> advance(Timestamp now);
  void arm(Timestamp now);
  void tell_circuit(CircuitBreaker::State before, CircuitBreaker::State after, Timestamp now) const;
  void publish(std::string type, Value data, Timestamp now) const;

  const GateName name_;
  const std::shared_ptr<Executor> executor_;
  const std::shared_ptr<const Clock> clock_;
  const std::shared_ptr<EventSink> events_;
  mutable std::mutex mutex_;
  Gate gate_;
  std::unordered_map<Ticket, Later> waiting_;
  Ticket last_ticket_ = 0;
  Timestamp armed_ = kNever;
};

}  // namespace mapflow::engine
