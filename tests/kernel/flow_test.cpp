// How steps follow each other, branch, repeat, fail and are tried again.
#include <doctest/doctest.h>

#include "kernel/driver.h"
#include "value/json.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;

namespace {

Result<Value> refuse(std::string_view code) { return fail(code, "no"); }

}  // namespace

TEST_CASE("steps run one after the other and see the results before them") {
  Driver driver(workflow({message("a", "echo", object({{"n", 1}})), message("b", "echo", object({{"n", "{{ results.a.n + 1 }}"}}))}));
  driver.agent("echo", [](const Envelope& in) -> Result<Value> { return in.data; });
  driver.start();
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
  CHECK(to_json(*driver.result("b")) == R"({"n":2})");
  CHECK(driver.story() == std::vector<std::string>{"workflow.started", "step.started a", "step.completed a", "step.started b",
                                                   "step.completed b", "workflow.completed"});
}

TEST_CASE("no call is placed before its record, and the key stays the same over retries") {
  Driver driver(workflow({retried(message("a", "flaky"), 3)}));
  int asked = 0;
  driver.agent("flaky", [&](const Envelope&) -> Result<Value> {
    return ++asked < 3 ? refuse(code::unavailable) : Result<Value>(Value("ok"));
  });
  driver.start();
  const Timestamp before = driver.now;
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
  REQUIRE(driver.sent.size() == 3);
  CHECK(driver.now - before == 3s);  // linear: 1 s, then 2 s
  for (std::uint32_t i = 0; i < 3; ++i) {
    CHECK(driver.sent[i].idempotency_key == "i1/a#1");
    CHECK(driver.sent[i].attempt == i + 1);
  }
}

TEST_CASE("an error that is not worth a retry fails the step at once") {
  Driver driver(workflow({retried(message("a", "strict"), 5)}));
  driver.agent("strict", [](const Envelope&) { return refuse(code::invalid_input); });
  driver.start();
  driver.run();
  CHECK(driver.state_name() == WorkflowState::failed);
  CHECK(driver.sent.size() == 1);
  REQUIRE(driver.state.errors.size() == 1);
  CHECK(driver.state.errors[0].path == "a");
  CHECK(driver.state.errors[0].attempt == 1);
}

TEST_CASE("when: false skips the step and leaves a null") {
  Step skipped = message("a", "echo");
  skipped.when = "x > 5";
  Driver driver(workflow({skipped, transform("t", "seen", "{{ results.a is none }}")}));
  driver.start(object({{"x", 1}}));
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
  CHECK(driver.variable("seen")->as_bool());
  CHECK(driver.sent.empty());
}

TEST_CASE("a conditional takes the branch its condition says, or is skipped") {
  const auto choose = [](std::int64_t x) {
    Step pick = step("conditional", "pick", object({{"condition", "x > 5"}}));
    pick = with(with(pick, branch("if_true", {transform("big", "size", "big")})), branch("if_false", {transform("small", "size", "small")}));
    Driver driver(workflow({pick}));
    driver.start(object({{"x", x}}));
    driver.run();
    return std::string(driver.variable("size")->as_text());
  };
  CHECK(choose(9) == "big");
  CHECK(choose(1) == "small");

  Driver driver(workflow({with(step("conditional", "pick", object({{"condition", "false"}})), branch("if_true", {message("m", "nobody")}))}));
  driver.start();
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
  CHECK(driver.state.settled.back().state == StepState::skipped);
}

TEST_CASE("a condition may stand in braces, with whitespace control too, whoever made the definition") {
  for (const char* written : {"x > 5", " {{ x > 5 }} ", "{{- x > 5 -}}"}) {
    CAPTURE(written);
    Driver driver(workflow({with(step("conditional", "pick", object({{"condition", written}})), branch("if_true", {transform("t", "seen", true)}))}));
    driver.start(object({{"x", 9}}));
    driver.run();
    CHECK(driver.variable("seen") != nullptr);
  }
}

