#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "testing/reading.h"

namespace mapflow::testing {

using builder::Node;
namespace mf = builder::mf;

namespace {

constexpr std::array<std::string_view, 4> kWays{"reply", "error", "silent", "pending"};
constexpr std::array<std::string_view, 5> kErrorKeys{"code", "message", "retryable", "retry_after", "details"};
constexpr std::int64_t kMostCalls = 1'000'000;

/// An error as agents write it. One that is only a text is its code.
Value read_error(TestReading& from, Node node) {
  if (!node.is_map()) return object({{"code", from.reading.text(node, "error").value_or("")}, {"message", "as the mock says"}});
  from.expect_keys(node, "error", kErrorKeys);
  Value error = node.to_value();
  if (const Node after = node.find("retry_after")) {
    const auto span = from.reading.duration(after, "retry_after");
    error.set("retry_after", static_cast<double>(span.value_or(Duration(0)).count()) / 1e6);
  }
  return error;
}

MockAnswer read_answer(TestReading& from, Node node) {
  MockAnswer answer;
  std::size_t ways = 0;
  for (const Node member : node.children()) {
    const std::string_view key = member.key();
    if (std::ranges::find(kWays, key) != kWays.end()) ++ways;
    if (key == "reply") answer.content = from.value(member);
    if (key == "delay") answer.delay = from.reading.duration(member, key).value_or(Duration(0));
    if (key == "error") {
      answer.how = MockAnswer::How::error;
      answer.content = from.value(read_error(from, member), member.mark());
    }
    if ((key == "silent" || key == "pending") && from.reading.boolean(member, key).value_or(true))
      answer.how = key == "silent" ? MockAnswer::How::silent : MockAnswer::How::pending;
  }
  if (ways != 1)
    from.reading.error(ways == 0 ? mf::missing : mf::not_allowed, node.mark(),
                       ways == 0 ? "a mock does nothing" : "a mock does several things at once",
                       fmt::format("say one of {}; several answers one after the other are a `sequence`", fmt::join(kWays, ", ")));
  return answer;
}

MockRule read_rule(TestReading& from, Node node) {
  static constexpr std::array<std::string_view, 8> kKeys{"when", "times", "sequence", "delay", "reply", "error", "silent", "pending"};
  static constexpr std::array<std::string_view, 5> kAnswerKeys{"delay", "reply", "error", "silent", "pending"};
  MockRule rule;
  if (!from.expect_keys(node, "a mock", kKeys)) return rule;
  if (const Node when = node.find("when")) rule.when = from.expression(when, "when");
  if (const Node times = node.find("times"))
    rule.times = static_cast<std::uint32_t>(from.reading.integer(times, "times", 1, kMostCalls).value_or(1));
  const Node sequence = node.find("sequence");
  if (!sequence) {
    rule.answers.push_back(read_answer(from, node));
  } else if (!sequence.is_list() || sequence.size() == 0) {
    from.reading.error(mf::wrong_type, sequence.mark(), "'sequence' must be a list of answers");
  } else {
    for (const Node each : sequence.children())
      if (from.expect_keys(each, "an answer", kAnswerKeys)) rule.answers.push_back(read_answer(from, each));
  }
  if (rule.answers.empty()) rule.answers.emplace_back();
  return rule;
}

/// A workflow answers as a child ends, not with its results alone.
void check_outcome(TestReading& from, Node answer) {
  static constexpr std::array<std::string_view, 2> kKeys{"results", "variables"};
  if (const Node reply = answer.find("reply"); reply && !reply.is_scalar()) from.expect_keys(reply, "the reply of a workflow", kKeys);
}

void check_outcomes(TestReading& from, Node mock) {
  if (mock.is_list()) {
    for (const Node rule : mock.children()) check_outcomes(from, rule);
    return;
  }
  if (!mock.is_map()) return;
  check_outcome(from, mock);
  if (const Node sequence = mock.find("sequence"); sequence && sequence.is_list())
    for (const Node answer : sequence.children())
      if (answer.is_map()) check_outcome(from, answer);
}

}  // namespace

Mock read_mock(TestReading& from, Node node) {
  Mock mock;
  if (!node.is_list()) {
    mock.push_back(read_rule(from, node));
    return mock;
  }
  for (const Node each : node.children()) mock.push_back(read_rule(from, each));
  return mock;
}

Mocks read_mocks(TestReading& from, Node node, Mocks base) {
  if (!from.reading.expect_map(node, node.key())) return base;
  for (const Node each : node.children()) base.insert_or_assign(std::string(each.key()), read_mock(from, each));
  return base;
}

Mocks read_workflow_mocks(TestReading& from, Node node, Mocks base) {
  if (node.is_map())
    for (const Node each : node.children()) check_outcomes(from, each);
  return read_mocks(from, node, std::move(base));
}

}  // namespace mapflow::testing
