#include "sim/verdict.h"

#include <fmt/format.h>

#include <algorithm>

#include "value/json.h"

namespace mapflow::sim {

namespace {

using Problems = std::vector<std::string>;

void compare_counts(Problems& problems, const char* what, const std::map<std::string, Range>& expected,
                    const std::map<std::string, std::uint32_t>& found) {
  for (const auto& [key, range] : expected) {
    const auto seen = found.find(key);
    const std::uint32_t count = seen == found.end() ? 0 : seen->second;
    if (count < range.least || count > range.most)
      problems.push_back(fmt::format("{} '{}' {} times, not {} to {}", what, key, count, range.least, range.most));
  }
  for (const auto& [key, count] : found)
    if (!expected.contains(key)) problems.push_back(fmt::format("{} '{}', which was not foreseen", what, key));
}

void compare_value(Problems& problems, const std::string& what, const Alternatives& expected, const Value* found) {
  if (!found) {
    if (!expected.absent) problems.push_back(what + " is missing");
    return;
  }
  if (expected.any || std::ranges::find(expected.values, *found) != expected.values.end()) return;
  std::string wanted;
  for (const Value& each : expected.values) wanted += (wanted.empty() ? "" : " or ") + to_json(each);
  problems.push_back(fmt::format("{} is {}, not {}", what, to_json(*found), wanted));
}

}  // namespace

std::vector<std::string> judge(const Expectation& expected, const kernel::State& ended, const Calls& calls, std::uint32_t rewinds) {
  Problems problems;
  if (!expected.states.contains(ended.state)) {
    std::string wanted;
    for (const WorkflowState state : expected.states) wanted += (wanted.empty() ? "" : " or ") + std::string(to_string(state));
    problems.push_back(fmt::format("the instance ended {} ({}), not {}", to_string(ended.state), ended.reason, wanted));
  }
  for (const auto& [id, alternatives] : expected.results)
    compare_value(problems, "result of " + id, alternatives, ended.results.find(id));
  if (ended.results.is_object())
    for (const auto& [id, value] : ended.results.as_object())
      if (!expected.results.contains(std::string(id.view())))
        problems.push_back(fmt::format("result of {} was not foreseen: {}", id.view(), to_json(value)));
  for (const auto& [name, alternatives] : expected.variables)
    compare_value(problems, "variable " + name, alternatives, ended.variables.find_path(name));

  std::map<std::string, std::uint32_t> made, errors, undone;
  for (const auto& [name, keys] : calls) made[name] = static_cast<std::uint32_t>(keys.size());
  for (const Error& error : ended.errors) ++errors[error.code];
  for (const kernel::Undo& undo : ended.undo)
    if (undo.state == kernel::UndoState::done || undo.state == kernel::UndoState::failed) ++undone[undo.path];
  std::map<std::string, Range> calls_expected = expected.calls;
  for (auto& [name, range] : calls_expected) range.most *= 1 + rewinds;
  compare_counts(problems, "called", calls_expected, made);
  compare_counts(problems, "error", expected.errors, errors);
  compare_counts(problems, "compensated", expected.undone, undone);
  return problems;
}

}  // namespace mapflow::sim
