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
  explicit TokenBucket(RateLimit limit) : limit_(limit), tokens_(limit.burst) {}

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

  RateLimit limit_;
  double tokens_;
  Timestamp filled_{};
};

}  // namespace mapflow::engine
