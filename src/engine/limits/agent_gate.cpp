#include "engine/limits/agent_gate.h"

namespace mapflow::engine {

/// A failure is what says that the agent is not well: what trying again may cure, and answers that are no answers. Who is
/// asked for the impossible and says so is well, and a call that was given up says nothing.
Verdict Permit::verdict_of(const Result<Reply>& outcome) {
  if (outcome) return Verdict::success;
  const Error& error = outcome.error();
  if (error.is(code::cancelled)) return Verdict::none;
  const bool failure = error.is(code::invalid_output) || error.retryable.value_or(retryable_by_default(error.code));
  return failure ? Verdict::failure : Verdict::success;
}

LocalGate::LocalGate(GateName name, const AgentLimits& limits, std::shared_ptr<Executor> executor,
                     std::shared_ptr<const Clock> clock, std::shared_ptr<EventSink> events)
    : name_(std::move(name)), executor_(std::move(executor)), clock_(std::move(clock)), events_(std::move(events)), gate_(limits) {}

AgentGate::Entry LocalGate::enter(Priority priority, Later later) {
  const Timestamp now = clock_->now();
  const std::lock_guard lock(mutex_);
  const Ticket ticket = ++last_ticket_;
  const auto entry = gate_.ask(ticket, priority, now);
  if (entry && *entry == Gate::Entry::goes) return {ticket, Status{}};
  if (entry || !entry.error().is(code::circuit_open)) publish("agent.limited", object({{"turned_away", !entry.has_value()}}), now);
  if (!entry) return {ticket, fail(entry.error())};
  waiting_.emplace(ticket, std::move(later));
  arm(now);
  return {ticket, std::nullopt};
}

void LocalGate::leave(Ticket ticket) {
  change([&](Timestamp now) {
    gate_.leave(ticket, now);
    waiting_.erase(ticket);
  });
}

void LocalGate::judge(Ticket ticket, Verdict verdict) {
  change([&](Timestamp now) { gate_.judge(ticket, verdict, now); });
}

void LocalGate::end(Ticket ticket) {
  change([&](Timestamp now) { gate_.end(ticket, now); });
}

bool LocalGate::at_rest() const {
  const std::lock_guard lock(mutex_);
  return gate_.at_rest(clock_->now());
}

GateWord LocalGate::word() {
  const std::lock_guard lock(mutex_);
  return gate_.word(clock_->now());
}

std::size_t LocalGate::shrink(const Amounts& share) {
  const Timestamp now = clock_->now();
  const std::lock_guard lock(mutex_);
  gate_.set_share(at_most(gate_.share(), share), gate_.share_until(), now);
  return gate_.going();
}

void LocalGate::grow(const Amounts& share, Timestamp until, Timestamp open_until) {
  change([&](Timestamp now) {
    gate_.set_share(at_least(gate_.share(), share), until, now);
    gate_.trip(open_until, now);
  });
}

void LocalGate::begin(const Amounts& share, Timestamp until, const std::optional<Before>& before) {
  const std::lock_guard lock(mutex_);
  if (before) gate_.set_share({share.slots, before->tokens}, until, before->since);
  gate_.set_share(share, until, before ? before->since : clock_->now());
}

template <class Change>
void LocalGate::change(const Change& change) {
  const Timestamp now = clock_->now();
  std::vector<Told> told;
  {
    const std::lock_guard lock(mutex_);
    const auto before = gate_.circuit();
    change(now);
    told = advance(now);
    tell_circuit(before, gate_.circuit(), now);
  }
  for (Told& each : told) each.later(each.ticket, std::move(each.answer));
}

std::vector<LocalGate::Told> LocalGate::advance(Timestamp now) {
  std::vector<Told> told;
  const auto tell = [&](Ticket ticket, Status answer) {
    auto waiting = waiting_.extract(ticket);
    told.push_back({std::move(waiting.mapped()), ticket, std::move(answer)});
  };
  const Gate::Moved moved = gate_.advance(now);
  for (const Ticket ticket : moved.go) tell(ticket, {});
  for (const Ticket ticket : moved.turned_away) tell(ticket, fail(gate_.circuit_open(now)));
  arm(now);
  return told;
}

/// One timer, for the head of the line.
void LocalGate::arm(Timestamp now) {
  const Timestamp next = gate_.next(now);
  if (armed_ <= now) armed_ = kNever;
  if (next >= armed_) return;
  armed_ = next;
  executor_->post_at(next, [gate = weak_from_this()] {
    if (const auto self = gate.lock()) self->change([](Timestamp) {});
  });
}

void LocalGate::tell_circuit(CircuitBreaker::State before, CircuitBreaker::State after, Timestamp now) const {
  using State = CircuitBreaker::State;
  const bool opened = after == State::open && before != State::open;
  const bool closed = after == State::closed && before != State::closed;
  if (opened || closed) publish(opened ? "agent.circuit_opened" : "agent.circuit_closed", Value(Object{}), now);
}

void LocalGate::publish(std::string type, Value data, Timestamp now) const {
  if (!events_ || !events_->wanted()) return;
  kernel::Event event;
  event.at = now;
  event.type = std::move(type);
  event.data = std::move(data);
  event.data.set("agent", name_.agent);
  if (!name_.key.empty()) event.data.set("key", name_.key);
  events_->publish({{{}, std::move(event)}});
}

}  // namespace mapflow::engine
