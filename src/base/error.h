// The one error type, and Result<T>, which carries it across module borders.
//
// An Error says what went wrong (code, message), where (a place in a file, a step), and what to do next (hint).
// Errors are values: they are returned, stored in instances and sent to agents' callers; they are never thrown across
// a module border.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mapflow {

/// Codes the engine itself gives. Agents and handlers may add their own, so a code is text, compared by value.
namespace code {
inline constexpr std::string_view timeout = "timeout";
inline constexpr std::string_view unavailable = "unavailable";
inline constexpr std::string_view rate_limited = "rate_limited";
inline constexpr std::string_view circuit_open = "circuit_open";
inline constexpr std::string_view invalid_input = "invalid_input";
inline constexpr std::string_view invalid_output = "invalid_output";
inline constexpr std::string_view invalid_state = "invalid_state";
inline constexpr std::string_view template_error = "template_error";
inline constexpr std::string_view handler_error = "handler_error";
inline constexpr std::string_view agent_error = "agent_error";
inline constexpr std::string_view cancelled = "cancelled";
inline constexpr std::string_view conflict = "conflict";
inline constexpr std::string_view resource_exhausted = "resource_exhausted";
inline constexpr std::string_view not_found = "not_found";
inline constexpr std::string_view poison = "poison";
inline constexpr std::string_view no_quorum = "no_quorum";
inline constexpr std::string_view fenced = "fenced";          ///< a commit under an epoch that is no longer current
inline constexpr std::string_view corrupt = "corrupt";        ///< stored bytes that do not read back
inline constexpr std::string_view internal = "internal";
}  // namespace code

/// A place in a text a person wrote. Lines and columns count from 1; 0 means unknown. Columns count code points.
struct Location {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  bool known() const { return line != 0; }
  /// "file:line:column", leaving out what is unknown; "" when nothing is known.
  std::string to_string() const;
  bool operator==(const Location&) const = default;
};

struct Error {
  std::string code;
  std::string message;
  std::string hint;                     ///< what to do next, a sentence; may be empty
  Location where;                       ///< the place in a definition or template, when there is one
  std::string step;                     ///< step id, when the error belongs to a step
  std::string path;                     ///< step path: "fan/pack/charge" or "each[3]/fetch"
  std::uint32_t attempt = 0;            ///< 0 when the error does not belong to an attempt
  std::optional<bool> retryable;        ///< unset: decided by the code (see retryable_by_default)
  std::optional<std::int64_t> retry_after_us;  ///< the agent asks not to be called before this many microseconds
  std::int64_t at_us = 0;               ///< when, microseconds since the epoch; 0 unknown
  std::string details;                  ///< JSON text, or empty
  std::shared_ptr<const Error> cause;   ///< what led to this error, if another error did

  Error() = default;
  Error(std::string_view code, std::string message, std::string hint = {})
      : code(code), message(std::move(message)), hint(std::move(hint)) {}

  bool is(std::string_view wanted) const { return code == wanted; }
  /// One line for people: "orders.yaml:14:9: invalid_input: unknown agent 'x' (hint)".
  std::string to_string() const;
  bool operator==(const Error& other) const;
};

/// Whether an error with this code is retried when neither the agent nor the policy says anything.
bool retryable_by_default(std::string_view code);

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

/// `return fail(code::not_found, "…")` from any function that returns a Result.
inline std::unexpected<Error> fail(std::string_view code, std::string message, std::string hint = {}) {
  return std::unexpected<Error>(std::in_place, code, std::move(message), std::move(hint));
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }

}  // namespace mapflow

/// Evaluates a Result expression; returns its error from the enclosing function, else goes on. For Status.
#define MAPFLOW_TRY(expression)                                             \
  do {                                                                      \
    if (auto mapflow_try_result = (expression); !mapflow_try_result)        \
      return ::std::unexpected(::std::move(mapflow_try_result).error());    \
  } while (false)

/// `MAPFLOW_ASSIGN(auto value, parse(text));` returns the error from the enclosing function, or declares the value.
#define MAPFLOW_ASSIGN(declaration, expression) \
  MAPFLOW_ASSIGN_IMPL(declaration, expression, MAPFLOW_CONCAT(mapflow_assign_, __LINE__))
#define MAPFLOW_CONCAT_IMPL(a, b) a##b
#define MAPFLOW_CONCAT(a, b) MAPFLOW_CONCAT_IMPL(a, b)
#define MAPFLOW_ASSIGN_IMPL(declaration, expression, temporary)                    \
  auto temporary = (expression);                                                   \
  if (!temporary) return ::std::unexpected(::std::move(temporary).error());        \
  declaration = *::std::move(temporary)