TEST_CASE("a parallel runs its branches side by side and is worth an object by branch") {
  Step fan = step("parallel", "fan");
  fan = with(with(fan, branch("steps", {message("m1", "echo", 1), message("m2", "echo", 2)}, "left")), branch("steps", {message("m3", "echo", 3)}));
  Driver driver(workflow({fan}));
  driver.start();
  CHECK(driver.calls.size() == 2);  // both branches have begun
  driver.agent("echo", [](const Envelope& in) -> Result<Value> { return in.data; });
  driver.run();
  CHECK(to_json(*driver.result("fan")) == R"({"left":2,"m3":3})");
  CHECK(driver.sent[0].path == "fan/m1");
}

TEST_CASE("a failing branch cancels the others, and their calls") {
  Step fan = step("parallel", "fan");
  fan = with(with(fan, branch("steps", {message("slow", "nobody")})), branch("steps", {message("bad", "strict")}));
  Driver driver(workflow({fan}));
  driver.agent("strict", [](const Envelope&) { return refuse(code::invalid_input); });
  driver.start();
  driver.run();
  CHECK(driver.state_name() == WorkflowState::failed);
  REQUIRE(driver.dropped.size() == 1);
  CHECK(driver.dropped[0].envelope_id == driver.sent[0].id);
  CHECK(driver.state.counters.cancelled == 1);
  CHECK(driver.state.errors[0].cause->path == "fan/bad");
}

TEST_CASE("wait_strategy: enough successes end the parallel; it fails only when they have become impossible") {
  const auto run = [](Value strategy, std::vector<bool> good) {
    Step fan = step("parallel", "fan", object({{"wait_strategy", std::move(strategy)}}));
    for (std::size_t i = 0; i < good.size(); ++i)
      fan = with(fan, branch("steps", {message("m" + std::to_string(i), good[i] ? "good" : "bad", static_cast<int>(i))}));
    auto driver = std::make_unique<Driver>(workflow({fan}));
    driver->agent("good", [](const Envelope& in) -> Result<Value> { return in.data; });
    driver->agent("bad", [](const Envelope&) { return refuse(code::agent_error); });
    driver->start();
    driver->run();
    return driver;
  };
  CHECK(to_json(*run("any", {false, true, true})->result("fan")) == R"({"m1":1})");
  CHECK(run("any", {false, false})->state_name() == WorkflowState::failed);
  CHECK(run("majority", {true, false, true})->state_name() == WorkflowState::completed);
  CHECK(run("majority", {true, false, false})->state_name() == WorkflowState::failed);
  CHECK(to_json(*run(2, {true, false, true})->result("fan")) == R"({"m0":0,"m2":2})");
}

TEST_CASE("a loop runs its body per item, a window at a time, and keeps the order of the items") {
  Step each = with(step("loop", "each", object({{"items", array({10, 20, 30})}, {"loop_var", "n"}, {"max_concurrent", 2}})),
                   branch("body", {message("call", "echo", "{{ n + n_index }}")}));
  Driver driver(workflow({each}));
  driver.start();
  REQUIRE(driver.calls.size() == 2);
  CHECK(driver.calls[1].envelope.path == "each[1]/call");
  std::swap(driver.calls[0], driver.calls[1]);  // the second answers first
  driver.agent("echo", [](const Envelope& in) -> Result<Value> { return in.data; });
  driver.run();
  CHECK(to_json(*driver.result("each")) == "[10,21,32]");
  CHECK(driver.result("call") == nullptr);  // inside an iteration only
}

TEST_CASE("a loop by condition asks before and after each iteration") {
  Step grow = with(step("loop", "grow", object({{"while", "n < 100"}, {"until", "n == 8"}, {"collect", "n"}})),
                   branch("body", {transform("double", "n", "{{ n * 2 }}")}));
  Driver driver(workflow({grow}));
  driver.start(object({{"n", 1}}));
  driver.run();
  CHECK(to_json(*driver.result("grow")) == "[2,4,8]");
}

