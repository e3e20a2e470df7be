#include "engine/limits/gate.h"

#include <fmt/format.h>

namespace mapflow::engine {

Gate::Gate(const AgentLimits& limits) : max_concurrent_(limits.max_concurrent), bulkhead_(limits.bulkhead) {
  if (limits.rate) bucket_.emplace(*limits.rate);
  if (limits.breaker) breaker_.emplace(*limits.breaker);
}

Result<Gate::Entry> Gate::ask(Ticket ticket, Priority priority, Timestamp now) {
  if (breaker_ && !breaker_->admit(now)) return fail(circuit_open(now));
  Call& call = calls_[ticket];
  if (breaker_) call.phase = breaker_->phase();
  if (line_.empty() && has_slot() && (!bucket_ || bucket_->take(now))) {
    start(call);
    return Entry::goes;
  }
  if (bulkhead_ && line_.size() >= *bulkhead_) {
    if (breaker_) breaker_->ended(call.phase, Verdict::none, now);
    calls_.erase(ticket);
    return fail(line_full(now));
  }
  call.place = line_.join(ticket, static_cast<unsigned>(priority), now);
  return Entry::waits;
}

void Gate::start(Call& call) {
  call.place.reset();
  ++going_;
}

void Gate::leave(Ticket ticket, Timestamp now) {
  const auto found = calls_.find(ticket);
  if (found == calls_.end() || !found->second.place) return;
  line_.leave(*found->second.place);
  if (breaker_) breaker_->ended(found->second.phase, Verdict::none, now);
  calls_.erase(found);
}

void Gate::judge(Ticket ticket, Verdict verdict, Timestamp now) {
  const auto found = calls_.find(ticket);
  if (found == calls_.end() || found->second.judged) return;
  found->second.judged = true;
  if (breaker_) breaker_->ended(found->second.phase, verdict, now);
}

void Gate::end(Ticket ticket, Timestamp now) {
  judge(ticket, Verdict::none, now);
  if (calls_.erase(ticket) > 0) --going_;
}

Gate::Moved Gate::advance(Timestamp now) {
  Moved moved;
  const bool open = circuit() == CircuitBreaker::State::open;
  while (const Ticket* const first = line_.first()) {
    const Ticket ticket = *first;
    if (!open && (!has_slot() || (bucket_ && !bucket_->take(now)))) break;
    line_.pop();
    if (open) {
      calls_.erase(ticket);
      moved.turned_away.push_back(ticket);
    } else {
      start(calls_.at(ticket));
      moved.go.push_back(ticket);
    }
  }
  return moved;
}

Timestamp Gate::next(Timestamp now) const {
  if (line_.empty() || !has_slot() || !bucket_) return kNever;
  return bucket_->next(now);
}

bool Gate::at_rest(Timestamp now) const {
  return calls_.empty() && (!bucket_ || bucket_->full(now)) && (!breaker_ || breaker_->fresh());
}

Error Gate::circuit_open(Timestamp now) const {
  Error error(code::circuit_open, "the agent's circuit is open: it failed too often");
  const bool probing = circuit() == CircuitBreaker::State::half_open;
  if (probing) error.message = "the agent's circuit is open: whether it is well again is being tried";
  if (!probing) error.retry_after_us = std::max<std::int64_t>(0, (breaker_->open_until() - now).count());
  return error;
}

/// Whoever is turned away at a full line may well try again: it is a matter of load, not of what was asked.
Error Gate::line_full(Timestamp now) const {
  Error error(code::resource_exhausted, fmt::format("{} calls wait for the agent, and its bulkhead lets no more wait", line_.size()));
  error.retryable = true;
  if (bucket_ && has_slot()) error.retry_after_us = (bucket_->next(now) - now).count();
  return error;
}

}  // namespace mapflow::engine
