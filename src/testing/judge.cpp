#include "testing/judge.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/message.h"
#include "value/json.h"

namespace mapflow::testing {

namespace {

std::string member_path(const std::string& where, std::string_view key) {
  return where.empty() ? std::string(key) : fmt::format("{}.{}", where, key);
}

void compare(const Value& expected, const Value& found, const std::string& where, std::vector<std::string>& lines) {
  if (expected == Value("*")) return;
  if (expected.is_object() && found.is_object()) {
    for (const auto& [key, value] : expected.as_object()) {
      const Value* const member = found.find(key);
      if (member) compare(value, *member, member_path(where, key), lines);
      else lines.push_back(member_path(where, key) + ": missing");
    }
    return;
  }
  if (expected.is_array() && found.is_array() && expected.size() == found.size()) {
    for (std::size_t i = 0; i < expected.size(); ++i) compare(expected.as_array()[i], found.as_array()[i], fmt::format("{}[{}]", where, i), lines);
    return;
  }
  if (!(expected == found)) lines.push_back(fmt::format("{}: {} instead of {}", where, to_json(found), to_json(expected)));
}

bool is_like(const Value& part, const Value& whole) {
  std::vector<std::string> lines;
  compare(part, whole, {}, lines);
  return lines.empty();
}

/// "inventory.reserve", or what else was said of the call.
std::string call_text(const Value& part) {
  const Value* const agent = part.find("agent");
  const Value* const action = part.find("action");
  const bool plain = agent && agent->is_text() && part.size() == (action ? 2u : 1u);
  if (!plain) return to_json(part);
  return std::string(agent->as_text()) + (action && action->is_text() ? "." + std::string(action->as_text()) : "");
}

std::string list_of(const std::vector<MadeCall>& calls) {
  if (calls.empty()) return "\n  none";
  constexpr std::size_t kShown = 40;
  std::string text;
  for (std::size_t i = 0; i < std::min(calls.size(), kShown); ++i) text += fmt::format("\n  {} {}", calls[i].to_string(), to_json(calls[i].data));
  if (calls.size() > kShown) text += fmt::format("\n  and {} more", calls.size() - kShown);
  return text;
}

class Judge {
 public:
  Judge(const Expectation& expect, const Outcome& outcome) : expect_(expect), outcome_(outcome) {}

  std::vector<std::string> findings() {
    for (const std::string& problem : outcome_.problems) add(problem);
    judge_end();
    if (outcome_.refused) return std::move(findings_);
    judge_part("results", expect_.results);
    judge_part("variables", expect_.variables);
    if (expect_.errors) judge_list("errors", Value(*expect_.errors), member("errors"));
    judge_calls();
    if (expect_.compensations && *expect_.compensations != outcome_.compensations)
      add(fmt::format("compensations: [{}] instead of [{}]", fmt::join(outcome_.compensations, ", "), fmt::join(*expect_.compensations, ", ")));
    judge_elapsed();
    judge_assertions();
    return std::move(findings_);
  }

 private:
  void add(std::string finding) { findings_.push_back(std::move(finding)); }
  Value member(std::string_view name) const {
    const Value* const found = outcome_.document.find(name);
    return found ? *found : Value();
  }

  void judge_end() {
    if (outcome_.refused) {
      if (!outcome_.refused->is(expect_.refused)) add("the start was refused: " + outcome_.refused->to_string());
      return;
    }
    if (!expect_.refused.empty()) add(fmt::format("it was started, and not refused with {}", expect_.refused));
    if (!expect_.state || *expect_.state == outcome_.state) return;
    std::string text = fmt::format("state: {} instead of {}", to_string(outcome_.state), to_string(*expect_.state));
    if (const Value reason = member("reason"); reason.is_text() && reason.size() > 0) text += fmt::format(" ({})", reason.as_text());
    if (const Value errors = member("errors"); errors.is_array())
      for (const Value& error : errors.as_array()) text += "\n  " + error_from_value(error).to_string();
    add(std::move(text));
  }

