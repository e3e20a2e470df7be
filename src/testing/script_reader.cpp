// What is done meanwhile, and what is expected in the end.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "testing/reading.h"

namespace mapflow::testing {

using builder::Node;
namespace mf = builder::mf;

namespace {

using Verb = Action::Verb;

constexpr auto& kVerbs = Action::kVerbs;

/// Which keys go with which verb, beside `at` and `after`.
std::vector<std::string_view> keys_of(Verb verb) {
  switch (verb) {
    case Verb::signal: return {"payload"};
    case Verb::answer: return {"payload", "error"};
    case Verb::skip: return {"payload"};
    case Verb::rewind: return {"before"};
    case Verb::kill: return {"down"};
    default: return {};
  }
}

/// "inventory.reserve" as a part of a call, or that part itself.
Value read_call(TestReading& from, Node node) {
  static constexpr std::array<std::string_view, 9> kKeys{"agent", "action", "step", "path", "workflow", "instance", "attempt", "at", "data"};
  if (node.is_map()) {
    from.expect_keys(node, "a call", kKeys);
    return node.to_value();
  }
  const std::string text = from.reading.text(node, "a call").value_or("");
  const std::size_t dot = text.find('.');
  if (dot == std::string::npos) return object({{"agent", text}});
  return object({{"agent", text.substr(0, dot)}, {"action", text.substr(dot + 1)}});
}

std::optional<Array> read_calls(TestReading& from, Node node) {
  Array calls;
  if (!node.is_list()) {
    from.reading.error(mf::wrong_type, node.mark(), fmt::format("'{}' must be a list of calls", node.key()), "a call is `agent.action` or an object");
    return std::nullopt;
  }
  for (const Node each : node.children()) calls.push_back(read_call(from, each));
  return calls;
}

void read_counts(TestReading& from, Node node, Expectation& into) {
  for (const Node each : node.children()) {
    const std::string name(each.key());
    const std::size_t dot = name.find('.');
    Value call = object({{"agent", name.substr(0, dot)}});
    if (dot != std::string::npos) call.set("action", name.substr(dot + 1));
    into.counts.emplace_back(std::move(call), from.reading.integer(each, name, 0, 1'000'000'000).value_or(0));
  }
}

void read_elapsed(TestReading& from, Node node, Expectation& into) {
  static constexpr std::array<std::string_view, 2> kKeys{"at_least", "at_most"};
  if (!node.is_map()) {
    into.at_least = into.at_most = from.reading.duration(node, "elapsed");
    return;
  }
  from.expect_keys(node, "elapsed", kKeys);
  if (const Node least = node.find("at_least")) into.at_least = from.reading.duration(least, "at_least");
  if (const Node most = node.find("at_most")) into.at_most = from.reading.duration(most, "at_most");
}

void read_assertions(TestReading& from, Node node, Expectation& into) {
  const auto add = [&](Node each) {
    auto expression = from.expression(each, "that");
    if (expression) into.that.push_back({std::string(each.text()), *std::move(expression), from.reading.at(each.mark())});
  };
  if (!node.is_list()) return add(node);
  for (const Node each : node.children()) add(each);
}

std::optional<WorkflowState> read_state(TestReading& from, Node node) {
  static constexpr std::array<std::string_view, 10> kStates{"pending",   "running", "paused",    "suspended",   "compensating",
                                                            "completed", "failed",  "cancelled", "compensated", "timed_out"};
  const auto chosen = from.reading.choice(node, "state", kStates);
  return chosen ? parse_workflow_state(kStates[*chosen]) : std::nullopt;
}

}  // namespace

Action read_action(TestReading& from, Node node) {
  Action action;
  action.where = from.reading.at(node.mark());
  if (!from.reading.expect_map(node, "do")) return action;
  Node said;
  std::vector<std::string_view> known{"at", "after"};
  for (const Node member : node.children())
    if (const auto verb = std::ranges::find(kVerbs, member.key()); verb != kVerbs.end()) {
      if (said) from.reading.error(mf::said_twice, member.key_mark(), fmt::format("'{}' and '{}' are two things to do", said.key(), member.key()), "make each an entry of its own");
      said = member;
      known.push_back(*verb);
      action.verb = static_cast<Verb>(verb - kVerbs.begin());
    }
  if (said) {
    for (const std::string_view key : keys_of(action.verb)) known.push_back(key);
  } else {
    from.reading.error(mf::missing, node.mark(), "nothing says what is done", fmt::format("one of {}", fmt::join(kVerbs, ", ")));
  }
  from.expect_keys(node, "do", known);
  if (said && action.verb == Verb::update) action.payload = said.to_value();
  else if (said && !said.is_null() && !(said.is_scalar() && said.scalar().is_bool())) action.name = from.reading.text(said, said.key()).value_or("");
  if (const Node at = node.find("at")) action.at = from.reading.duration(at, "at");
  if (const Node after = node.find("after")) action.after = from.reading.text(after, "after").value_or("");
  if (const Node payload = node.find("payload")) action.payload = payload.to_value();
  if (const Node before = node.find("before")) action.before = from.reading.text(before, "before").value_or("");
  if (const Node down = node.find("down")) action.down = from.reading.duration(down, "down").value_or(Duration(0));
  if (const Node error = node.find("error")) action.error = Error(code::agent_error, from.reading.text(error, "error").value_or(""));
  return action;
}

Expectation read_expectation(TestReading& from, Node node) {
  static constexpr std::array<std::string_view, 10> kKeys{"state", "refused", "results", "variables", "errors", "calls", "order", "compensations", "elapsed", "that"};
  Expectation expect;
  expect.where = from.reading.at(node.mark());
  if (!from.expect_keys(node, "expect", kKeys)) return expect;
  builder::Reading& reading = from.reading;
  if (const Node state = node.find("state")) expect.state = read_state(from, state);
  if (const Node refused = node.find("refused")) expect.refused = reading.text(refused, "refused").value_or("");
  if (const Node results = node.find("results"); results && reading.expect_map(results, "results")) expect.results = results.to_value();
  if (const Node variables = node.find("variables"); variables && reading.expect_map(variables, "variables")) expect.variables = variables.to_value();
  if (const Node errors = node.find("errors")) {
    if (errors.is_list()) expect.errors = errors.to_value().as_array();
    else reading.error(mf::wrong_type, errors.mark(), "'errors' must be a list");
  }
  if (const Node calls = node.find("calls")) {
    if (calls.is_map()) read_counts(from, calls, expect);
    else expect.calls = read_calls(from, calls);
  }
  if (const Node order = node.find("order")) expect.order = read_calls(from, order);
  if (const Node undone = node.find("compensations")) expect.compensations = reading.texts(undone, "compensations");
  if (const Node elapsed = node.find("elapsed")) read_elapsed(from, elapsed, expect);
  if (const Node that = node.find("that")) read_assertions(from, that, expect);
  return expect;
}

}  // namespace mapflow::testing
