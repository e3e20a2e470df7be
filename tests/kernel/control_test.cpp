// Pause, resume, cancel, crashes and compensation.
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

Step undoable(std::string id, Value data) {
  return hooked(message(id, "echo", std::move(data)), "compensate", {message("undo_" + id, "undo", "{{ original.result }}")});
}

std::vector<std::string> calls_to(const Driver& driver, std::string_view step_prefix) {
  std::vector<std::string> found;
  for (const Envelope& each : driver.sent)
    if (each.step.starts_with(step_prefix)) found.push_back(to_json(each.data));
  return found;
}

}  // namespace

TEST_CASE("a paused instance keeps results that come in and starts nothing new") {
  Driver driver(workflow({message("a", "echo", 1), message("b", "echo", 2)}));
  driver.agent("echo", echo);
  driver.start();
  driver.give(kernel::Pause{});
  driver.give(kernel::Pause{});  // the same again is fine
  driver.run();
  CHECK(driver.state_name() == WorkflowState::paused);
  CHECK(driver.result("a")->as_integer() == 1);
  CHECK(driver.sent.size() == 1);
  driver.give(kernel::Resume{});
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
}

TEST_CASE("pausing stops the workflow's clock but not a wait's due time") {
  Definition definition = workflow({step("wait", "w", object({{"duration", "1h"}}))});
  definition.timeout = 2h;
  Driver driver(std::move(definition));
  driver.start();
  driver.give(kernel::Pause{});
  driver.let_pass(10h);
  driver.give(kernel::Tick{});
  CHECK(driver.state_name() == WorkflowState::paused);
  driver.give(kernel::Resume{});
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
}

TEST_CASE("a request that does not fit the state is refused by name and changes nothing") {
  Driver driver(workflow({transform("t", "x", 1)}));
  driver.start();
  REQUIRE(driver.state_name() == WorkflowState::completed);
  const std::string before = fingerprint(driver.state);
  for (const kernel::Input& input : std::initializer_list<kernel::Input>{
           kernel::Pause{}, kernel::Resume{}, kernel::Cancel{}, kernel::Terminate{}, kernel::Signal{"x", {}}}) {
    const auto commit = driver.give(input);
    REQUIRE(commit.refused);
    CHECK(commit.refused->is(code::invalid_state));
    CHECK(commit.refused->message.find("completed") != std::string::npos);
    CHECK(commit.records.empty());
  }
  CHECK(fingerprint(driver.state) == before);
}

TEST_CASE("a failed workflow is undone in reverse order, with what each step was given and gave") {
  Driver driver(workflow({undoable("a", 1), undoable("b", 2), message("c", "bad")}));
  driver.agent("echo", echo);
  driver.agent("undo", echo);
  driver.agent("bad", [](const Envelope&) -> Result<Value> { return fail("broken", "no"); });
  driver.start();
  driver.run();
  CHECK(driver.state_name() == WorkflowState::compensated);
  CHECK(driver.state.errors[0].is("broken"));
  CHECK(calls_to(driver, "undo_") == std::vector<std::string>{"2", "1"});
  CHECK(driver.sent.back().path == "a/compensate");
  CHECK(driver.result("a")->as_integer() == 1);  // results stay visible
}

TEST_CASE("compensation goes forward, in parallel, by its own steps, or not at all, as the strategy says") {
  const auto run = [](CompensationStrategy strategy) {
    Definition definition = workflow({undoable("a", 1), undoable("b", 2), message("c", "bad")});
    definition.compensation_strategy = strategy;
    definition.compensation_steps = {message("undo_all", "undo", "{{ compensations | map(attribute='step') | list }}")};
    auto driver = std::make_unique<Driver>(std::move(definition));
    driver->agent("echo", echo);
    driver->agent("bad", [](const Envelope&) -> Result<Value> { return fail("broken", "no"); });
    driver->start();
    driver->run();
    const std::size_t at_once = driver->calls.size();
    driver->agent("undo", echo);
    driver->run();
    return std::tuple(driver->state_name(), calls_to(*driver, "undo_"), at_once);
  };
  using Lines = std::vector<std::string>;
  CHECK(run(CompensationStrategy::none) == std::tuple(WorkflowState::failed, Lines{}, 0u));
  CHECK(run(CompensationStrategy::forward) == std::tuple(WorkflowState::compensated, Lines{"1", "2"}, 1u));
  CHECK(run(CompensationStrategy::parallel) == std::tuple(WorkflowState::compensated, Lines{"1", "2"}, 2u));
  CHECK(run(CompensationStrategy::custom) == std::tuple(WorkflowState::compensated, Lines{R"(["a","b"])"}, 1u));
}

