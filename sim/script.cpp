#include "sim/script.h"

#include <string>

#include "sim/chance.h"
#include "value/json.h"

namespace mapflow::sim {

namespace {

Error failure(Chance& chance) {
  static const std::vector<std::string> kCodes{"unavailable", "rate_limited", "agent_error", "busy", "invalid_input"};
  Error error(chance.pick(kCodes), "the script says so");
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

}  // namespace

std::int64_t digest(const Value& value) {
  return static_cast<std::int64_t>(mix(1, to_canonical_json(value)) % 1'000'000);
}

Answer Script::answer(std::string_view step, std::string_view path, std::uint32_t attempt, const Value& data) const {
  const auto found = roles.find(step);
  const Role role = found == roles.end() ? Role{} : found->second;
  const std::int64_t seen = digest(data);
  Chance chance(mix(mix(mix(seed, path), attempt), static_cast<std::uint64_t>(seen)));
  if (attempt <= role.last_failure) {
    if (chance.percent(role.silent_percent)) return {};
    if (chance.percent(role.fails_percent)) return {std::nullopt, failure(chance)};
  }
  return {result(role.shape, chance, seen), std::nullopt};
}

Value Script::payload(std::string_view signal) const {
  return object({{"n", static_cast<std::int64_t>(mix(seed, signal) % 10)}, {"name", signal}});
}

}  // namespace mapflow::sim
