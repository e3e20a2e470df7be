// Checkpoints, and going back to them or to before a step.
#include <doctest/doctest.h>

#include <algorithm>

#include "kernel/driver.h"
#include "kernel/history.h"
#include "value/json.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;

namespace {

Result<Value> echo(const Envelope& in) { return in.data; }

Step checkpointed(Step step, std::string name) {
  step.checkpoint = std::move(name);
  return step;
}

std::vector<std::string> keys(const Driver& driver) {
  std::vector<std::string> found;
  for (const Envelope& each : driver.sent) found.push_back(each.idempotency_key);
  return found;
}

kernel::Place before(std::string step) { return {{}, std::move(step)}; }
kernel::Place checkpoint(std::string name) { return {std::move(name), {}}; }

}  // namespace

TEST_CASE("a rewind to a checkpoint takes back what came after it and runs it again under other keys") {
  Driver driver(workflow({checkpointed(transform("t", "n", 1), "ready"), transform("u", "n", "{{ n + 1 }}"), message("m", "echo", "{{ n }}")}));
  driver.agent("echo", echo);
  driver.start();
  driver.run();
  REQUIRE(driver.state_name() == WorkflowState::completed);
  CHECK(!driver.rewind(checkpoint("ready")).refused);
  CHECK(driver.state_name() == WorkflowState::running);
  CHECK(driver.state.reason == "rewound to checkpoint 'ready'");
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
  CHECK(driver.variable("n")->as_integer() == 2);
  CHECK(keys(driver) == std::vector<std::string>{"i1/m#1", "i1/m#2"});
  CHECK(driver.state.counters.completed == 3);
  CHECK(driver.state.counters.calls == 2);
  CHECK(driver.state.settled.size() == 3);
}

TEST_CASE("a checkpoint can be made from outside, and the newest of a name counts") {
  Driver driver(workflow({message("a", "echo", 1), message("b", "echo", 2)}));
  driver.agent("echo", echo);
  driver.start();
  driver.give(kernel::MakeCheckpoint{"here"});
  driver.answer_one();
  driver.give(kernel::MakeCheckpoint{"here"});
  driver.run();
  CHECK(driver.state.checkpoints.size() == 1);
  driver.rewind(checkpoint("here"));
  driver.run();
  CHECK(keys(driver) == std::vector<std::string>{"i1/a#1", "i1/b#1", "i1/b#2"});
}

TEST_CASE("an instance that waits for its turn has no place to go back to yet") {
  Driver driver(workflow({message("a", "echo", 1)}));
  kernel::Start start;
  start.id = "i1";
  start.queued = true;
  driver.give(std::move(start));
  REQUIRE(driver.state_name() == WorkflowState::pending);
  const kernel::Commit refused = driver.give(kernel::MakeCheckpoint{"early"});
  REQUIRE(refused.refused);
  CHECK(refused.refused->is(code::invalid_state));
  CHECK(driver.state.checkpoints.empty());
}

TEST_CASE("a step that was backing off keeps its attempts through a rewind") {
  Driver driver(workflow({retried(message("a", "shaky", 1), 3)}));
  driver.agent("shaky", [](const Envelope&) -> Result<Value> { return fail(code::unavailable, "down"); });
  driver.start();
  driver.answer_one();
  driver.give(kernel::MakeCheckpoint{"once"});
  driver.rewind(checkpoint("once"));
  driver.run();
  CHECK(driver.state_name() == WorkflowState::failed);
  std::vector<std::uint32_t> attempts;
  for (const Envelope& each : driver.sent) attempts.push_back(each.attempt);
  CHECK(attempts == std::vector<std::uint32_t>{1, 2, 3});
}

TEST_CASE("old checkpoints give way to new ones") {
  Driver driver(workflow({message("a", "nobody")}));
  driver.start();
  for (std::size_t i = 0; i <= kernel::State::kCheckpointsKept; ++i) driver.give(kernel::MakeCheckpoint{"c" + std::to_string(i)});
  CHECK(driver.state.checkpoints.size() == kernel::State::kCheckpointsKept);
  CHECK(driver.state.checkpoints.front().name == "c1");
}

TEST_CASE("a rewind revives a failed instance, and its errors are history") {
  Driver driver(workflow({transform("t", "n", 1), message("m", "flaky")}));
  int calls = 0;
  driver.agent("flaky", [&](const Envelope&) -> Result<Value> { return ++calls == 1 ? Result<Value>(fail("broken", "no")) : Value("well"); });
  driver.start();
  driver.run();
  REQUIRE(driver.state_name() == WorkflowState::failed);
  driver.rewind(before("m"));
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
  CHECK(driver.state.errors.empty());
  CHECK(!driver.state.failure);
  CHECK(keys(driver) == std::vector<std::string>{"i1/m#1", "i1/m#2"});
}

