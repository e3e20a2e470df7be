// The limits that `agents:` states for an agent: how fast, how many at once, and when to leave it alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/time.h"
#include "value/value.h"

namespace mapflow {

/// A token bucket: `burst` calls at once, and `per_second` in the long run.
struct RateLimit {
  double per_second = 1;
  std::uint32_t burst = 1;
};

struct BreakerPolicy {
  std::uint32_t failure_threshold = 5;           ///< so many failures within `window` open the circuit
  Duration window = std::chrono::minutes(1);
  Duration open_for = std::chrono::seconds(30);
  std::uint32_t probes = 1;                      ///< so many calls must succeed, one after the other or at once, to close it
};

struct AgentLimits {
  std::optional<RateLimit> rate;
  std::optional<std::uint32_t> max_concurrent;
  std::optional<BreakerPolicy> breaker;
  std::optional<std::uint32_t> bulkhead;         ///< how many calls may wait; without it, any number
  std::string key;                               ///< an expression; empty: the limits count for all calls together
};

/// "50/s", "0.5/m", "100/h", "1000/d". Errors: invalid_input.
Result<RateLimit> parse_rate(std::string_view text);

/// Reads AgentConfig::limits; null is no limits. Errors: invalid_input.
Result<AgentLimits> read_agent_limits(const Value& limits);

}  // namespace mapflow
