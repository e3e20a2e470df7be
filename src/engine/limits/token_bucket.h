// A token bucket: calls cost one token each, tokens come back at a steady rate, and at most `burst` are kept.
#pragma once

#include <algorithm>
#include <cmath>

#include "base/time.h"
#include "model/limits.h"

namespace mapflow::engine {

/// Pure: time is an argument. A time before one that was given earlier counts as that earlier one.
class TokenBucket {
 public:
  explicit TokenBucket(RateLimit limit) : whole_(limit), limit_(limit), tokens_(limit.burst) {}

  /// From now on it keeps only so many of its tokens, which come back at the same part of its rate. Tokens that it did not have
  /// before begin as taken: whoever had them may just have used them.
  void keep(std::uint32_t tokens, Timestamp now) {
    refill(now);
    limit_.burst = std::min(tokens, whole_.burst);
    limit_.per_second = whole_.per_second * limit_.burst / whole_.burst;
    tokens_ = std::min<double>(tokens_, limit_.burst);
  }
  const RateLimit& whole() const { return whole_; }

  /// Takes a token; false when there is none yet.
  bool take(Timestamp now) {
    refill(now);
    if (tokens_ < kWhole) return false;
    tokens_ -= 1;
    return true;
  }
  /// When there will be a token, if nobody takes one before: `now` or later.
  Timestamp next(Timestamp now) const {
    TokenBucket then = *this;
    then.refill(now);
    if (then.tokens_ >= kWhole) return now;
    if (limit_.burst == 0) return kNever;
    return saturating_add(now, Duration(static_cast<std::int64_t>(std::ceil((1 - then.tokens_) / limit_.per_second * 1e6))));
  }
  bool full(Timestamp now) const {
    TokenBucket then = *this;
    then.refill(now);
    return then.tokens_ >= limit_.burst * kWhole;
  }

 private:
  static constexpr double kWhole = 1 - 1e-9;  ///< a token, less what rounding may have lost

  void refill(Timestamp now) {
    if (now <= filled_) return;
    if (filled_ != Timestamp{}) {
      const double seconds = static_cast<double>((now - filled_).count()) / 1e6;
      tokens_ = std::min<double>(limit_.burst, tokens_ + seconds * limit_.per_second);
    }
    filled_ = now;
  }

  RateLimit whole_, limit_;
  double tokens_;
  Timestamp filled_{};
};

}  // namespace mapflow::engine
