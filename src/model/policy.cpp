#include "model/policy.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace mapflow {

namespace {

constexpr std::array<std::string_view, 5> kRetryNames{"none", "immediate", "linear", "exponential", "custom"};
constexpr std::array<std::string_view, 5> kCompensationNames{"none", "backward", "forward", "parallel", "custom"};
constexpr std::array<std::string_view, 4> kOnErrorNames{"fail", "continue", "suspend", "handle"};
constexpr std::array<std::string_view, 3> kOnConflictNames{"queue", "reject", "replace"};

template <class Enum, std::size_t N>
std::optional<Enum> parse(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

bool contains(const std::vector<std::string>& codes, const std::string& code) {
  return std::ranges::find(codes, code) != codes.end();
}

}  // namespace

bool should_retry(const RetryPolicy& policy, const Error& error, std::uint32_t attempt) {
  if (policy.strategy == RetryStrategy::none || attempt >= policy.max_attempts) return false;
  if (contains(policy.abort_on, error.code)) return false;
  if (!policy.retry_on.empty()) return contains(policy.retry_on, error.code);
  return error.retryable.value_or(retryable_by_default(error.code));
}

Duration retry_delay(const RetryPolicy& policy, const Error& error, std::uint32_t attempt, double chance) {
  const double initial = static_cast<double>(policy.initial_delay.count());
  double micros = 0;
  switch (policy.strategy) {
    case RetryStrategy::none:
    case RetryStrategy::immediate:
    case RetryStrategy::custom: break;
    case RetryStrategy::linear: micros = initial * attempt; break;
    case RetryStrategy::exponential: micros = initial * std::pow(policy.backoff_factor, attempt - 1.0); break;
  }
  micros = std::min(micros, static_cast<double>(policy.max_delay.count()));
  micros *= 1 + policy.jitter * (2 * chance - 1);
  const Duration delay(static_cast<std::int64_t>(std::max(0.0, micros)));
  return std::max(delay, Duration(error.retry_after_us.value_or(0)));
}

std::string_view to_string(RetryStrategy strategy) { return kRetryNames[static_cast<std::size_t>(strategy)]; }
std::string_view to_string(CompensationStrategy strategy) { return kCompensationNames[static_cast<std::size_t>(strategy)]; }
std::string_view to_string(OnError policy) { return kOnErrorNames[static_cast<std::size_t>(policy)]; }
std::string_view to_string(OnConflict policy) { return kOnConflictNames[static_cast<std::size_t>(policy)]; }
std::optional<RetryStrategy> parse_retry_strategy(std::string_view name) { return parse<RetryStrategy>(kRetryNames, name); }
std::optional<CompensationStrategy> parse_compensation_strategy(std::string_view name) {
  return parse<CompensationStrategy>(kCompensationNames, name);
}

}  // namespace mapflow
