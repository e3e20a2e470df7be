#include "model/message.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "value/json.h"

namespace mapflow {

namespace {

constexpr std::array<std::string_view, 4> kPriorityNames{"low", "medium", "high", "critical"};

std::string text_member(const Value& object, std::string_view key) {
  const Value* member = object.find(key);
  return member && member->is_text() ? std::string(member->as_text()) : std::string();
}

void set_unless_empty(Value& object, std::string_view key, const std::string& text) {
  if (!text.empty()) object.set(key, text);
}

/// `retry_after`: seconds as a number, or a span as text. What does not read is ignored: it is only advice.
std::optional<std::int64_t> read_retry_after(const Value* member) {
  if (!member) return std::nullopt;
  Result<Duration> span = fail(code::invalid_input, "no span");
  if (member->is_number()) span = duration_from_seconds(member->as_double());
  if (member->is_text()) span = parse_duration(member->as_text());
  if (!span) return std::nullopt;
  return span->count();
}

/// What an agent says about its own use is advice: what is no number from 0 up counts as 0.
double used(const Value& usage, std::string_view key) {
  constexpr double kMost = 1e15;  // more than anybody uses, and sums stay well inside 64 bits
  const Value* member = usage.find(key);
  const double amount = member && member->is_number() ? member->as_double() : 0;
  return std::isfinite(amount) && amount > 0 ? std::min(amount, kMost) : 0;
}

}  // namespace

std::string_view to_string(Priority priority) { return kPriorityNames[static_cast<std::size_t>(priority)]; }

std::optional<Priority> parse_priority(std::string_view name) {
  for (std::size_t i = 0; i < kPriorityNames.size(); ++i)
    if (kPriorityNames[i] == name) return static_cast<Priority>(i);
  return std::nullopt;
}

Value to_value(const Envelope& envelope) {
  Value out = object({{"id", envelope.id}, {"idempotency_key", envelope.idempotency_key}, {"workflow", envelope.workflow},
                      {"instance_id", envelope.instance_id}});
  set_unless_empty(out, "correlation_id", envelope.correlation_id);
  out.set("step", envelope.step);
  out.set("path", envelope.path);
  out.set("attempt", envelope.attempt);
  out.set("delivery", envelope.delivery);
  set_unless_empty(out, "action", envelope.action);
  out.set("data", envelope.data);
  if (!envelope.headers.is_null()) out.set("headers", envelope.headers);
  out.set("priority", to_string(envelope.priority));
  if (envelope.deadline != kNever) out.set("deadline", format_timestamp(envelope.deadline));
  set_unless_empty(out, "traceparent", envelope.traceparent);
  out.set("callback", object({{"token", envelope.idempotency_key}}));
  return out;
}

std::optional<Usage> usage_in(const Value& result) {
  const Value* const usage = result.find("usage");
  if (!usage || !usage->is_object()) return std::nullopt;
  return Usage{static_cast<std::uint64_t>(used(*usage, "input_tokens")), static_cast<std::uint64_t>(used(*usage, "output_tokens")),
               used(*usage, "cost_usd")};
}

std::optional<Error> error_from_reply(const Value& body) {
  const Value* inner = body.is_object() && body.size() == 1 ? body.find("error") : nullptr;
  if (!inner || !inner->is_object()) return std::nullopt;
  Error error = error_from_value(*inner);
  if (error.code.empty()) error.code = code::agent_error;
  if (error.message.empty()) error.message = "the agent reported an error without a message";
  return error;
}

Value to_value(const Error& error) {
  Value out = object({{"code", error.code}, {"message", error.message}});
  set_unless_empty(out, "hint", error.hint);
  if (error.where.known() || !error.where.file.empty()) out.set("where", error.where.to_string());
  set_unless_empty(out, "step", error.step);
  set_unless_empty(out, "path", error.path);
  if (error.attempt != 0) out.set("attempt", error.attempt);
  out.set("retryable", error.retryable.value_or(retryable_by_default(error.code)));
  if (error.retry_after_us) out.set("retry_after", static_cast<double>(*error.retry_after_us) / 1e6);
  if (error.at_us != 0) out.set("at", format_timestamp(from_micros(error.at_us)));
  if (!error.details.empty()) {
    auto details = parse_json(error.details);
    out.set("details", details ? *std::move(details) : Value(error.details));
  }
  if (error.cause) out.set("cause", to_value(*error.cause));
  return out;
}

Error error_from_value(const Value& value) {
  Error error;
  if (!value.is_object()) return error;
  error.code = text_member(value, "code");
  error.message = text_member(value, "message");
  error.hint = text_member(value, "hint");
  error.step = text_member(value, "step");
  error.path = text_member(value, "path");
  if (const Value* attempt = value.find("attempt"); attempt && attempt->is_integer())
    error.attempt = static_cast<std::uint32_t>(attempt->as_integer());
  if (const Value* retryable = value.find("retryable"); retryable && retryable->is_bool())
    error.retryable = retryable->as_bool();
  error.retry_after_us = read_retry_after(value.find("retry_after"));
  if (const auto at = parse_timestamp(text_member(value, "at"))) error.at_us = to_micros(*at);
  if (const Value* details = value.find("details"); details && !details->is_null()) error.details = to_json(*details);
  if (const Value* cause = value.find("cause"); cause && cause->is_object())
    error.cause = std::make_shared<const Error>(error_from_value(*cause));
  return error;
}

}  // namespace mapflow
