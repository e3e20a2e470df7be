#include "model/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace mapflow {

namespace {

constexpr double kMostPerSecond = 1e9;
constexpr double kMostCounted = 1e9;

std::unexpected<Error> not_a(std::string_view what, std::string_view wanted) {
  return fail(code::invalid_input, fmt::format("'{}' must be {}", what, wanted));
}

/// A burst holds what the rate allows in its own span: 100/m may come as 100 at once.
RateLimit rate_of(double rate, Duration per) {
  const double seconds = static_cast<double>(per.count()) / 1e6;
  RateLimit limit;
  limit.per_second = std::min(rate / seconds, kMostPerSecond);
  limit.burst = static_cast<std::uint32_t>(std::clamp(rate, 1.0, kMostCounted));
  return limit;
}

Result<std::uint32_t> count_of(const Value& value, std::string_view what, std::uint32_t least) {
  if (!value.is_integer() || value.as_integer() < least || value.as_integer() > static_cast<std::int64_t>(kMostCounted))
    return not_a(what, fmt::format("a whole number from {}", least));
  return static_cast<std::uint32_t>(value.as_integer());
}

Result<Duration> span_of(const Value& value, std::string_view what) {
  Result<Duration> span = fail(code::invalid_input, "");
  if (value.is_number()) span = duration_from_seconds(value.as_double());
  if (value.is_text()) span = parse_duration(value.as_text());
  if (!span || span->count() <= 0) return not_a(what, "a span above 0");
  return span;
}

Result<RateLimit> read_rate(const Value& value) {
  if (value.is_text()) return parse_rate(value.as_text());
  const Value* const rate = value.find("rate");
  if (!rate || !rate->is_number() || !(rate->as_double() > 0)) return not_a("rate_limit", "50/s, 100/m, or {rate, per, burst}");
  Duration per = std::chrono::seconds(1);
  if (const Value* span = value.find("per")) {
    MAPFLOW_ASSIGN(per, span_of(*span, "per"));
  }
  RateLimit limit = rate_of(rate->as_double(), per);
  if (const Value* burst = value.find("burst")) {
    MAPFLOW_ASSIGN(limit.burst, count_of(*burst, "burst", 1));
  }
  return limit;
}

Result<BreakerPolicy> read_breaker(const Value& value) {
  BreakerPolicy policy;
  if (const Value* threshold = value.find("failure_threshold")) {
    MAPFLOW_ASSIGN(policy.failure_threshold, count_of(*threshold, "failure_threshold", 1));
  }
  if (const Value* window = value.find("window")) {
    MAPFLOW_ASSIGN(policy.window, span_of(*window, "window"));
  }
  if (const Value* open_for = value.find("open_for")) {
    MAPFLOW_ASSIGN(policy.open_for, span_of(*open_for, "open_for"));
  }
  if (const Value* probes = value.find("probes")) {
    MAPFLOW_ASSIGN(policy.probes, count_of(*probes, "probes", 1));
  }
  return policy;
}

}  // namespace

Result<RateLimit> parse_rate(std::string_view text) {
  double rate = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rate);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (error == std::errc{} && std::isfinite(rate) && rate > 0) {
    if (unit == "/s") return rate_of(rate, std::chrono::seconds(1));
    if (unit == "/m") return rate_of(rate, std::chrono::minutes(1));
    if (unit == "/h") return rate_of(rate, std::chrono::hours(1));
    if (unit == "/d") return rate_of(rate, std::chrono::hours(24));
  }
  return fail(code::invalid_input, fmt::format("'{}' is not a rate", text), "write 50/s, 100/m, 1000/h or 5000/d");
}

Result<AgentLimits> read_agent_limits(const Value& limits) {
  AgentLimits out;
  if (const Value* rate = limits.find("rate_limit")) {
    MAPFLOW_ASSIGN(out.rate, read_rate(*rate));
  }
  if (const Value* most = limits.find("max_concurrent")) {
    MAPFLOW_ASSIGN(out.max_concurrent, count_of(*most, "max_concurrent", 1));
  }
  if (const Value* breaker = limits.find("circuit_breaker")) {
    MAPFLOW_ASSIGN(out.breaker, read_breaker(*breaker));
  }
  if (const Value* bulkhead = limits.find("bulkhead")) {
    MAPFLOW_ASSIGN(out.bulkhead, count_of(*bulkhead, "bulkhead", 0));
  }
  if (const Value* key = limits.find("key"); key && key->is_text()) out.key = key->as_text();
  return out;
}

}  // namespace mapflow
