// Points in time and spans of time as the whole engine counts them.
//
// Both count microseconds. A Timestamp is UTC since the Unix epoch. Nothing in this header reads a clock: time is
// always an argument (see engine/clock.h for the one place that asks the operating system).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace mapflow {

using Duration = std::chrono::microseconds;
using Timestamp = std::chrono::time_point<std::chrono::system_clock, Duration>;

/// "Never" for due times: later than every other timestamp.
inline constexpr Timestamp kNever = Timestamp::max();

constexpr Timestamp from_micros(std::int64_t micros) { return Timestamp(Duration(micros)); }
constexpr std::int64_t to_micros(Timestamp at) { return at.time_since_epoch().count(); }

/// `at + span`, saturating at kNever and never overflowing.
constexpr Timestamp saturating_add(Timestamp at, Duration span) {
  if (at == kNever || span == Duration::max()) return kNever;
  if (span.count() > 0 && to_micros(at) > Duration::max().count() - span.count()) return kNever;
  return at + span;
}

/// Reads a span: "250ms", "10s", "5m", "2h", "1d", "1h30m", a bare number (seconds) or ISO-8601 ("PT5M", "P1DT2H").
/// Errors: invalid_input for anything else, a negative span, or one past 1,000 years.
Result<Duration> parse_duration(std::string_view text);

/// Seconds as a number to a span. Errors: invalid_input when negative, not finite, or past 1,000 years.
Result<Duration> duration_from_seconds(double seconds);

/// The shortest of the spellings above that reads back as the same span: "1h30m", "250ms", "0s".
std::string format_duration(Duration span);

/// Reads RFC 3339 ("2026-12-01T00:00:00Z", offsets and fractions allowed; a date alone is its midnight UTC).
Result<Timestamp> parse_timestamp(std::string_view text);

/// RFC 3339 in UTC with exactly as many fraction digits as needed (0, 3 or 6).
std::string format_timestamp(Timestamp at);

}  // namespace mapflow
