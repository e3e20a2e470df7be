// What an agent receives and what it answers, whatever the transport.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/time.h"
#include "value/value.h"

namespace mapflow {

enum class Priority : std::uint8_t { low, medium, high, critical };
std::string_view to_string(Priority priority);
std::optional<Priority> parse_priority(std::string_view name);

struct Envelope {
  std::string id;               ///< of this delivery, unique
  std::string idempotency_key;  ///< "<instance id>/<step path>#<execution>": the same for every attempt and delivery
  std::string workflow;
  std::string instance_id;
  std::string correlation_id;
  std::string step;
  std::string path;
  std::uint32_t attempt = 1;    ///< from 1; a retry counts it up
  std::uint32_t delivery = 1;   ///< from 1; a repeat after a crash counts it up and leaves the attempt alone
  std::string action;
  Value data;
  Value headers;                ///< an object, or null
  Priority priority = Priority::medium;
  Timestamp deadline = kNever;  ///< when the attempt times out
  std::string traceparent;      ///< W3C Trace Context; empty: no trace
};

/// The JSON object that is sent. Members without a value are left out; times are RFC 3339.
Value to_value(const Envelope& envelope);

/// What an agent said it used, for budgets.
struct Usage {
  std::uint64_t input_tokens = 0;
  std::uint64_t output_tokens = 0;
  double cost_usd = 0;
};

struct Reply {
  Value result;
  std::optional<Usage> usage;
  bool pending = false;  ///< no answer yet: it will come by the call's token, its idempotency key
};

/// What a result says was used for it: its top-level `usage: {input_tokens, output_tokens, cost_usd}`; nullopt without one.
/// A member that is no number from 0 up counts as 0.
std::optional<Usage> usage_in(const Value& result);

/// Reads an agent's `{"error": {code, message, retryable, retry_after, details}}`; nullopt when `body` is not one.
std::optional<Error> error_from_reply(const Value& body);

/// The typed error as people and agents see it: {code, message, step, path, attempt, retryable, at, details, cause}.
Value to_value(const Error& error);
/// The inverse of to_value; unknown members are ignored.
Error error_from_value(const Value& value);

}  // namespace mapflow
