// All limits of one agent together: which call may go now, which waits, and which is turned away.
//
//   ask ──> circuit open? ──yes──> circuit_open
//              │ no
//           a slot and a token free, and nobody waiting? ──yes──> goes
//              │ no
//           room in line? ──no──> resource_exhausted
//              │ yes
//           waits ──> advance() lets it go, or turns it away when the circuit opens meanwhile
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "engine/limits/circuit_breaker.h"
#include "engine/limits/shares.h"
#include "engine/limits/token_bucket.h"
#include "engine/limits/waiting_line.h"
#include "model/limits.h"
#include "model/message.h"

namespace mapflow::engine {

/// Names a call within its gate.
using Ticket = std::uint64_t;

/// Pure: time is an argument, nothing else is asked for.
class Gate {
 public:
  /// A level of priority is worth so much waiting.
  static constexpr Duration kPriorityWorth = std::chrono::seconds(10);

  explicit Gate(const AgentLimits& limits);

  enum class Entry : std::uint8_t { goes, waits };
  /// A call wants to go. Errors: circuit_open; resource_exhausted when the line is full. Both say retry_after if known.
  Result<Entry> ask(Ticket ticket, Priority priority, Timestamp now);
  /// A call that waits does not want to any more.
  void leave(Ticket ticket, Timestamp now);
  /// What a call that goes says about the agent, known before it is over. Only the first word counts.
  void judge(Ticket ticket, Verdict verdict, Timestamp now);
  /// A call that goes is over; without a word before, it says nothing.
  void end(Ticket ticket, Timestamp now);

  /// Who may go now, and who is turned away because the circuit is open. To be called after leave, judge and end, and
  /// when next() has come.
  struct Moved {
    std::vector<Ticket> go;
    std::vector<Ticket> turned_away;
  };
  Moved advance(Timestamp now);
  /// When time alone lets the first in line go; kNever when it takes more than that, or nobody waits.
  Timestamp next(Timestamp now) const;
  /// Why a call is turned away now.
  Error circuit_open(Timestamp now) const;

  // --- one of many, for the nodes of a store (shares.h) ---
  /// Until `until` it may use no more than `share` of its limits; then it lets nobody go, before it is told anew. A gate that
  /// is never told has its limits for itself. Calls that go already go on.
  void set_share(const Amounts& share, Timestamp until, Timestamp now);
  void trip(Timestamp until, Timestamp now) {
    if (breaker_) breaker_->trip(until, now);
  }
  /// What to tell others, without a claim. Looks at how many came since it was asked last.
  GateWord word(Timestamp now);
  const Amounts& share() const { return share_; }
  Timestamp share_until() const { return share_until_; }
  const Amounts& limit() const { return limit_; }

  std::size_t going() const { return going_; }
  std::size_t waiting() const { return line_.size(); }
  CircuitBreaker::State circuit() const { return breaker_ ? breaker_->state() : CircuitBreaker::State::closed; }
  /// Nobody goes or waits, and a new gate would decide just the same.
  bool at_rest(Timestamp now) const;

 private:
  struct Call {
    CircuitBreaker::Phase phase = 0;
    bool judged = false;
    std::optional<WaitingLine<Ticket>::Place> place;  ///< while it waits
  };
  bool has_slot(Timestamp now) const {
    return limit_ == Amounts{} || (now < share_until_ && (!limit_.slots || going_ < share_.slots));
  }
  void start(Call& call);
  Error line_full(Timestamp now) const;

  std::optional<TokenBucket> bucket_;
  std::optional<CircuitBreaker> breaker_;
  std::optional<std::uint32_t> bulkhead_;
  Amounts limit_, share_;
  Timestamp share_until_ = kNever;
  std::uint32_t came_ = 0;      ///< calls, since word() was asked last
  Timestamp came_since_{};
  double per_second_ = 0;       ///< so many came of late
  std::unordered_map<Ticket, Call> calls_;
  WaitingLine<Ticket> line_{kPriorityWorth};
  std::size_t going_ = 0;
};

}  // namespace mapflow::engine