TEST_CASE("a compensation that fails leaves the workflow failed with both errors, and the rest is still tried") {
  Driver driver(workflow({undoable("a", 1), undoable("b", 2), message("c", "bad")}));
  driver.agent("echo", echo);
  driver.agent("bad", [](const Envelope&) -> Result<Value> { return fail("broken", "no"); });
  driver.agent("undo", [](const Envelope& in) -> Result<Value> {
    if (in.data == Value(2)) return fail("stuck", "cannot undo");
    return in.data;
  });
  driver.start();
  driver.run();
  CHECK(driver.state_name() == WorkflowState::failed);
  CHECK(driver.state.errors[0].is("broken"));
  CHECK(driver.state.errors[1].is("stuck"));
  CHECK(calls_to(driver, "undo_") == std::vector<std::string>{"2", "1"});
}

TEST_CASE("a compensation that would suspend on its error fails instead, so that the undoing comes to its end") {
  Step undo = message("undo_a", "undo");
  undo.on_error = OnError::suspend;
  Driver driver(workflow({hooked(message("a", "echo", 1), "compensate", {undo}), message("b", "bad")}));
  driver.agent("echo", echo);
  for (const char* name : {"bad", "undo"})
    driver.agent(name, [](const Envelope&) -> Result<Value> { return fail("broken", "no"); });
  driver.start();
  driver.run();
  CHECK(driver.state_name() == WorkflowState::failed);
}

TEST_CASE("iterations and branches that were done are undone, with their own loop variable") {
  Step each = with(step("loop", "each", object({{"items", array({1, 2, 3})}})),
                   branch("body", {hooked(message("take", "maybe", "{{ item }}"), "compensate", {message("undo_take", "undo", "{{ item }}")})}));
  Driver driver(workflow({each}));
  driver.agent("maybe", [](const Envelope& in) -> Result<Value> {
    if (in.data == Value(3)) return fail("broken", "no");
    return in.data;
  });
  driver.agent("undo", echo);
  driver.start();
  driver.run();
  CHECK(driver.state_name() == WorkflowState::compensated);
  CHECK(calls_to(driver, "undo_") == std::vector<std::string>{"2", "1"});
  CHECK(driver.sent.back().path == "each[0]/take/compensate");
}

TEST_CASE("cancel gives up what runs, then undoes what was done; terminate undoes nothing") {
  const auto begun = [] {
    auto driver = std::make_unique<Driver>(workflow({undoable("a", 1), message("b", "nobody")}));
    driver->agent("echo", echo);
    driver->agent("undo", echo);
    driver->start();
    driver->run();
    return driver;
  };
  auto cancelled = begun();
  cancelled->give(kernel::Cancel{"changed my mind"});
  cancelled->run();
  CHECK(cancelled->state_name() == WorkflowState::compensated);
  CHECK(cancelled->state.errors[0].is(code::cancelled));
  CHECK(cancelled->dropped.size() == 1);

  auto terminated = begun();
  terminated->give(kernel::Terminate{});
  terminated->run();
  CHECK(terminated->state_name() == WorkflowState::cancelled);
  CHECK(terminated->state.reason == "terminated");
  CHECK(calls_to(*terminated, "undo_").empty());

  auto nothing_done = std::make_unique<Driver>(workflow({message("b", "nobody")}));
  nothing_done->start();
  nothing_done->give(kernel::Cancel{});
  CHECK(nothing_done->state_name() == WorkflowState::cancelled);
}