TEST_CASE("an answer to a call that was taken back is not heard") {
  Driver driver(workflow({message("a", "slow")}));
  driver.start();
  const kernel::PlaceCall old = driver.calls.front();
  driver.rewind(before("a"));
  CHECK(driver.dropped.size() == 1);
  REQUIRE(driver.calls.size() == 2);
  driver.give(kernel::CallDone{old.run, old.attempt, Reply{Value("late"), {}}});
  CHECK(driver.state_name() == WorkflowState::running);
  driver.give(kernel::CallDone{driver.calls.back().run, 1, Reply{Value("new"), {}}});
  CHECK(driver.result("a")->as_text() == "new");
}

TEST_CASE("inside a parallel step what had completed stays, and what was alive begins anew") {
  Step fan = with(with(step("parallel", "fan"), branch("steps", {message("a", "echo", 1), message("b", "slow", 2)}, "x")),
                  branch("steps", {message("c", "slow", 3)}, "y"));
  Driver driver(workflow({std::move(fan), message("end", "echo", 4)}));
  driver.agent("echo", echo);
  driver.start();
  driver.run();
  driver.rewind(before("fan/b"));
  driver.crash();
  CHECK(driver.result("a")->as_integer() == 1);
  driver.agent("slow", echo);
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
  CHECK(to_json(*driver.result("fan")) == R"({"x":2,"y":3})");
  const auto sent = keys(driver);
  CHECK(std::ranges::count(sent, "i1/fan/a#1") == 1);
  CHECK(std::ranges::count(sent, "i1/fan/a#2") == 0);
  CHECK(std::ranges::count(sent, "i1/fan/b#2") == 2);  // the second is the delivery after the crash
  CHECK(std::ranges::count(sent, "i1/fan/c#2") == 2);
}

TEST_CASE("an iteration of a loop can be gone back to, and the loop goes on from it") {
  Step each = with(step("loop", "each", object({{"items", "[10, 20, 30]"}, {"loop_var", "x"}})), branch("body", {message("m", "echo", "{{ x }}")}));
  Driver driver(workflow({std::move(each)}));
  driver.agent("echo", echo);
  driver.start();
  driver.run();
  REQUIRE(driver.state_name() == WorkflowState::completed);
  driver.rewind(before("each[1]/m"));
  driver.run();
  CHECK(to_json(*driver.result("each")) == "[10,20,30]");
  CHECK(keys(driver) == std::vector<std::string>{"i1/each[0]/m#1", "i1/each[1]/m#1", "i1/each[2]/m#1", "i1/each[1]/m#2", "i1/each[2]/m#2"});
}

TEST_CASE("a place that was taken back is no place any more") {
  Driver driver(workflow({message("a", "echo", 1), checkpointed(message("b", "echo", 2), "late"), message("c", "slow", 3)}));
  driver.agent("echo", echo);
  driver.start();
  driver.run();
  driver.rewind(before("a"));
  CHECK(driver.state.checkpoints.empty());
  for (const kernel::Place& gone : {before("c"), checkpoint("late"), before("never")}) {
    const auto commit = driver.rewind(gone);
    REQUIRE(commit.refused);
    CHECK(commit.refused->is(code::not_found));
  }
  driver.run();
  CHECK(!driver.rewind(checkpoint("late")).refused);
}

TEST_CASE("a paused instance stays paused through a rewind, so that variables can be set first") {
  Driver driver(workflow({transform("t", "n", "{{ m * 2 }}"), message("m", "echo", "{{ n }}")}));
  driver.agent("echo", echo);
  driver.start(object({{"m", 1}}));
  driver.give(kernel::Pause{});
  driver.rewind(before("t"));
  CHECK(driver.state_name() == WorkflowState::paused);
  CHECK(!driver.rewind(before("t")).refused);  // also from exactly there
  driver.give(kernel::Update{object({{"m", 21}})});
  driver.give(kernel::Resume{});
  driver.run();
  CHECK(driver.result("m")->as_integer() == 42);
}

TEST_CASE("time limits have as much time as they had left at the place") {
  Definition definition = workflow({message("a", "echo", 1), message("b", "slow", 2)});
  definition.timeout = 1h;
  Driver driver(std::move(definition));
  driver.agent("echo", echo);
  driver.start();
  driver.let_pass(10min);
  driver.run(driver.now);
  driver.run();
  REQUIRE(driver.state_name() == WorkflowState::timed_out);
  driver.let_pass(10h);
  driver.rewind(before("b"));
  CHECK(driver.state_name() == WorkflowState::running);
  CHECK(driver.state.deadline - driver.now == 50min);
}

