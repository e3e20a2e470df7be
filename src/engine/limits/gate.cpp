#include "engine/limits/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace mapflow::engine {
namespace {

constexpr double kShortestLook = 0.1;  // in seconds: a shorter time says little of how often calls come

}  // namespace

Gate::Gate(const AgentLimits& limits)
    : bulkhead_(limits.bulkhead), limit_{limits.max_concurrent.value_or(0), limits.rate ? limits.rate->burst : 0}, share_(limit_) {
  if (limits.rate) bucket_.emplace(*limits.rate);
  if (limits.breaker) breaker_.emplace(*limits.breaker);
}

Result<Gate::Entry> Gate::ask(Ticket ticket, Priority priority, Timestamp now) {
  if (breaker_ && !breaker_->admit(now)) return fail(circuit_open(now));
  ++came_;
  Call& call = calls_[ticket];
  if (breaker_) call.phase = breaker_->phase();
  if (line_.empty() && has_slot(now) && (!bucket_ || bucket_->take(now))) {
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
    if (!open && (!has_slot(now) || (bucket_ && !bucket_->take(now)))) break;
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
  if (line_.empty() || !has_slot(now) || !bucket_) return kNever;
  return bucket_->next(now);
}

bool Gate::at_rest(Timestamp now) const {
  return calls_.empty() && (!bucket_ || bucket_->full(now)) && (!breaker_ || breaker_->fresh());
}

void Gate::set_share(const Amounts& share, Timestamp until, Timestamp now) {
  share_until_ = until;
  if (bucket_ && share.tokens != share_.tokens) bucket_->keep(share.tokens, now);
  share_ = share;
}

GateWord Gate::word(Timestamp now) {
  if (came_since_ == Timestamp{}) came_since_ = now;
  if (const double seconds = static_cast<double>((now - came_since_).count()) / 1e6; seconds >= kShortestLook) {
    per_second_ = (per_second_ + came_ / seconds) / 2;
    came_ = 0;
    came_since_ = now;
  }
  GateWord word{.limit = limit_};
  const auto up_to = [](std::uint32_t limit, double wanted) { return static_cast<std::uint32_t>(std::min<double>(limit, std::round(wanted))); };
  word.demand.slots = up_to(limit_.slots, static_cast<double>(calls_.size()));
  if (bucket_) {
    const RateLimit& rate = bucket_->whole();
    word.demand.tokens = up_to(limit_.tokens, static_cast<double>(line_.size()) + per_second_ * rate.burst / rate.per_second);
  }
  if (circuit() == CircuitBreaker::State::open && breaker_->open_until() > now) word.open_until = breaker_->open_until();
  word.busy = !calls_.empty() || (bucket_ && !bucket_->full(now)) || word.open_until != Timestamp{} || word.demand != Amounts{};
  return word;
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
  const Timestamp next = bucket_ && has_slot(now) ? bucket_->next(now) : kNever;
  if (next != kNever) error.retry_after_us = (next - now).count();
  return error;
}

}  // namespace mapflow::engine
