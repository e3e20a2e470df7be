#include <doctest/doctest.h>

#include "cli/event_line.h"
#include "cli/step_tree.h"
#include "cli/text.h"
#include "model/message.h"

using namespace mapflow;
using namespace mapflow::cli;

namespace {

const Stream kNowhere(-1);

kernel::Event event(std::string type, std::string path, double seconds, Value data = Value(Object{})) {
  kernel::Event out;
  out.at = Timestamp(*duration_from_seconds(seconds));
  out.type = std::move(type);
  out.path = std::move(path);
  out.kind = "message";
  out.data = std::move(data);
  return out;
}

std::vector<std::string> drawn(const StepTree& tree, double seconds, std::size_t rows = 24, std::size_t columns = 80) {
  return tree.draw({.now = Timestamp(*duration_from_seconds(seconds)), .columns = columns, .rows = rows}, kNowhere);
}

Value retry_data(double due) {
  return object({{"attempt", 1}, {"due", format_timestamp(Timestamp(*duration_from_seconds(due)))},
                 {"error", to_value(Error(code::timeout, "no answer"))}});
}

}  // namespace

TEST_CASE("steps that are still to come are there from the beginning") {
  Definition definition;
  for (const char* id : {"first", "second"}) {
    Step step;
    step.id = id;
    step.type = "message";
    definition.steps.push_back(step);
  }
  StepTree tree;
  tree.expect(definition);
  tree.apply(event("step.started", "first", 1));
  CHECK(drawn(tree, 3.5) == std::vector<std::string>{"  ● first   message  2.5s", "  · second  message"});
}

TEST_CASE("a step shows how long it took, and children stand below their parent") {
  StepTree tree;
  tree.apply(event("step.started", "fan", 0));
  tree.apply(event("step.started", "fan/pack", 0));
  tree.apply(event("step.completed", "fan/pack", 1.2));
  CHECK(drawn(tree, 2) == std::vector<std::string>{"  ● fan     message  2.0s", "    ✓ pack  message  1.2s"});
}

TEST_CASE("a retry counts down and says why") {
  StepTree tree;
  tree.apply(event("step.started", "call", 0));
  tree.apply(event("step.retrying", "call", 1, retry_data(4)));
  CHECK(drawn(tree, 2) == std::vector<std::string>{"  ↻ call  message  2.0s     attempt 2 in 2.0s  timeout: no answer"});
  tree.apply(event("step.attempt", "call", 4, object({{"attempt", 2}})));
  CHECK(drawn(tree, 5) == std::vector<std::string>{"  ● call  message  5.0s     attempt 2"});
}

TEST_CASE("iterations are rows of their loop, and of many finished ones only the last are kept") {
  StepTree tree;
  tree.apply(event("step.started", "each", 0));
  for (int i = 0; i < 1000; ++i) {
    const std::string path = "each[" + std::to_string(i) + "]/fetch";
    tree.apply(event("step.started", path, 1));
    tree.apply(event(i == 0 ? "step.failed" : "step.completed", path, 2));
  }
  const auto lines = drawn(tree, 3);
  REQUIRE(lines.size() == 1 + StepTree::kSettledShown);
  CHECK(lines.front().find("994 more done (1 failed)") != std::string::npos);
  CHECK(lines.back().find("[999] fetch") != std::string::npos);
  tree.apply(event("step.completed", "each", 4));
  CHECK(drawn(tree, 5) == std::vector<std::string>{"  ✓ each  message  4.0s     1000 done (1 failed)"});
}

TEST_CASE("where rows are short, finished steps go first and what is left out is told") {
  StepTree tree;
  for (int i = 0; i < 30; ++i) {
    const std::string path = "step_" + std::to_string(i);
    tree.apply(event("step.started", path, 0));
    if (i != 3 && i != 29) tree.apply(event("step.completed", path, 1));
  }
  const auto lines = drawn(tree, 2, 10);
  REQUIRE(lines.size() == 10);
  CHECK(lines.back() == "  … and 21 more steps");
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  CHECK(all.find("step_3 ") != std::string::npos);
  CHECK(all.find("step_29") != std::string::npos);
}

TEST_CASE("no line is wider than the terminal") {
  StepTree tree;
  tree.apply(event("step.started", std::string(200, 'x'), 0));
  tree.apply(event("step.failed", std::string(200, 'x'), 1, object({{"error", to_value(Error("agent_error", std::string(300, 'y')))}})));
  for (const std::size_t columns : {20u, 41u, 80u, 200u})
    for (const std::string& line : drawn(tree, 1, 24, columns)) CHECK(display_width(line) <= columns);
}

TEST_CASE("an instance that was there before is loaded from its document") {
  StepTree tree;
  tree.load(object({{"steps", array({object({{"path", "a"}, {"id", "a"}, {"type", "wait"}, {"state", "completed"}, {"attempt", 1},
                                             {"started_at", "1970-01-01T00:00:01Z"}, {"ended_at", "1970-01-01T00:00:03Z"}})})}}));
  CHECK(drawn(tree, 60) == std::vector<std::string>{"  ✓ a  wait  2.0s"});
}

TEST_CASE("an event is one line, whatever is in it") {
  const auto line = event_line(event("step.retrying", "call\n\x1b[2J", 1, retry_data(4)), Detail::brief, kNowhere);
  CHECK(line.starts_with("00:00:01.000  step.retrying "));
  CHECK(line.find("error=timeout: no answer") != std::string::npos);
  CHECK(line.find('\n') == std::string::npos);
  CHECK(line.find('\x1b') == std::string::npos);
}