  void judge_part(std::string_view name, const Value& expected) {
    if (expected.is_null()) return;
    for (std::string& line : differences(expected, member(name), std::string(name))) add(std::move(line));
  }
  void judge_list(std::string_view name, const Value& expected, const Value& found) {
    if (!found.is_array() || found.size() != expected.size()) return add(fmt::format("{}: {} instead of {}", name, to_json(found), to_json(expected)));
    for (std::string& line : differences(expected, found, std::string(name))) add(std::move(line));
  }

  void judge_calls() {
    if (expect_.calls && !fits_exactly(*expect_.calls)) add(fmt::format("calls: expected are{}\nbut there were{}", wanted(*expect_.calls), list_of(outcome_.calls)));
    for (const auto& [call, count] : expect_.counts) {
      const auto made = std::ranges::count_if(outcome_.calls, [&call](const MadeCall& each) { return is_like(call, each.to_value()); });
      if (made != count) add(fmt::format("calls of {}: {} instead of {}", call_text(call), made, count));
    }
    if (expect_.order && !comes_in_order(*expect_.order)) add(fmt::format("order: expected is{}\nbut the calls were{}", wanted(*expect_.order), list_of(outcome_.calls)));
  }
  bool fits_exactly(const Array& calls) const {
    return std::ranges::equal(calls, outcome_.calls, [](const Value& part, const MadeCall& call) { return is_like(part, call.to_value()); });
  }
  bool comes_in_order(const Array& calls) const {
    auto wanted = calls.begin();
    for (const MadeCall& call : outcome_.calls)
      if (wanted != calls.end() && is_like(*wanted, call.to_value())) ++wanted;
    return wanted == calls.end();
  }
  static std::string wanted(const Array& calls) {
    std::string text;
    for (const Value& call : calls) text += "\n  " + call_text(call);
    return calls.empty() ? "\n  none" : text;
  }

  void judge_elapsed() {
    const auto tell = [&](std::string_view bound, Duration limit) {
      add(fmt::format("elapsed: {}, not {} {}", format_duration(outcome_.elapsed), bound, format_duration(limit)));
    };
    if (expect_.at_least == expect_.at_most && expect_.at_least) {
      if (outcome_.elapsed != *expect_.at_least) tell("exactly", *expect_.at_least);
      return;
    }
    if (expect_.at_least && outcome_.elapsed < *expect_.at_least) tell("at least", *expect_.at_least);
    if (expect_.at_most && outcome_.elapsed > *expect_.at_most) tell("at most", *expect_.at_most);
  }

  void judge_assertions() {
    if (expect_.that.empty()) return;
    Value names = outcome_.document;
    Value calls(Array{}), undone(Array{});
    for (const MadeCall& call : outcome_.calls) calls.push_back(call.to_value());
    for (const std::string& step : outcome_.compensations) undone.push_back(step);
    names.set("calls", std::move(calls));
    names.set("compensations", std::move(undone));
    names.set("elapsed", static_cast<double>(outcome_.elapsed.count()) / 1e6);
    const jinja::ValueScope scope(std::move(names));
    for (const Assertion& assertion : expect_.that) {
      const auto holds = assertion.expression.test(scope);
      if (!holds) add(fmt::format("that: {}: {}", assertion.text, holds.error().to_string()));
      else if (!*holds) add(fmt::format("that: {} is not so", assertion.text));
    }
  }

  const Expectation& expect_;
  const Outcome& outcome_;
  std::vector<std::string> findings_;
};

}  // namespace

std::vector<std::string> differences(const Value& expected, const Value& found, const std::string& where) {
  std::vector<std::string> lines;
  compare(expected, found, where, lines);
  return lines;
}

std::vector<std::string> judge(const Expectation& expect, const Outcome& outcome) { return Judge(expect, outcome).findings(); }

}  // namespace mapflow::testing
