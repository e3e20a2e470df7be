#include "sim/script.h"

#include <string>

#include "sim/chance.h"
#include "value/json.h"

namespace mapflow::sim {

namespace {

Error failure(Chance& chance) {
  static const std::vector<std::string> kCodes{"unavailable", "rate_limited", "agent_error", "busy", "invalid_input", "handler_error"};
  Error error(chance.pick(kCodes), "the script says so");
  if (error.is(code::handler_error)) return error;  // handlers throw it, so there is no more to it
  if (chance.percent(30)) error.retryable = chance.percent(70);
  if (error.is(code::rate_limited) && chance.percent(50)) error.retry_after_us = chance.between(1'000, 3'000'000);
  return error;
}

Value result(Role::Shape shape, Chance& chance, std::int64_t seen) {
  const std::int64_t number = chance.between(0, 9);
  switch (shape) {
    case Role::Shape::number: return Value(number);
    case Role::Shape::text: return Value("t" + std::to_string(number) + "-" + std::to_string(seen));
    case Role::Shape::list: {
      Array items;
      for (std::int64_t i = chance.between(0, 3); i >= 0; --i) items.emplace_back(chance.between(0, 9));
      return Value(std::move(items));
    }
    case Role::Shape::object: break;
  }
  return object({{"n", number}, {"seen", seen}, {"usage", object({{"input_tokens", number}, {"cost_usd", 0.001}})}});
}

/// Anything but an answer of this shape.
Value misfit(Role::Shape shape) {
  switch (shape) {
    case Role::Shape::number: return Value(99);
    case Role::Shape::text: return Value(5);
    case Role::Shape::list: return array({1, "two"});
    case Role::Shape::object: break;
  }
  return object({{"seen", 1}});
}

}  // namespace

Value schema_of(Role::Shape shape) {
  switch (shape) {
    case Role::Shape::number: return object({{"type", "integer"}, {"minimum", 0}, {"maximum", 9}});
    case Role::Shape::text: return object({{"type", "string"}, {"pattern", "^t"}});
    case Role::Shape::list: return object({{"type", "array"}, {"items", object({{"type", "number"}})}});
    case Role::Shape::object: break;
  }
  return object({{"type", "object"}, {"required", array({"n"})}, {"properties", object({{"n", schema_of(Role::Shape::number)}})}});
}

std::int64_t digest(const Value& value) {
  return static_cast<std::int64_t>(mix(1, to_canonical_json(value)) % 1'000'000);
}

Answer Script::answer(std::string_view step, std::string_view path, std::uint32_t attempt, const Value& data) const {
  const auto found = roles.find(step);
  const Role role = found == roles.end() ? Role{} : found->second;
  const std::int64_t seen = digest(data);
  Chance chance(mix(mix(mix(seed, path), attempt), static_cast<std::uint64_t>(seen)));
  Answer answer;
  if (attempt <= role.last_failure) {
    const bool silent = chance.percent(role.silent_percent);
    if (silent && role.late) answer.too_late = result(role.shape, chance, seen);
    if (silent) return answer;
    if (chance.percent(role.misfit_percent)) answer.misfit = misfit(role.shape);
    if (chance.percent(role.fails_percent)) answer.error = failure(chance);
    answer.error_at_once = answer.error && role.tried_again;
    if (answer.error) return answer;
  }
  answer.value = result(role.shape, chance, seen);
  return answer;
}

std::optional<Result<Reply>> Script::reply(std::string_view agent, const Envelope& envelope) const {
  const Answer answer = this->answer(envelope);
  if (answers_later(agent) && !answer.error_at_once) return Reply{.result = {}, .usage = {}, .pending = true};
  if (answer.error) return fail(*answer.error);
  if (answer.misfit) return Reply{*answer.misfit, std::nullopt};
  if (answer.value) return Reply{*answer.value, std::nullopt};
  return std::nullopt;
}

Value Script::payload(std::string_view signal) const {
  return object({{"n", static_cast<std::int64_t>(mix(seed, signal) % 10)}, {"name", signal}});
}

}  // namespace mapflow::sim
