#include "engine/limits/circuit_breaker.h"

namespace mapflow::engine {

bool CircuitBreaker::admit(Timestamp now) {
  if (state_ == State::open && now >= open_until_) become(State::half_open);
  if (state_ == State::closed) return true;
  if (state_ == State::open || probing_ + proven_ >= policy_.probes) return false;
  ++probing_;
  return true;
}

void CircuitBreaker::ended(Phase phase, Verdict verdict, Timestamp now) {
  if (phase != phase_) return;
  if (state_ == State::closed) {
    if (verdict == Verdict::failure) closed_failure(now);
    return;
  }
  --probing_;
  if (verdict == Verdict::failure) return open(now);
  if (verdict == Verdict::success && ++proven_ >= policy_.probes) become(State::closed);
}

void CircuitBreaker::closed_failure(Timestamp now) {
  failures_.push_back(now);
  while (now - failures_.front() > policy_.window) failures_.pop_front();
  if (failures_.size() >= policy_.failure_threshold) open(now);
}

void CircuitBreaker::open(Timestamp now) {
  become(State::open);
  open_until_ = saturating_add(now, policy_.open_for);
}

void CircuitBreaker::trip(Timestamp until, Timestamp now) {
  if (until <= now || (state_ == State::open && until <= open_until_)) return;
  become(State::open);
  open_until_ = until;
}

void CircuitBreaker::become(State state) {
  state_ = state;
  ++phase_;
  failures_.clear();
  probing_ = proven_ = 0;
}

}  // namespace mapflow::engine