TEST_CASE("a loop that goes past max_iterations fails, unless told to stop there") {
  const auto run = [](const char* policy) {
    Step forever = with(step("loop", "w", object({{"while", "true"}, {"max_iterations", 3}, {"on_max_iterations", policy}})),
                        branch("body", {transform("t", "x", 1)}));
    Driver driver(workflow({forever}));
    driver.start();
    driver.run();
    return driver.state_name();
  };
  CHECK(run("fail") == WorkflowState::failed);
  CHECK(run("stop") == WorkflowState::completed);
}

TEST_CASE("a long loop of instant steps is decided in bounded turns") {
  Step count = with(step("loop", "count", object({{"items", 500}, {"collect", "none"}})), branch("body", {transform("t", "x", "{{ item }}")}));
  Driver driver(workflow({count}));
  driver.limits.records = 100;
  driver.start();
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
  CHECK(driver.variable("x")->as_integer() == 499);
}

TEST_CASE("a step's timeout ends its attempt; the next one starts from the top") {
  Step slow = retried(message("a", "slow"), 2, 1s);
  slow.timeout = 10s;
  Driver driver(workflow({slow}));
  driver.start();
  const Timestamp before = driver.now;
  driver.run();
  CHECK(driver.state_name() == WorkflowState::failed);
  CHECK(driver.now - before == 21s);
  CHECK(driver.state.errors[0].is(code::timeout));
  CHECK(driver.state.settled.back().state == StepState::timed_out);
  CHECK(driver.dropped.size() == 2);
}

TEST_CASE("total_timeout ends the retries") {
  Step step = retried(message("a", "bad"), 100, 1s);
  step.total_timeout = 5s;
  Driver driver(workflow({step}));
  driver.agent("bad", [](const Envelope&) { return refuse(code::unavailable); });
  driver.start();
  driver.run();
  CHECK(driver.state_name() == WorkflowState::failed);
  CHECK(driver.sent.size() == 3);  // at 0 s, 1 s, 3 s; the next would be at 6 s
}

TEST_CASE("the workflow's own timeout ends it as timed_out") {
  Definition definition = workflow({message("a", "nobody")});
  definition.timeout = 1h;
  Driver driver(std::move(definition));
  driver.start();
  driver.run();
  CHECK(driver.state_name() == WorkflowState::timed_out);
  CHECK(driver.now - driver.state.started == 1h);
}

TEST_CASE("a wait sleeps for its duration, and through a crash, without starting over") {
  Driver driver(workflow({step("wait", "w", object({{"duration", "30d"}}))}));
  driver.start();
  driver.let_pass(24h);
  driver.crash();
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
  CHECK(driver.now - driver.state.started == 30 * 24h);
}

TEST_CASE("a signal reaches the step that waits for it, early or late, with its payload") {
  Driver driver(workflow({step("wait", "first", object({{"signal", "go"}})), step("wait", "second", object({{"signal", "go"}}))}));
  driver.start();
  driver.give(kernel::Signal{"go", 1});
  driver.give(kernel::Signal{"go", 2});
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
  CHECK(driver.result("first")->as_integer() == 1);
  CHECK(driver.result("second")->as_integer() == 2);

  Driver early(workflow({message("a", "echo"), step("wait", "w", object({{"signal", "go"}}))}));
  early.start();
  early.give(kernel::Signal{"go", "early"});
  early.agent("echo", [](const Envelope&) -> Result<Value> { return Value(); });
  early.run();
  CHECK(early.result("w")->as_text() == "early");
}

TEST_CASE("on_timeout goes on in another way when a signal does not come") {
  Step wait = with(step("wait", "w", object({{"signal", "go"}})), branch("on_timeout", {transform("late", "late", true)}));
  wait.timeout = 1h;
  Driver driver(workflow({wait}));
  driver.start();
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
  CHECK(driver.variable("late")->as_bool());
  CHECK(driver.result("w")->is_null());
}

