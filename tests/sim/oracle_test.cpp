// The oracle and the kernel, which share no code, must agree; and the oracle must be right where it can be told by hand.
#include <doctest/doctest.h>

#include <map>

#include "sim/generator.h"
#include "sim/kernel_check.h"

using namespace mapflow;
using namespace mapflow::sim;

namespace {

Step message(std::string id, Value data = object({})) {
  Step step;
  step.id = std::move(id);
  step.type = "message";
  step.fields = object({{"destination", "alpha"}, {"data", std::move(data)}});
  return step;
}

Branch branch(std::string role, Block steps) {
  Branch out;
  out.role = std::move(role);
  out.steps = std::move(steps);
  return out;
}

Scenario scenario(Block steps) {
  Scenario out;
  out.definition.id = "by_hand";
  out.definition.steps = std::move(steps);
  out.script.seed = 1;
  return out;
}

Role failing() { return {.shape = Role::Shape::number, .fails_percent = 100, .silent_percent = 0, .last_failure = 255}; }

}  // namespace

TEST_CASE("the kernel does what the oracle foresaw, through crashes after any decision") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const KernelOutcome outcome = check_kernel(seed);
    CHECK_MESSAGE(outcome.problems.empty(), "sim --kernel --seed ", seed, ": ", outcome.problems.empty() ? "" : outcome.problems.front());
  }
}

TEST_CASE("a step that fails is tried as often as its policy says, then the workflow fails and is undone") {
  Step first = message("first");
  first.hooks.push_back(branch("compensate", {message("undo")}));
  Step second = message("second");
  second.retry = RetryPolicy{.strategy = RetryStrategy::immediate, .max_attempts = 3, .retry_on = {"unavailable", "rate_limited", "agent_error", "busy", "invalid_input"}};
  Scenario world = scenario({first, second});
  world.script.roles["second"] = failing();
  const Expectation expected = foresee(world);
  CHECK(expected.ambiguous.empty());
  CHECK(expected.states == std::set{WorkflowState::compensated});
  for (std::uint32_t attempt = 1; attempt <= 3; ++attempt) CHECK(expected.calls.at(call_name("second", attempt, object({}))).least == 1);
  CHECK(!expected.calls.contains(call_name("second", 4, object({}))));
  CHECK(expected.calls.at(call_name("first/compensate", 1, object({}))).least == 1);
  CHECK(expected.undone.at("first").least == 1);
}

TEST_CASE("when one of several branches fails fast, the others may have happened or not") {
  Step fan;
  fan.id = "fan";
  fan.type = "parallel";
  fan.fields = object({});
  fan.branches = {branch("steps", {message("good")}), branch("steps", {message("bad")})};
  Scenario world = scenario({fan});
  world.script.roles["bad"] = failing();
  const Expectation expected = foresee(world);
  CHECK(expected.states == std::set{WorkflowState::failed});
  CHECK(expected.calls.at(call_name("fan/bad", 1, object({}))).least == 1);
  CHECK(expected.calls.at(call_name("fan/good", 1, object({}))).least == 0);
  CHECK(expected.calls.at(call_name("fan/good", 1, object({}))).most == 1);
}

TEST_CASE("a workflow that waits for ever cannot be judged, unless it has a time limit") {
  Step wait;
  wait.id = "wait";
  wait.type = "wait";
  wait.fields = object({{"signal", "never"}});
  Scenario world = scenario({wait});
  CHECK(!foresee(world).ambiguous.empty());
  world.definition.timeout = std::chrono::minutes(10);
  const Expectation expected = foresee(world);
  CHECK(expected.ambiguous.empty());
  CHECK(expected.states == std::set{WorkflowState::timed_out});
}

TEST_CASE("an answer that does not fit fails a call that is answered at once, and is nothing to one that is answered by token") {
  const auto expecting = [](std::string agent) {
    Step ask = message("ask");
    ask.fields.set("destination", std::move(agent));
    ask.fields.set("expect", schema_of(Role::Shape::number));
    Scenario world = scenario({ask});
    world.script.roles["ask"] = {.misfit_percent = 100};
    return foresee(world);
  };
  const Expectation at_once = expecting("alpha"), by_token = expecting("delta");
  CHECK(at_once.states == std::set{WorkflowState::failed});
  CHECK(at_once.errors.at("invalid_output").least == 1);
  CHECK(by_token.states == std::set{WorkflowState::completed});
  CHECK(by_token.errors.empty());
}

TEST_CASE("an answer that comes when the time is up changes nothing") {
  Step ask = message("ask");
  ask.fields.set("destination", "delta");
  ask.timeout = std::chrono::minutes(2);
  Scenario world = scenario({ask});
  world.script.roles["ask"] = {.silent_percent = 100, .late = true};
  CHECK(world.script.answer("ask", "ask", 1, object({})).too_late.has_value());
  CHECK(foresee(world).errors.at("timeout").least == 1);
}

TEST_CASE("a handler that falls silent is given up when a heartbeat is missing") {
  Step work;
  work.id = "work";
  work.type = "custom";
  work.fields = object({{"handler", "patient"}, {"heartbeat", "2m"}});
  Scenario world = scenario({work});
  world.script.roles["work"] = {.silent_percent = 100};
  const Expectation expected = foresee(world);
  CHECK(expected.ambiguous.empty());
  CHECK(expected.errors.at("timeout").least == 1);
  CHECK(expected.longest > std::chrono::minutes(2));
}

TEST_CASE("generated scenarios use every kind and its options, and meet every end") {
  std::map<std::string, int> kinds, options;
  std::map<WorkflowState, int> ends;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const Generated made = generate(seed);
    for_each_step(made.scenario.definition, [&](const Step& step, const std::string&) {
      ++kinds[step.type];
      if (!step.checkpoint.empty()) ++options["checkpoint"];
      if (step.retry && step.retry->strategy == RetryStrategy::custom) ++options["custom retry"];
      if (step.fields.is_object())
        for (const auto& [name, value] : step.fields.as_object()) ++options[std::string(name.view())];
    });
    for (const WorkflowState state : made.expected.states) ++ends[state];
  }
  for (const char* kind : {"message", "custom", "transform", "aggregate", "conditional", "parallel", "loop", "wait", "sequence"})
    CHECK_MESSAGE(kinds[kind] > 20, kind);
  for (const char* option :
       {"expect", "wait_for_response", "priority", "headers", "action", "heartbeat", "assert", "wait_strategy", "fail_fast",
        "max_concurrent", "while", "until", "collect", "break_when", "max_iterations", "on_max_iterations", "duration", "condition", "check_interval", "signal", "where", "by",
        "quorum", "tie_break", "expression", "reducer", "on_missing", "checkpoint", "custom retry"})
    CHECK_MESSAGE(options[option] > 0, option);
  for (const WorkflowState state : {WorkflowState::completed, WorkflowState::failed, WorkflowState::compensated, WorkflowState::timed_out})
    CHECK_MESSAGE(ends[state] >= 3, to_string(state));
}
