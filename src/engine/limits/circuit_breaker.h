// A circuit breaker (M. Nygard, "Release It!", 2007): who fails too often is left alone for a while, then probed.
//
//            threshold failures in the window              open_for has passed
//   closed ───────────────────────────────────> open ───────────────────────────> half open
//      ^                                         ^  a probe fails                    │  │
//      │                                         └───────────────────────────────────┘  │
//      └────────────────────────────────── `probes` calls succeed ──────────────────────┘
#pragma once

#include <cstdint>
#include <deque>

#include "base/time.h"
#include "model/limits.h"

namespace mapflow::engine {

/// What a call that ended says about who was called.
enum class Verdict : std::uint8_t { none, success, failure };

/// Pure: time is an argument.
class CircuitBreaker {
 public:
  enum class State : std::uint8_t { closed, open, half_open };
  /// Counts the changes of state. A call is judged only in the phase that let it through: what was under way when the
  /// circuit opened says nothing about whether the agent is well again.
  using Phase = std::uint32_t;

  explicit CircuitBreaker(BreakerPolicy policy) : policy_(policy) {}

  /// Whether a call may pass at `now`. In half open state that makes it a probe: ended() must be told of it.
  bool admit(Timestamp now);
  Phase phase() const { return phase_; }
  /// A call ended that was let through in `phase`.
  void ended(Phase phase, Verdict verdict, Timestamp now);

  /// Somebody else found the agent unwell: open until `until` at least.
  void trip(Timestamp until, Timestamp now);

  State state() const { return state_; }
  /// While open: when probes may pass.
  Timestamp open_until() const { return open_until_; }
  /// Nothing is remembered: as good as new.
  bool fresh() const { return state_ == State::closed && failures_.empty(); }

 private:
  void become(State state);
  void open(Timestamp now);
  void closed_failure(Timestamp now);

  BreakerPolicy policy_;
  State state_ = State::closed;
  Phase phase_ = 1;
  std::deque<Timestamp> failures_;   ///< within the window, while closed
  Timestamp open_until_{};
  std::uint32_t probing_ = 0;        ///< under way
  std::uint32_t proven_ = 0;         ///< probes that succeeded
};

}  // namespace mapflow::engine