TEST_CASE("on_error: suspend parks the instance; resuming tries the step again") {
  Step fragile = message("a", "sometimes", 5);
  fragile.on_error = OnError::suspend;
  Driver driver(workflow({fragile}));
  bool works = false;
  driver.agent("sometimes", [&](const Envelope& in) -> Result<Value> {
    if (!works) return fail(code::unavailable, "down");
    return in.data;
  });
  driver.start();
  driver.run();
  CHECK(driver.state_name() == WorkflowState::suspended);
  CHECK(driver.state.reason.find("'a'") != std::string::npos);
  works = true;
  driver.crash();
  driver.give(kernel::Resume{});
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
}

TEST_CASE("a call in flight when the engine dies is made again: same key, same attempt, next delivery") {
  Driver driver(workflow({message("a", "slow", 1)}));
  driver.start();
  driver.crash();
  REQUIRE(driver.sent.size() == 2);
  CHECK(driver.sent[0].idempotency_key == driver.sent[1].idempotency_key);
  CHECK(driver.sent[1].attempt == 1);
  CHECK(driver.sent[1].delivery == 2);
  CHECK(driver.sent[0].id != driver.sent[1].id);
}

TEST_CASE("a call that kills the engine again and again is given up as poison") {
  Driver driver(workflow({message("a", "killer")}));
  driver.start();
  for (int i = 0; i < 20 && driver.state_name() == WorkflowState::running; ++i) driver.crash();
  CHECK(driver.state_name() == WorkflowState::failed);
  CHECK(driver.state.errors[0].is(code::poison));
  CHECK(driver.sent.size() == 10);
}

TEST_CASE("late and doubled answers change nothing") {
  Driver driver(workflow({retried(message("a", "slow", 1), 2), message("b", "slow", 2)}));
  driver.start();
  const kernel::PlaceCall first = driver.calls.front();
  driver.give(kernel::CallDone{first.run, first.attempt, fail(code::unavailable, "no")});
  driver.run();
  const std::string before = fingerprint(driver.state);
  driver.give(kernel::CallDone{first.run, first.attempt, Reply{Value("late"), {}}});
  CHECK(fingerprint(driver.state) == before);
  const kernel::PlaceCall second = driver.calls.back();
  driver.give(kernel::CallDone{second.run, second.attempt, Reply{Value("ok"), {}}});
  const std::string after = fingerprint(driver.state);
  driver.give(kernel::CallDone{second.run, second.attempt, Reply{Value("again"), {}}});
  CHECK(fingerprint(driver.state) == after);
  CHECK(driver.result("a")->as_text() == "ok");
}

TEST_CASE("a composite that is retried runs its steps as a new execution") {
  Step group = retried(with(step("sequence", "group"), branch("steps", {message("a", "echo", 1), message("b", "flaky", 2)})), 2);
  Driver driver(workflow({group}));
  int asked = 0;
  driver.agent("echo", echo);
  driver.agent("flaky", [&](const Envelope& in) -> Result<Value> {
    if (++asked == 1) return fail(code::unavailable, "no");
    return in.data;
  });
  driver.start();
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
  REQUIRE(driver.sent.size() == 4);
  CHECK(driver.sent[0].idempotency_key == "i1/group/a#1");
  CHECK(driver.sent[2].idempotency_key == "i1/group/a#2");
}

