#include "steps/reduce.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <unordered_map>

#include "value/json.h"

namespace mapflow::steps {

namespace {

Error unfit(std::string_view reduction, std::string_view wants, const Value& value) {
  return Error(code::invalid_input, fmt::format("{} works on {}, and one value is a {}", reduction, wants, to_string(value.type())),
               "leave such values out with `where`");
}

Result<Value> list(const Values& values) { return Value(Array(values.begin(), values.end())); }
Result<Value> count(const Values& values) { return Value(values.size()); }
Result<Value> first(const Values& values) { return values.empty() ? Value() : values.front(); }
Result<Value> last(const Values& values) { return values.empty() ? Value() : values.back(); }

Value merged_deep(const Value& under, const Value& over) {
  if (!under.is_object() || !over.is_object()) return over;
  Value merged = under;
  for (const auto& [key, member] : over.as_object()) {
    const Value* before = under.find(key);
    merged.set(key, before ? merged_deep(*before, member) : member);
  }
  return merged;
}

Result<Value> merge_with(std::string_view reduction, const Values& values, bool deep) {
  Value merged{Object{}};
  for (const Value& each : values) {
    if (!each.is_object()) return fail(unfit(reduction, "objects", each));
    if (deep) merged = merged_deep(merged, each);
    else for (const auto& [key, member] : each.as_object()) merged.set(key, member);
  }
  return merged;
}

Result<Value> merge(const Values& values) { return merge_with("merge", values, false); }
Result<Value> deep_merge(const Values& values) { return merge_with("deep_merge", values, true); }

/// A whole number while it fits, then a floating point one.
Result<Value> sum(const Values& values) {
  std::int64_t whole = 0;
  double broken = 0;
  bool is_whole = true;
  for (const Value& each : values) {
    if (!each.is_number()) return fail(unfit("sum", "numbers", each));
    if (is_whole && each.is_integer() && !__builtin_add_overflow(whole, each.as_integer(), &whole)) continue;
    if (is_whole) {
      broken = 0;
      for (const Value* at = values.data(); at != &each; ++at) broken += at->as_double();
    }
    is_whole = false;
    broken += each.as_double();
  }
  return is_whole ? Value(whole) : Value(broken);
}

Result<Value> avg(const Values& values) {
  double total = 0;
  for (const Value& each : values) {
    if (!each.is_number()) return fail(unfit("avg", "numbers", each));
    total += each.as_double();
  }
  return values.empty() ? Value() : Value(total / static_cast<double>(values.size()));
}

/// Numbers among numbers, texts among texts.
bool comparable(const Value& a, const Value& b) { return (a.is_number() && b.is_number()) || (a.is_text() && b.is_text()); }
bool less(const Value& a, const Value& b) {
  if (a.is_text()) return a.as_text() < b.as_text();
  if (a.is_integer() && b.is_integer()) return a.as_integer() < b.as_integer();
  return a.as_double() < b.as_double();
}

Status check_comparable(std::string_view reduction, const Values& values) {
  for (const Value& each : values)
    if (!comparable(values.front(), each)) return fail(unfit(reduction, "numbers alone or texts alone", each));
  return {};
}

Result<Value> min(const Values& values) {
  MAPFLOW_TRY(check_comparable("min", values));
  return values.empty() ? Value() : *std::ranges::min_element(values, less);
}

Result<Value> max(const Values& values) {
  MAPFLOW_TRY(check_comparable("max", values));
  return values.empty() ? Value() : *std::ranges::max_element(values, less);
}

Result<Value> median(const Values& values) {
  for (const Value& each : values)
    if (!each.is_number()) return fail(unfit("median", "numbers", each));
  if (values.empty()) return Value();
  Values sorted = values;
  std::ranges::sort(sorted, less);
  const Value& upper = sorted[sorted.size() / 2];
  if (sorted.size() % 2 == 1) return upper;
  return Value((sorted[sorted.size() / 2 - 1].as_double() + upper.as_double()) / 2);
}

Result<Value> concat(const Values& values) {
  if (values.empty()) return Value();
  std::string text;
  Array items;
  for (const Value& each : values) {
    if (!(each.is_text() || each.is_array()) || each.type() != values.front().type())
      return fail(unfit("concat", "texts alone or lists alone", each));
    if (each.is_text()) text += each.as_text();
    else items.insert(items.end(), each.as_array().begin(), each.as_array().end());
  }
  return values.front().is_text() ? Value(std::string_view(text)) : Value(std::move(items));
}

Result<Value> flatten(const Values& values) {
  Array items;
  for (const Value& each : values) {
    if (each.is_array()) items.insert(items.end(), each.as_array().begin(), each.as_array().end());
    else items.push_back(each);
  }
  return Value(std::move(items));
}

/// The same for all values that are equal as JSON: members in order of their keys, 2.0 as 2.
Value canonical(const Value& value) {
  if (value.is_array()) {
    Array items;
    for (const Value& each : value.as_array()) items.push_back(canonical(each));
    return Value(std::move(items));
  }
  if (value.is_object()) {
    std::vector<Object::Member> members(value.as_object().begin(), value.as_object().end());
    std::ranges::sort(members, {}, [](const Object::Member& each) { return each.key.view(); });
    Object sorted;
    for (auto& [key, member] : members) sorted.set(key, canonical(member));
    return Value(std::move(sorted));
  }
  constexpr double kExact = 9007199254740992.0;  // 2^53: every whole number up to here is a double
  if (value.is_double() && std::abs(value.as_double()) <= kExact && std::trunc(value.as_double()) == value.as_double())
    return Value(static_cast<std::int64_t>(value.as_double()));
  return value;
}

/// Equal values, in the order of their first appearance.
struct Answer {
  Value value;
  std::size_t count = 0;
};

std::vector<Answer> tally(const Values& values) {
  std::vector<Answer> answers;
  std::unordered_map<std::string, std::size_t> places;
  for (const Value& each : values) {
    const auto [place, fresh] = places.emplace(to_json(canonical(each)), answers.size());
    if (fresh) answers.push_back({each, 0});
    ++answers[place->second].count;
  }
  return answers;
}

Result<Value> unique(const Values& values) {
  Array items;
  for (Answer& each : tally(values)) items.push_back(std::move(each.value));
  return Value(std::move(items));
}

struct Reduction {
  std::string_view name;
  Result<Value> (*function)(const Values&);
};

constexpr std::array<Reduction, 14> kReductions{{{"list", list},     {"merge", merge},   {"deep_merge", deep_merge}, {"sum", sum},
                                                 {"avg", avg},       {"min", min},       {"max", max},               {"count", count},
                                                 {"concat", concat}, {"first", first},   {"last", last},             {"median", median},
                                                 {"unique", unique}, {"flatten", flatten}}};

std::size_t most(const std::vector<Answer>& answers) {
  std::size_t count = 0;
  for (const Answer& each : answers) count = std::max(count, each.count);
  return count;
}

}  // namespace

Result<Value> reduce(std::string_view reduction, const Values& values) {
  for (const Reduction& each : kReductions)
    if (each.name == reduction) return each.function(values);
  return fail(code::not_found, fmt::format("there is no reduction '{}'", reduction));
}

Value vote(const Values& values, bool first_wins) {
  const std::vector<Answer> answers = tally(values);
  const std::size_t highest = most(answers);
  Array leaders;
  for (const Answer& each : answers)
    if (each.count == highest) leaders.push_back(each.value);
  const bool tie = leaders.size() > 1;
  const Value winner = leaders.empty() || (tie && !first_wins) ? Value() : leaders.front();
  return object({{"winner", winner}, {"count", highest}, {"total", values.size()}, {"tie", tie},
                 {"tied", tie ? Value(std::move(leaders)) : Value(Array{})}});
}

Result<Value> quorum(const Values& values, std::size_t needed) {
  std::vector<Answer> answers = tally(values);
  const std::size_t highest = most(answers);
  if (highest >= needed && highest > 0) return std::ranges::find(answers, highest, &Answer::count)->value;
  Error error(code::no_quorum, fmt::format("{} must agree, and of {} answers at most {} did", needed, values.size(), highest));
  Array counts;
  for (Answer& each : answers) counts.push_back(object({{"value", std::move(each.value)}, {"count", each.count}}));
  error.details = to_json(object({{"needed", needed}, {"answers", Value(std::move(counts))}}));
  return fail(std::move(error));
}

Result<std::optional<std::size_t>> best(const Values& scores) {
  MAPFLOW_TRY(check_comparable("best", scores));
  if (scores.empty()) return std::nullopt;
  return static_cast<std::size_t>(std::ranges::max_element(scores, less) - scores.begin());
}

}  // namespace mapflow::steps
