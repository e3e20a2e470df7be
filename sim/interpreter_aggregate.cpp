// aggregate: one value of several results.
#include <algorithm>
#include <utility>

#include "sim/interpreter.h"

namespace mapflow::sim {

namespace {

/// The place, with more names.
Place seeing(const Place& place, Value names) { return {.outer = &place, .prefix = {}, .locals = std::move(names)}; }

Error bad_input() { return Error(code::invalid_input, "not what the aggregation works on"); }

bool all_are(const Array& values, bool (Value::*kind)() const) {
  return std::ranges::all_of(values, [kind](const Value& each) { return (each.*kind)(); });
}

double total(const Array& values) {
  double sum = 0;
  for (const Value& each : values) sum += each.as_double();
  return sum;
}

std::size_t count_of(const Array& values, const Value& wanted) { return static_cast<std::size_t>(std::ranges::count(values, wanted)); }

Array unique(const Array& values) {
  Array out;
  for (const Value& each : values)
    if (count_of(out, each) == 0) out.push_back(each);
  return out;
}

/// Those named most often.
Array leaders(const Array& values) {
  std::size_t most = 0;
  for (const Value& each : values) most = std::max(most, count_of(values, each));
  Array out;
  for (const Value& each : unique(values))
    if (count_of(values, each) == most) out.push_back(each);
  return out;
}

Value vote(const Array& values, bool first_wins) {
  const Array ahead = leaders(values);
  const bool tie = ahead.size() > 1;
  const bool nobody = ahead.empty() || (tie && !first_wins);
  return object({{"winner", nobody ? Value() : ahead[0]}, {"count", ahead.empty() ? 0 : count_of(values, ahead[0])},
                 {"total", values.size()}, {"tie", tie}, {"tied", Value(tie ? ahead : Array{})}});
}

Result<Value> quorum(const Array& values, std::size_t needed) {
  const Array ahead = leaders(values);
  if (!ahead.empty() && count_of(values, ahead[0]) >= needed) return ahead[0];
  return fail(code::no_quorum, "they do not agree");
}

/// The reductions of numbers.
Result<Value> of_numbers(const std::string& aggregation, const Array& values) {
  if (!all_are(values, &Value::is_number)) return fail(bad_input());
  if (aggregation == "sum") return Value(static_cast<std::int64_t>(total(values)));  // all of ours are whole
  if (values.empty()) return Value();
  if (aggregation == "avg") return Value(total(values) / static_cast<double>(values.size()));
  const auto less = [](const Value& a, const Value& b) { return a.as_double() < b.as_double(); };
  return aggregation == "min" ? *std::ranges::min_element(values, less) : *std::ranges::max_element(values, less);
}

Result<Value> merged(const Array& values) {
  if (!all_are(values, &Value::is_object)) return fail(bad_input());
  Value out{Object{}};
  for (const Value& each : values)
    for (const auto& [key, member] : each.as_object()) out.set(key, member);
  return out;
}

Result<Value> joined(const Array& values) {
  if (values.empty()) return Value();
  std::string text;
  Array items;
  if (all_are(values, &Value::is_text)) {
    for (const Value& each : values) text += each.as_text();
    return Value(text);
  }
  if (!all_are(values, &Value::is_array)) return fail(bad_input());
  for (const Value& each : values) items.insert(items.end(), each.as_array().begin(), each.as_array().end());
  return Value(std::move(items));
}

Value flattened(const Array& values) {
  Array items;
  for (const Value& each : values) {
    if (each.is_array()) items.insert(items.end(), each.as_array().begin(), each.as_array().end());
    else items.push_back(each);
  }
  return Value(std::move(items));
}

}  // namespace

Outcome Interpreter::aggregate(const Step& step, Place& place, const std::string& path, std::uint32_t number) {
  Array values, sources;
  const Value results = visible_results(place);
  bool complete = true;
  const auto take = [&](const Value* value, std::string source) {
    const bool there = value && !value->is_null();
    complete = complete && there;
    if (!there) return;
    values.push_back(*value);
    sources.emplace_back(std::move(source));
  };
  for (const Value& each : step.fields.find("source_steps")->as_array()) {
    const std::string source(each.as_text());
    const std::size_t end = source.find("[*]");
    const Value* found = results.find_path(source.substr(0, end));
    if (end == std::string::npos || !found || found->is_null()) {
      take(found, source);
      continue;
    }
    if (!found->is_array()) return Outcome::failed(bad_input());
    for (std::size_t i = 0; i < found->size(); ++i) take(&found->as_array()[i], source.substr(0, end) + "[" + std::to_string(i) + "]");
  }
  if (!complete && text(step, "on_missing") == "fail") return Outcome::failed(bad_input());
  if (const std::string where = text(step, "where"); !where.empty()) {
    Array kept, from;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto wanted = holds(where, seeing(place, object({{"value", values[i]}, {"source", sources[i]}})));
      if (!wanted) return Outcome::failed(wanted.error());
      if (*wanted) kept.push_back(values[i]), from.push_back(sources[i]);
    }
    values = std::move(kept);
    sources = std::move(from);
  }
  if (!text(step, "reducer").empty())
    return answered(step, path, number, object({{"values", Value(std::move(values))}, {"sources", Value(std::move(sources))}}), false);
  const auto made = reduced(step, place, values, sources);
  return made ? Outcome::done(*made) : Outcome::failed(made.error());
}

Result<Value> Interpreter::reduced(const Step& step, const Place& place, const Array& values, const Array& sources) {
  const std::string aggregation = text(step, "aggregation");
  if (aggregation == "list") return Value(values);
  if (aggregation == "count") return Value(values.size());
  if (aggregation == "unique") return Value(unique(values));
  if (aggregation == "first") return values.empty() ? Value() : values.front();
  if (aggregation == "last") return values.empty() ? Value() : values.back();
  if (aggregation == "flatten") return flattened(values);
  if (aggregation == "merge") return merged(values);
  if (aggregation == "concat") return joined(values);
  if (aggregation == "vote") return vote(values, text(step, "tie_break") == "first");
  if (aggregation == "custom")
    return evaluate(text(step, "expression"), seeing(place, object({{"values", Value(values)}, {"sources", Value(sources)}})));
  if (aggregation == "quorum") {
    const Value* needed = step.fields.find("quorum");
    return quorum(values, needed && needed->is_integer() ? static_cast<std::size_t>(needed->as_integer()) : values.size() / 2 + 1);
  }
  if (aggregation != "best") return of_numbers(aggregation, values);
  Value best, highest;
  for (std::size_t i = 0; i < values.size(); ++i) {
    MAPFLOW_ASSIGN(const Value score, evaluate(text(step, "by"), seeing(place, object({{"value", values[i]}, {"source", sources[i]}}))));
    if (i > 0 && score.as_double() <= highest.as_double()) continue;
    highest = score;
    best = values[i];
  }
  return best;
}

}  // namespace mapflow::sim