TEST_CASE("on_error steps see the error, and their last result is the step's") {
  Step bad = hooked(message("a", "bad"), "on_error", {transform("h", "why", "{{ error.code }}"), message("b", "echo", "saved")});
  Driver driver(workflow({bad, transform("after", "got", "{{ results.a }}")}));
  driver.agent("bad", [](const Envelope&) { return refuse("broken"); });
  driver.agent("echo", [](const Envelope& in) -> Result<Value> { return in.data; });
  driver.start();
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
  CHECK(driver.variable("why")->as_text() == "broken");
  CHECK(driver.variable("got")->as_text() == "saved");
  REQUIRE(driver.state.errors.size() == 1);
  CHECK(driver.sent[1].path == "a/on_error/b");
}

TEST_CASE("on_error: continue leaves a null and goes on") {
  Step bad = message("a", "bad");
  bad.on_error = OnError::proceed;
  Driver driver(workflow({bad, transform("after", "empty", "{{ results.a is none }}")}));
  driver.agent("bad", [](const Envelope&) { return refuse("broken"); });
  driver.start();
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
  CHECK(driver.variable("empty")->as_bool());
  CHECK(driver.state.errors.size() == 1);
}

TEST_CASE("on_success steps run before the workflow goes on, and the result stays the step's") {
  Step good = hooked(message("a", "echo", 5), "on_success", {transform("log", "logged", "{{ result * 2 }}")});
  Driver driver(workflow({good}));
  driver.agent("echo", [](const Envelope& in) -> Result<Value> { return in.data; });
  driver.start();
  driver.run();
  CHECK(driver.result("a")->as_integer() == 5);
  CHECK(driver.variable("logged")->as_integer() == 10);
}

TEST_CASE("an undefined name fails the step with the nearest known name") {
  Driver driver(workflow({transform("t", "x", "{{ totl + 1 }}")}));
  driver.start(object({{"total", 1}}));
  driver.run();
  CHECK(driver.state_name() == WorkflowState::failed);
  CHECK(driver.state.errors[0].is(code::template_error));
  CHECK(driver.state.errors[0].message.find("total") != std::string::npos);
}

TEST_CASE("output_key and transform targets set variables, dotted ones too") {
  Step call = message("a", "echo", 5);
  call.output_key = "order.total";
  Driver driver(workflow({call, transform("t", "order.twice", "{{ order.total * 2 }}")}));
  driver.agent("echo", [](const Envelope& in) -> Result<Value> { return in.data; });
  driver.start();
  driver.run();
  CHECK(to_json(*driver.variable("order")) == R"({"total":5,"twice":10})");
}

TEST_CASE("assert fails the step with invalid_input and the text of the assertion") {
  Step check = step("transform", "t", object({{"assert", array({"x > 0", "x < 10"})}}));
  Driver driver(workflow({check}));
  driver.start(object({{"x", 50}}));
  driver.run();
  CHECK(driver.state.errors[0].is(code::invalid_input));
  CHECK(driver.state.errors[0].message.find("x < 10") != std::string::npos);
}

// --- fallback, expect, waiting for a condition --------------------------------------------------------------------

TEST_CASE("while the agent's circuit is open the fallback runs instead, and its result is the step's") {
  Driver driver(workflow({retried(hooked(message("a", "sick"), "fallback", {message("b", "echo", Value("{{ error.code }}"))}), 5),
                          message("c", "echo", Value("{{ results.a }}"))}));
  driver.agent("sick", [](const Envelope&) { return refuse(code::circuit_open); });
  driver.agent("echo", [](const Envelope& in) -> Result<Value> { return in.data; });
  driver.start();
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
  CHECK(to_json(*driver.result("c")) == R"("circuit_open")");
  CHECK(driver.sent.size() == 3);  // not tried again
  CHECK(driver.sent[1].path == "a/fallback/b");
}