TEST_CASE("an instance that crashes after every commit still reaches the end it would have reached") {
  const auto definition = [] {
    Step each = with(step("loop", "each", object({{"items", "{{ range(4) | list }}"}, {"max_concurrent", 2}})),
                     branch("body", {retried(message("call", "flaky", "{{ item }}"), 3)}));
    Step fan = with(with(step("parallel", "fan"), branch("steps", {undoable("x", 1)})),
                    branch("steps", {step("wait", "nap", object({{"duration", "5s"}})), message("y", "echo", 2)}));
    return workflow({each, fan, transform("sum", "total", "{{ results.each | sum }}")});
  };
  const auto play = [&](bool crashing) {
    auto driver = std::make_unique<Driver>(definition());
    driver->limits.deliveries = 1000;
    driver->agent("echo", echo);
    driver->agent("flaky", [](const Envelope& in) -> Result<Value> {
      if (in.attempt == 1) return fail(code::unavailable, "first one never works");
      return in.data;
    });
    driver->start();
    for (int i = 0; i < 500 && !is_terminal(driver->state_name()); ++i) {
      if (crashing) driver->crash();
      if (!driver->answer_one()) {
        driver->now = std::max(driver->now, driver->state.wake_at());
        driver->give(kernel::Tick{});
      }
    }
    return to_json(driver->state.variables) + to_json(driver->state.results) + std::string(to_string(driver->state_name()));
  };
  const std::string calm = play(false);
  CHECK(calm == play(true));
  CHECK(calm.find("\"total\":6") != std::string::npos);
}

TEST_CASE("bytes that do not read back are corrupt, wherever they break") {
  Driver driver(workflow({undoable("a", object({{"k", array({1, 2.5, "x", Value(), true})}}))}));
  driver.agent("echo", echo);
  driver.start();
  driver.run();
  const std::string whole = kernel::encode_state(driver.state);
  for (std::size_t cut = 0; cut < whole.size(); ++cut) CHECK_FALSE(kernel::decode_state(std::string_view(whole).substr(0, cut)));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 0xFF);
    (void)kernel::decode_state(flipped);  // any outcome but a crash
  }
}

// --- mending ------------------------------------------------------------------------------------------------------

namespace {

Definition suspending() {
  Step a = message("a", "sick");
  a.on_error = OnError::suspend;
  return workflow({a, message("b", "echo", Value("{{ results.a }}"))});
}

Driver suspended() {
  Driver driver(suspending());
  driver.agent("sick", [](const Envelope&) -> Result<Value> { return fail(code::unavailable, "no"); });
  driver.agent("echo", [](const Envelope& in) -> Result<Value> { return in.data; });
  driver.start();
  driver.run();
  REQUIRE(driver.state_name() == WorkflowState::suspended);
  return driver;
}

}  // namespace

TEST_CASE("a step that suspended its instance can be tried again") {
  Driver driver = suspended();
  driver.agent("sick", [](const Envelope&) -> Result<Value> { return Value("well"); });
  CHECK(!driver.give(kernel::Retry{"a"}).refused);
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
  CHECK(to_json(*driver.result("b")) == R"("well")");
}

TEST_CASE("a step that suspended its instance can be skipped, with a result in its place") {
  Driver driver = suspended();
  CHECK(!driver.give(kernel::Skip{"a", Value("instead")}).refused);
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
  CHECK(to_json(*driver.result("b")) == R"("instead")");
}

TEST_CASE("a waiting step can be skipped, and one that backs off can be tried at once") {
  Driver driver(workflow({step("wait", "w", object({{"signal", "never"}})), retried(message("a", "sick"), 9, 1h)}));
  driver.agent("sick", [](const Envelope&) -> Result<Value> { return fail(code::unavailable, "no"); });
  driver.start();
  CHECK(!driver.give(kernel::Skip{"w", Value()}).refused);
  driver.run(driver.now + 30s);
  CHECK(driver.sent.size() == 1);
  CHECK(!driver.give(kernel::Retry{"a"}).refused);
  driver.run(driver.now + 30s);
  CHECK(driver.sent.size() == 2);
}

