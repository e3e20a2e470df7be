// The kinds that contain steps: conditional, parallel, loop. (A sequence is nothing but its block.)
//
// Where blocks run side by side, each is walked from end to end, and then it is told from the outcomes of all of them
// which of that must happen.
#include <algorithm>

#include "sim/interpreter.h"

namespace mapflow::sim {

namespace {

using End = Outcome::End;

bool flag(const Step& step, std::string_view name, bool otherwise) {
  const Value* found = step.fields.find(name);
  return found ? found->as_bool() : otherwise;
}

std::int64_t number(const Step& step, std::string_view name, std::int64_t otherwise) {
  const Value* found = step.fields.find(name);
  return found && found->is_integer() ? found->as_integer() : otherwise;
}

const std::string& branch_name(const Branch& branch) { return branch.name.empty() ? branch.steps.front().id : branch.name; }

}  // namespace

// --- conditional --------------------------------------------------------------------------------------------------

Outcome Interpreter::conditional(const Step& step, Place& place, const std::string& path) {
  const Branch* taken = nullptr;
  const auto role = [&](std::string_view wanted) -> const Branch* {
    for (const Branch& branch : step.branches)
      if (branch.role == wanted) return &branch;
    return nullptr;
  };
  if (const std::string condition = text(step, "condition"); !condition.empty()) {
    const auto is_so = holds(condition, place);
    if (!is_so) return Outcome::failed(is_so.error());
    taken = role(*is_so ? "if_true" : "if_false");
  } else {
    for (const Branch& branch : step.branches) {
      if (branch.role != "switch" || taken) continue;
      const auto is_so = holds(branch.when, place);
      if (!is_so) return Outcome::failed(is_so.error());
      if (*is_so) taken = &branch;
    }
    if (!taken) taken = role("otherwise");
  }
  if (!taken) return Outcome::skipped();
  Place inside{.outer = &place, .prefix = path + "/"};
  return block(taken->steps, inside);
}

// --- parallel -----------------------------------------------------------------------------------------------------

std::vector<Error> Interpreter::first_errors(const Parts& parts) {
  const auto first = std::ranges::find_if(parts, [](const Part& each) { return each.outcome.is(End::failed); });
  return first->outcome.errors;
}

Outcome Interpreter::parallel(const Step& step, Place& place, const std::string& path) {
  const std::size_t branches = step.branches.size();
  const std::string strategy = text(step, "wait_strategy");
  const std::int64_t count = number(step, "wait_strategy", 0);
  const bool all = count == 0 && (strategy.empty() || strategy == "all");
  const bool fail_fast = flag(step, "fail_fast", true);
  const std::size_t needed = all                    ? branches
                             : count > 0            ? static_cast<std::size_t>(count)
                             : strategy == "any"    ? 1
                                                    : branches / 2 + 1;
  const auto window = static_cast<std::size_t>(number(step, "max_concurrent", static_cast<std::int64_t>(branches)));
  Parts parts;
  std::size_t stuck = 0, succeeded = 0, failed = 0;
  for (std::size_t i = 0; i < branches && stuck < window; ++i) {
    const bool decided = all ? fail_fast && failed > 0 : succeeded >= needed || branches - failed < needed;
    if (window == 1 && decided) break;
    Place inside{.outer = &place, .prefix = path + "/"};
    parts.push_back(part(static_cast<std::uint32_t>(i), step.branches[i].steps, inside));
    if (parts.back().outcome.is(End::done)) ++succeeded;
    if (parts.back().outcome.is(End::failed)) ++failed;
    if (parts.back().outcome.is(End::hung)) ++stuck;
  }
  return all ? all_branches(step, parts, fail_fast, window == 1) : enough_branches(step, parts, needed, window == 1);
}

Outcome Interpreter::all_branches(const Step& step, const Parts& parts, bool fail_fast, bool in_order) {
  Outcome failed{.end = End::failed, .value = Value(), .errors = {}};
  bool hung = false;
  Object values;
  bool sure = true;
  for (const Part& each : parts) {
    const Outcome& outcome = each.outcome;
    failed.errors.insert(failed.errors.end(), outcome.errors.begin(), outcome.errors.end());
    hung = hung || outcome.is(End::hung);
    sure = sure && outcome.sure;
    values.set(branch_name(step.branches[each.index]), outcome.value);
  }
  const auto failures = std::ranges::count_if(parts, [](const Part& each) { return each.outcome.is(End::failed); });
  if (failures > 0 && (fail_fast || !hung)) {
    if (fail_fast && !in_order)
      for (const Part& each : parts)
        if (failures > 1 || !each.outcome.is(End::failed)) doubt(each);
    if (in_order) failed.errors = first_errors(parts);
    return failed;
  }
  return hung ? Outcome::hung() : Outcome::done(Value(std::move(values)), sure);
}

Outcome Interpreter::enough_branches(const Step& step, const Parts& parts, std::size_t needed, bool in_order) {
  const auto count = [&](End end) {
    return static_cast<std::size_t>(std::ranges::count_if(parts, [&](const Part& each) { return each.outcome.is(end); }));
  };
  const std::size_t branches = step.branches.size(), succeeded = count(End::done), failed = count(End::failed);
  if (succeeded >= needed) {
    const bool choice = succeeded > needed;
    Object values;
    bool sure = !choice;
    for (const Part& each : parts) {
      const bool wins = each.outcome.is(End::done);
      if (wins) values.set(branch_name(step.branches[each.index]), each.outcome.value);
      sure = sure && (!wins || each.outcome.sure);
      if (!in_order && (choice || !wins)) doubt(each);
    }
    return Outcome::done(Value(std::move(values)), sure);
  }
  if (branches - failed >= needed) return Outcome::hung();
  Outcome out{.end = End::failed, .value = Value(), .errors = {}};
  for (const Part& each : parts) {
    const bool loses = each.outcome.is(End::failed);
    if (loses) out.errors.insert(out.errors.end(), each.outcome.errors.begin(), each.outcome.errors.end());
    if (!in_order && (!loses || failed > branches - needed + 1)) doubt(each);
  }
  if (in_order) out.errors = first_errors(parts);
  return out;
}

// --- loop ---------------------------------------------------------------------------------------------------------

Outcome Interpreter::loop(const Step& step, Place& place, const std::string& path) {
  const Value* source = step.fields.find("items");
  if (!source) return one_by_one(step, place, path, nullptr);
  auto items = source->is_text() ? evaluate(source->as_text(), place) : render(*source, place);
  if (!items) return Outcome::failed(items.error());
  Array list;
  if (items->is_integer()) {
    for (std::int64_t i = 0; i < items->as_integer(); ++i) list.emplace_back(i);
  } else if (items->is_object()) {
    for (const auto& [key, value] : items->as_object()) list.push_back(object({{"key", key}, {"value", value}}));
  } else if (items->is_array()) {
    list = items->as_array();
  } else {
    return Outcome::failed(Error(code::invalid_input, "nothing to loop over"));
  }
  const Value listed{std::move(list)};
  const auto window = static_cast<std::size_t>(number(step, "max_concurrent", 1));
  return window > 1 ? side_by_side(step, place, path, listed, window) : one_by_one(step, place, path, &listed);
}

Interpreter::Part Interpreter::iteration(const Step& step, Place& place, const std::string& path, const Value* items,
                                         std::uint32_t index) {
  const std::string named = text(step, "loop_var");
  const std::string variable = named.empty() ? "item" : named;
  Place inside{.outer = &place, .prefix = path + "[" + std::to_string(index) + "]/",
               .locals = object({{Text(variable), items ? items->as_array()[index] : Value(index)},
                                 {Text(variable + "_index"), index}}),
               .keeps_results = true};
  Part out = part(index, step.branches.front().steps, inside);
  if (!out.outcome.is(End::done)) return out;
  if (const std::string collect = text(step, "collect"); !collect.empty() && collect != "none") {
    const auto value = evaluate(collect, inside);
    if (value) out.outcome.value = *value;
    else out.outcome = Outcome::failed(value.error());
  }
  for (const char* enough : {"until", "break_when"}) {
    const std::string expression = text(step, enough);
    if (expression.empty() || out.stop || !out.outcome.is(End::done)) continue;
    const auto is_so = holds(expression, inside);
    if (is_so) out.stop = *is_so;
    else out.outcome = Outcome::failed(is_so.error());
  }
  return out;
}

Outcome Interpreter::collected(const Step& step, const Parts& parts) {
  if (text(step, "collect") == "none") return Outcome::done(Value());
  Array values;
  bool sure = true;
  for (const Part& each : parts) {
    values.push_back(each.outcome.value);
    sure = sure && each.outcome.sure;
  }
  return Outcome::done(Value(std::move(values)), sure);
}

Outcome Interpreter::one_by_one(const Step& step, Place& place, const std::string& path, const Value* items) {
  const std::string condition = text(step, "while");
  const auto most = static_cast<std::uint32_t>(number(step, "max_iterations", 0));
  Parts parts;
  std::vector<Error> errors;
  for (std::uint32_t i = 0; !items || i < items->size(); ++i) {
    if (!condition.empty()) {
      beware_counters(condition);
      const auto goes_on = holds(condition, place);
      if (!goes_on) return Outcome::failed(goes_on.error());
      if (!*goes_on) break;
    }
    if (most > 0 && i >= most) {
      if (text(step, "on_max_iterations") == "stop") break;
      return Outcome::failed(Error(code::resource_exhausted, "max_iterations"));
    }
    parts.push_back(iteration(step, place, path, items, i));
    const Part& last = parts.back();
    if (!ambiguous_.empty()) return Outcome::done(Value());
    if (last.outcome.is(End::hung)) return Outcome::hung();
    if (last.outcome.is(End::failed)) {
      if (flag(step, "fail_fast", true)) return last.outcome;
      if (errors.empty()) errors = last.outcome.errors;
    }
    if (last.stop) break;
  }
  if (!errors.empty()) return {.end = End::failed, .value = Value(), .errors = std::move(errors)};
  return collected(step, parts);
}

Outcome Interpreter::side_by_side(const Step& step, Place& place, const std::string& path, const Value& items,
                                  std::size_t window) {
  const auto most = static_cast<std::size_t>(number(step, "max_iterations", 0));
  const std::size_t count = most > 0 ? std::min(most, items.size()) : items.size();
  Parts parts;
  std::size_t stuck = 0, first_stop = SIZE_MAX, first_hung = SIZE_MAX, failures = 0;
  Outcome failed{.end = End::failed, .value = Value(), .errors = {}};
  for (std::uint32_t i = 0; i < count && stuck < window; ++i) {
    parts.push_back(iteration(step, place, path, &items, i));
    const Part& last = parts.back();
    if (last.outcome.is(End::hung) && ++stuck == 1) first_hung = i;
    if (last.stop) first_stop = std::min<std::size_t>(first_stop, i);
    if (!last.outcome.is(End::failed)) continue;
    ++failures;
    if (i > first_stop) ambiguous("an iteration that may not happen fails");
    failed.errors.insert(failed.errors.end(), last.outcome.errors.begin(), last.outcome.errors.end());
  }
  if (first_hung != SIZE_MAX && first_hung > first_stop) ambiguous("an iteration that may not happen hangs");
  const bool fail_fast = flag(step, "fail_fast", true);
  bool choice = false;  // does timing decide how far it comes?
  for (const Part& each : parts) {
    const bool only_failure = each.outcome.is(End::failed) && failures == 1;
    const bool certain = failures > 0 && fail_fast ? only_failure : each.index <= first_stop;
    if (certain) continue;
    doubt(each);
    choice = true;
  }
  if (failures > 0 && (fail_fast || stuck == 0)) {
    const bool exhausted = !fail_fast && count < items.size() && first_stop == SIZE_MAX;
    if (!exhausted || text(step, "on_max_iterations") == "stop") return failed;
  }
  if (stuck > 0) return Outcome::hung();
  if (count < items.size() && first_stop == SIZE_MAX && text(step, "on_max_iterations") != "stop")
    return Outcome::failed(Error(code::resource_exhausted, "max_iterations"));
  Outcome out = collected(step, parts);
  out.sure = out.sure && !choice;
  return out;
}

}  // namespace mapflow::sim
