// Policies that a definition states: how to retry, how to undo, what may be spent, and what a failing step does.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"

namespace mapflow {

enum class RetryStrategy : std::uint8_t { none, immediate, linear, exponential, custom };

struct RetryPolicy {
  RetryStrategy strategy = RetryStrategy::exponential;
  std::uint32_t max_attempts = 3;
  Duration initial_delay = std::chrono::seconds(1);
  Duration max_delay = std::chrono::seconds(60);
  double backoff_factor = 2;
  double jitter = 0;                   ///< 0 … 1: the delay is drawn from [delay·(1-jitter), delay·(1+jitter)]
  std::vector<std::string> retry_on = {};   ///< error codes; when given, only these (and not abort_on) are retried
  std::vector<std::string> abort_on = {};   ///< error codes that are never retried
  std::string custom = {};                  ///< name of a registered policy, with strategy custom

  bool operator==(const RetryPolicy&) const = default;
};

/// Whether `error` of attempt `attempt` (from 1) is to be tried again under this policy.
bool should_retry(const RetryPolicy& policy, const Error& error, std::uint32_t attempt);

/// The delay before attempt `attempt` + 1. `chance` in [0, 1) picks the jitter. Capped by max_delay before the jitter;
/// an agent's retry_after raises it.
Duration retry_delay(const RetryPolicy& policy, const Error& error, std::uint32_t attempt, double chance);

/// What a registered retry policy is asked after a failed attempt that may be tried again at all (max_attempts, retry_on
/// and abort_on hold for every strategy).
struct RetryQuestion {
  const RetryPolicy& policy;
  const Error& error;
  std::uint32_t attempt = 1;  ///< that failed
  double chance = 0;          ///< in [0, 1), the same whenever this question is asked again
};
/// The delay before the next attempt; nullopt: there is none.
using RetryFunction = std::function<std::optional<Duration>(const RetryQuestion&)>;

enum class CompensationStrategy : std::uint8_t { none, backward, forward, parallel, custom };

enum class OnError : std::uint8_t {
  fail,       ///< the step's error is its parent's
  proceed,    ///< "continue": the workflow goes on with a null result
  suspend,    ///< the instance is parked until a person decides
  handle,     ///< the steps of the `on_error` branch run
};

struct Budget {
  std::optional<std::uint64_t> tokens = {};
  std::optional<double> cost_usd = {};
  std::optional<std::uint64_t> steps = {};
  std::optional<Duration> wall_time = {};
  bool suspend_when_exceeded = false;

  bool operator==(const Budget&) const = default;
};

/// What one call of a step uses at most, as its author says: what is reserved for it.
struct StepBudget {
  std::optional<std::uint64_t> tokens;
  std::optional<double> cost_usd;

  bool operator==(const StepBudget&) const = default;
};

/// What happens to a start that finds no place.
enum class OnConflict : std::uint8_t {
  queue,    ///< it waits for its turn
  reject,   ///< it is refused
  replace,  ///< the oldest instances in its way are cancelled; it starts when they have ended
};

/// How many instances of a workflow run at once.
struct Concurrency {
  std::optional<std::uint32_t> max_running;
  std::string key;                     ///< an expression over the variables at the start; empty: none
  std::uint32_t limit = 1;             ///< with a key: instances with the same value of it
  OnConflict on_conflict = OnConflict::queue;
  std::uint32_t max_waiting = 10'000;  ///< further starts are refused

  bool operator==(const Concurrency&) const = default;
};

/// Of 0 … 9: how urgent a workflow's instances are that wait for their turn.
inline constexpr std::uint32_t kUsualPriority = 5;
inline constexpr std::uint32_t kHighestPriority = 9;

std::string_view to_string(OnConflict policy);
std::string_view to_string(RetryStrategy strategy);
std::string_view to_string(CompensationStrategy strategy);
std::string_view to_string(OnError policy);
std::optional<RetryStrategy> parse_retry_strategy(std::string_view name);
std::optional<CompensationStrategy> parse_compensation_strategy(std::string_view name);

}  // namespace mapflow