TEST_CASE("other errors do not run the fallback, and a fallback that fails is a failed step") {
  Driver refused(workflow({hooked(message("a", "sick"), "fallback", {message("b", "echo")})}));
  refused.agent("sick", [](const Envelope&) { return refuse(code::unavailable); });
  refused.start();
  refused.run();
  CHECK(refused.state_name() == WorkflowState::failed);
  CHECK(refused.sent.size() == 1);

  Step step = hooked(hooked(message("a", "sick"), "fallback", {message("b", "worse")}), "on_error", {transform("t", "seen", "{{ error.cause.code }}")});
  step.on_error = OnError::handle;
  Driver handled(workflow({step}));
  handled.agent("sick", [](const Envelope&) { return refuse(code::circuit_open); });
  handled.agent("worse", [](const Envelope&) { return refuse(code::agent_error); });
  handled.start();
  handled.run();
  CHECK(handled.state_name() == WorkflowState::completed);
  CHECK(to_json(*handled.variable("seen")) == R"("circuit_open")");
}

TEST_CASE("a crash in the middle of a fallback changes nothing") {
  Driver driver(workflow({hooked(message("a", "sick"), "fallback", {message("b", "late")})}));
  driver.agent("sick", [](const Envelope&) { return refuse(code::circuit_open); });
  driver.start();
  driver.run();
  driver.crash();
  driver.agent("late", [](const Envelope&) -> Result<Value> { return Value(7); });
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
  CHECK(to_json(*driver.result("a")) == "7");
}

TEST_CASE("a reply that does not fit `expect` is invalid_output, and not asked for again") {
  Step step = retried(message("a", "agent"), 3);
  step.fields.set("expect", parse_json(R"({"type":"object","required":["score"]})").value());
  Driver driver(workflow({step}));
  driver.agent("agent", [](const Envelope&) -> Result<Value> { return object({{"scroe", 1}}); });
  driver.start();
  driver.run();
  CHECK(driver.state_name() == WorkflowState::failed);
  CHECK(driver.state.errors.front().is(code::invalid_output));
  CHECK(driver.state.errors.front().message.find("score") != std::string::npos);
  CHECK(driver.sent.size() == 1);
}

TEST_CASE("a wait for a condition ends as soon as it holds") {
  Step fan = with(with(step("parallel", "fan"), branch("steps", {step("wait", "w", object({{"condition", "ready == 2"}}))}, "w")),
                  branch("steps", {transform("t1", "ready", Value("{{ 1 }}")), message("m", "late"), transform("t2", "ready", Value("{{ 2 }}"))}, "m"));
  Definition definition = workflow({fan});
  definition.variables = object({{"ready", 0}});
  Driver driver(definition);
  driver.start();
  driver.run();
  CHECK(driver.state_name() == WorkflowState::running);
  driver.crash();
  driver.agent("late", [](const Envelope&) -> Result<Value> { return Value(); });
  driver.run();
  CHECK(driver.state_name() == WorkflowState::completed);
}

TEST_CASE("now() is the time of the decision, and a variable of that name hides it") {
  Driver d(workflow({transform("stamp", "at", "{{ now() }}"), step("wait", "sleep", object({{"duration", "90s"}})),
                     transform("later", "passed", "{{ (now() | to_epoch) - (at | to_epoch) }}"),
                     transform("hide", "now", "mine"), transform("hidden", "seen", "{{ now }}")}));
  const std::string begin = format_timestamp(d.now);
  d.start();
  d.run();
  CHECK(*d.variable("at") == Value(begin));
  CHECK(*d.variable("passed") == Value(90.0));
  CHECK(*d.variable("seen") == Value("mine"));
}

TEST_CASE("a condition that depends on the time is asked again after check_interval") {
  Step wait = step("wait", "w", object({{"condition", "results.probe is defined and tries > 2"}, {"check_interval", "10s"}}));
  wait.timeout = 25s;
  Definition definition = workflow({wait});
  definition.variables = object({{"tries", 0}});
  Driver driver(definition);
  driver.start();
  const Timestamp before = driver.now;
  driver.run();
  CHECK(driver.state_name() == WorkflowState::failed);  // it never held
  CHECK(driver.state.errors.front().is(code::timeout));
  CHECK(driver.now - before == 25s);
}
