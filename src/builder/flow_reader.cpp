// What a workflow and its steps may use, and how many instances run at once.
#include <algorithm>
#include <array>

#include "builder/reading.h"

namespace mapflow::builder {

namespace {

constexpr double kMostDollars = 1e9;

std::optional<std::uint64_t> read_amount(Reading& reading, Node node) {
  const auto amount = reading.integer(node, node.key(), 0, std::int64_t{1} << 53);
  return amount ? std::optional<std::uint64_t>(static_cast<std::uint64_t>(*amount)) : std::nullopt;
}

std::optional<std::uint32_t> read_count(Reading& reading, Node node, std::int64_t least) {
  const auto count = reading.integer(node, node.key(), least, 1'000'000'000);
  return count ? std::optional<std::uint32_t>(static_cast<std::uint32_t>(*count)) : std::nullopt;
}

}  // namespace

Budget read_budget(Reading& reading, Node node) {
  static constexpr std::array<std::string_view, 5> kKeys{"tokens", "cost_usd", "steps", "wall_time", "on_exceeded"};
  static constexpr std::array<std::string_view, 2> kOnExceeded{"fail", "suspend"};
  Budget budget;
  if (!reading.expect_map(node, "budget")) return budget;
  for (const Node member : node.children()) {
    const std::string_view key = member.key();
    if (std::ranges::find(kKeys, key) == kKeys.end()) reading.unknown_key(member, "budget", kKeys);
    else if (member.is_null()) continue;
    else if (key == "tokens") budget.tokens = read_amount(reading, member);
    else if (key == "cost_usd") budget.cost_usd = reading.number(member, key, 0, kMostDollars);
    else if (key == "steps") budget.steps = read_amount(reading, member);
    else if (key == "wall_time") budget.wall_time = reading.duration(member, key);
    else budget.suspend_when_exceeded = reading.choice(member, key, kOnExceeded).value_or(0) == 1;
  }
  return budget;
}

std::optional<StepBudget> read_step_budget(Reading& reading, Node node) {
  static constexpr std::array<std::string_view, 2> kKeys{"tokens", "cost_usd"};
  if (!reading.expect_map(node, "budget")) return std::nullopt;
  StepBudget budget;
  for (const Node member : node.children()) {
    if (std::ranges::find(kKeys, member.key()) == kKeys.end()) reading.unknown_key(member, "the budget of a step", kKeys);
    else if (member.is_null()) continue;
    else if (member.key() == "tokens") budget.tokens = read_amount(reading, member);
    else budget.cost_usd = reading.number(member, member.key(), 0, kMostDollars);
  }
  return budget;
}

std::optional<Concurrency> read_concurrency(Reading& reading, Node node, Places& places) {
  static constexpr std::array<std::string_view, 5> kKeys{"max_running", "key", "limit", "on_conflict", "max_waiting"};
  static constexpr std::array<std::string_view, 3> kOnConflict{"queue", "reject", "replace"};
  if (!reading.expect_map(node, "concurrency")) return std::nullopt;
  Concurrency concurrency;
  for (const Node member : node.children()) {
    const std::string_view key = member.key();
    Mark start = member.mark();
    if (std::ranges::find(kKeys, key) == kKeys.end()) reading.unknown_key(member, "concurrency", kKeys);
    else if (member.is_null()) continue;
    else if (key == "max_running") concurrency.max_running = read_count(reading, member, 1);
    else if (key == "key") concurrency.key = reading.expression(member, key, &start).value_or("");
    else if (key == "limit") concurrency.limit = read_count(reading, member, 1).value_or(1);
    else if (key == "on_conflict") concurrency.on_conflict = static_cast<OnConflict>(reading.choice(member, key, kOnConflict).value_or(0));
    else concurrency.max_waiting = read_count(reading, member, 0).value_or(concurrency.max_waiting);
    reading.note_text(places, "concurrency." + std::string(key), member, start);
  }
  if (!node.find("max_running") && !node.find("key"))
    reading.error(mf::missing, node.mark(), "concurrency limits nothing", "give it 'max_running', or 'key' with 'limit'");
  if (node.find("limit") && !node.find("key"))
    reading.error(mf::not_allowed, node.find("limit").mark(), "'limit' counts the instances of one key, and there is no 'key'",
                  "write 'max_running' to count all instances");
  return concurrency;
}

}  // namespace mapflow::builder
