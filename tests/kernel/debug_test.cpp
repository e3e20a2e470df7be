// Mode debug: breakpoints, single steps, and what templates read.
#include <doctest/doctest.h>

#include <algorithm>

#include "kernel/debugging.h"
#include "kernel/driver.h"
#include "kernel/history.h"
#include "value/json.h"

using namespace mapflow;
using namespace mapflow::testing;

namespace {

Result<Value> echo(const Envelope& in) { return in.data; }

/// Three messages, debugged from the start.
struct Debugged : Driver {
  explicit Debugged(std::vector<std::string> breakpoints)
      : Driver(workflow({message("a", "echo", "{{ n + 1 }}"), message("b", "echo", 2), message("c", "echo", 3)})) {
    agent("echo", echo);
    kernel::Start start;
    start.id = "i1";
    start.input = object({{"n", 1}});
    start.breakpoints = std::move(breakpoints);
    give(std::move(start));
  }
  std::size_t called() const { return sent.size(); }
};

}  // namespace

TEST_CASE("an instance stops before a breakpoint, and resume goes on to the next") {
  Debugged driver({"b", "c"});
  driver.run();
  CHECK(driver.state_name() == WorkflowState::suspended);
  CHECK(driver.state.reason == "stopped before 'b'");
  CHECK(driver.called() == 1);
  driver.crash();
  CHECK(driver.called() == 1);
  driver.give(kernel::Resume{});
  driver.run();
  CHECK(driver.state.reason == "stopped before 'c'");
  driver.give(kernel::Resume{});
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
}

TEST_CASE("one step at a time") {
  Debugged driver({"a"});
  for (std::size_t done = 0; done < 3; ++done) {
    REQUIRE(driver.state_name() == WorkflowState::suspended);
    CHECK(driver.called() == done);
    driver.give(kernel::StepOnce{});
    driver.run();
  }
  CHECK(driver.state_name() == WorkflowState::completed);
  CHECK(driver.give(kernel::StepOnce{}).refused->is(code::invalid_state));
}

TEST_CASE("debugging can begin and end while an instance runs") {
  Driver driver(workflow({message("a", "echo", 1), message("b", "echo", 2), message("c", "echo", 3)}));
  driver.agent("echo", echo);
  driver.start();
  driver.give(kernel::Debug{true, {"b"}});
  driver.run();
  CHECK(driver.state.reason == "stopped before 'b'");
  driver.give(kernel::Debug{false, {}});
  driver.give(kernel::Resume{});
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
}

TEST_CASE("what templates read and gave is recorded, and only while debugged") {
  Debugged driver({});
  driver.run();
  const auto evaluated = std::ranges::count_if(driver.records, [](const auto& each) { return std::holds_alternative<kernel::Evaluated>(each.body); });
  REQUIRE(evaluated == 1);
  for (const auto& each : driver.records) {
    const auto* seen = std::get_if<kernel::Evaluated>(&each.body);
    if (!seen) continue;
    CHECK(seen->source.as_text() == "{{ n + 1 }}");
    CHECK(to_json(seen->names) == R"({"n":1})");
    CHECK(seen->result.as_integer() == 2);
  }
  Driver plain(workflow({message("a", "echo", "{{ 1 + 1 }}")}));
  plain.start();
  CHECK(std::ranges::none_of(plain.records, [](const auto& each) { return std::holds_alternative<kernel::Evaluated>(each.body); }));
}

TEST_CASE("a value too large to be recorded with every template is told by its size") {
  CHECK(kernel::brief(Value(std::string(100, 'x'))).size() == 100);
  CHECK(kernel::brief(Value(std::string(100'000, 'x'))).as_text().starts_with("(string of about 100"));
}