TEST_CASE("requests that name no living step, or several, are refused") {
  Driver driver = suspended();
  CHECK(driver.give(kernel::Retry{"b"}).refused->is(code::not_found));
  CHECK(driver.give(kernel::Skip{"nobody", Value()}).refused->is(code::not_found));
  const Value two = parse_json(R"({"items":[1,2],"max_concurrent":2})").value();
  Driver loop(workflow({with(step("loop", "each", two), branch("body", {message("m", "none")}))}));
  loop.start();
  CHECK(loop.give(kernel::Skip{"m", Value()}).refused->is(code::conflict));
  CHECK(!loop.give(kernel::Skip{"each[1]/m", Value()}).refused);
  CHECK(loop.give(kernel::Retry{"each[0]/m"}).refused->is(code::invalid_state));
}

TEST_CASE("variables of a held instance can be set, of a running one not") {
  Driver driver(workflow({step("wait", "w", object({{"signal", "go"}})), message("a", "echo", Value("{{ x.y }}"))}));
  driver.agent("echo", [](const Envelope& in) -> Result<Value> { return in.data; });
  driver.start();
  const Value change = object({{"x.y", 5}});
  CHECK(driver.give(kernel::Update{change}).refused->is(code::invalid_state));
  driver.give(kernel::Pause{});
  CHECK(!driver.give(kernel::Update{change}).refused);
  CHECK(driver.give(kernel::Update{Value(3)}).refused->is(code::invalid_input));
  driver.give(kernel::Resume{});
  driver.give(kernel::Signal{"go", Value()});
  driver.run();
  CHECK(to_json(*driver.result("a")) == "5");
  CHECK(std::ranges::count(driver.story(), "variables.updated") == 1);
}

// --- answers that come later --------------------------------------------------------------------------------------

namespace {

Driver left_open() {
  Driver driver(workflow({retried(message("a", "person"), 2)}));
  driver.start();
  const std::uint32_t attempt = 1;
  Reply later;
  later.pending = true;
  driver.give(kernel::CallDone{kernel::RunId(1), attempt, later});
  return driver;
}

}  // namespace

TEST_CASE("a call that is left open is answered by its token, and not made again after a crash") {
  Driver driver = left_open();
  const auto open = kernel::open_calls(*driver.program, driver.state);
  REQUIRE(open.size() == 1);
  CHECK(open[0].token == "i1/a#1");
  CHECK(open[0].agent == "person");
  for (int i = 0; i < 12; ++i) driver.crash();
  CHECK(driver.sent.size() == 1);
  CHECK(driver.give(kernel::Complete{"i1/b#1", Reply{Value(1), {}}}).refused->is(code::not_found));
  CHECK(!driver.give(kernel::Complete{"i1/a#1", Reply{Value("yes"), {}}}).refused);
  CHECK(driver.state_name() == WorkflowState::completed);
  CHECK(to_json(*driver.result("a")) == R"("yes")");
  CHECK(driver.give(kernel::Complete{"i1/a#1", Reply{Value("no"), {}}}).refused->is(code::invalid_state));
}

TEST_CASE("an error under the token fails the attempt, and the next one is a call again") {
  Driver driver = left_open();
  driver.give(kernel::Complete{"i1/a#1", fail(code::unavailable, "not today")});
  driver.run(driver.now + 5s);
  CHECK(driver.sent.size() == 2);
  CHECK(driver.sent[1].attempt == 2);
}

TEST_CASE("an answer that does not fit what the step expects is refused, and another one may follow") {
  Step ask = message("a", "person");
  ask.fields.set("expect", object({{"type", "object"}, {"required", array({"ok"})}}));
  Driver driver(workflow({std::move(ask)}));
  driver.start();
  Reply later;
  later.pending = true;
  driver.give(kernel::CallDone{kernel::RunId(1), 1, std::move(later)});
  const auto unfit = driver.give(kernel::Complete{"i1/a#1", Reply{Value("yes"), {}}});
  REQUIRE(unfit.refused);
  CHECK(unfit.refused->is(code::invalid_input));
  CHECK(unfit.refused->message.find("the answer") != std::string::npos);
  CHECK(unfit.records.empty());
  CHECK(!driver.give(kernel::Complete{"i1/a#1", Reply{object({{"ok", true}}), {}}}).refused);
  CHECK(driver.state_name() == WorkflowState::completed);
}