TEST_CASE("signals that nobody took survive a rewind, and one that was taken is not given back") {
  Driver driver(workflow({transform("t", "n", 1), step("wait", "w", object({{"signal", "go"}})), step("wait", "v", object({{"signal", "on"}}))}));
  driver.start();
  driver.give(kernel::Signal{"go", Value(1)});
  driver.give(kernel::Signal{"later", Value(2)});
  driver.rewind(before("w"));
  CHECK(driver.state.signals.contains("later"));
  driver.give(kernel::Signal{"go", Value(3)});
  CHECK(driver.result("w")->as_integer() == 3);
}

TEST_CASE("nobody goes back to a place whose steps were undone since") {
  Step undoable = hooked(message("a", "echo", 1), "compensate", {message("undo", "echo", 0)});
  Driver driver(workflow({transform("t", "n", 1), std::move(undoable), message("b", "bad")}));
  driver.agent("echo", echo);
  driver.agent("bad", [](const Envelope&) -> Result<Value> { return fail("broken", "no"); });
  driver.start();
  driver.run();
  REQUIRE(driver.state_name() == WorkflowState::compensated);
  const auto refused = driver.rewind(before("b")).refused;
  REQUIRE(refused);
  CHECK(refused->is(code::invalid_state));
  CHECK(refused->message.find("'a' was compensated") != std::string::npos);
  CHECK(!driver.rewind(before("a")).refused);
  driver.run();
  CHECK(driver.state_name() == WorkflowState::compensated);
  CHECK(keys(driver) == std::vector<std::string>{"i1/a#1", "i1/b#1", "i1/a/compensate#1", "i1/a#2", "i1/b#2", "i1/a/compensate#2"});
}

TEST_CASE("a retry of a failed instance goes back to the step that failed it, under its former key") {
  Driver driver(workflow({with(step("sequence", "s"), branch("steps", {message("m", "flaky")})), message("n", "echo", 1)}));
  int calls = 0;
  driver.agent("flaky", [&](const Envelope&) -> Result<Value> { return ++calls == 1 ? Result<Value>(fail("broken", "no")) : Value("well"); });
  driver.agent("echo", echo);
  driver.start();
  driver.run();
  REQUIRE(driver.state_name() == WorkflowState::failed);
  const auto place = kernel::place_of_failure(*driver.program, driver.state, "");
  REQUIRE(place);
  CHECK(place->before == "s/m");
  CHECK(kernel::place_of_failure(*driver.program, driver.state, "m")->before == "s/m");
  CHECK(kernel::place_of_failure(*driver.program, driver.state, "n").error().is(code::not_found));
  driver.rewind(*place, true);
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
  CHECK(keys(driver) == std::vector<std::string>{"i1/s/m#1", "i1/s/m#1", "i1/n#1"});
}

TEST_CASE("the story tells of checkpoints and rewinds, and of what was taken back") {
  Driver driver(workflow({checkpointed(transform("t", "n", 1), "ready"), transform("u", "n", 2)}));
  driver.start();
  driver.rewind(checkpoint("ready"));
  CHECK(driver.story() == std::vector<std::string>{"workflow.started", "step.started t", "step.completed t", "checkpoint.created t",
                                                   "step.started u", "step.completed u", "workflow.completed", "workflow.rewound",
                                                   "step.started u", "step.completed u", "workflow.completed"});
  const Value document = kernel::instance_document(*driver.program, driver.state, driver.now);
  CHECK(document.find_path("checkpoints.0.name")->as_text() == "ready");
  CHECK(document.find_path("checkpoints.0.path")->as_text() == "t");
}

TEST_CASE("stores show the same of steps and errors as the document of the instance") {
  Driver driver(workflow({transform("t", "n", 1), transform("u", "n", "{{ unheard_of.name }} \"quoted\"")}));
  driver.start();
  REQUIRE(driver.state_name() == WorkflowState::failed);
  const Value document = kernel::instance_document(*driver.program, driver.state, driver.now);
  const auto details = parse_json(kernel::details_json(*driver.program, driver.state));
  REQUIRE(details);
  CHECK(details->as_object().size() == 2);
  CHECK(details->find("steps")->size() == 2);
  for (const char* part : {"steps", "errors"}) CHECK(*details->find(part) == *document.find(part));
}
