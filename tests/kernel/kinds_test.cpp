// What single fields of the kinds mean, where flow_test.cpp does not tell it by the way.
#include <doctest/doctest.h>

#include <algorithm>

#include "kernel/driver.h"
#include "value/json.h"

using namespace mapflow;
using namespace mapflow::testing;

namespace {

Result<Value> echo(const Envelope& in) { return in.data; }

}  // namespace

TEST_CASE("a message carries what its fields say, to whom its destination comes out as") {
  Step ask = step("message", "ask", object({{"destination", "desk_{{ n }}"}, {"action", "look {{ n }}"}, {"data", "{{ [n] }}"},
                                            {"headers", object({{"X-Number", "{{ n }}"}})}, {"priority", "critical"}}));
  Driver driver(workflow({ask}));
  driver.start(object({{"n", 7}}));
  REQUIRE(driver.calls.size() == 1);
  CHECK(driver.calls[0].target.name == "desk_7");
  CHECK(driver.calls[0].expects_reply);
  const Envelope& sent = driver.calls[0].envelope;
  CHECK(sent.action == "look 7");
  CHECK(to_json(sent.data) == "[7]");
  CHECK(to_json(sent.headers) == R"({"X-Number":7})");
  CHECK(sent.priority == Priority::critical);
}

TEST_CASE("a message nobody waits for is done with null once it is taken, and fails when it is not") {
  Step tell = message("tell", "log", 1);
  tell.fields.set("wait_for_response", false);
  for (const bool taken : {true, false}) {
    Driver driver(workflow({tell}));
    driver.start();
    REQUIRE(driver.calls.size() == 1);
    CHECK(!driver.calls[0].expects_reply);
    driver.agent("log", [taken](const Envelope&) -> Result<Value> { return taken ? Result<Value>("ignored") : fail(code::unavailable, "no"); });
    driver.run();
    CHECK(driver.state_name() == (taken ? WorkflowState::completed : WorkflowState::failed));
    if (taken) CHECK(*driver.result("tell") == Value());
  }
}

TEST_CASE("a switch takes the first case that holds, else `otherwise`, else nothing") {
  const auto taken = [](int n, bool otherwise) {
    Step choose = step("conditional", "choose");
    for (const int limit : {10, 100}) {
      Branch one = branch("switch", {transform("below_" + std::to_string(limit), "took", limit)});
      one.when = "n < " + std::to_string(limit);
      choose = with(choose, one);
    }
    if (otherwise) choose = with(choose, branch("otherwise", {transform("other", "took", -1)}));
    Driver driver(workflow({choose}));
    driver.start(object({{"n", n}, {"took", 0}}));
    driver.run();
    CHECK(driver.state.settled.back().state == (driver.variable("took")->as_integer() == 0 ? StepState::skipped : StepState::completed));
    return driver.variable("took")->as_integer();
  };
  CHECK(taken(5, true) == 10);
  CHECK(taken(50, true) == 100);
  CHECK(taken(500, true) == -1);
  CHECK(taken(500, false) == 0);
}

TEST_CASE("without fail_fast every branch comes to its end, and every error is listed") {
  Step fan = step("parallel", "fan", object({{"fail_fast", false}}));
  for (const char* id : {"a", "b", "c"}) fan = with(fan, branch("steps", {message(id, id)}));
  Driver driver(workflow({fan}));
  driver.agent("a", [](const Envelope&) -> Result<Value> { return fail("paper", "no paper"); });
  driver.agent("b", echo);
  driver.agent("c", [](const Envelope&) -> Result<Value> { return fail("ink", "no ink"); });
  driver.start();
  driver.run();
  CHECK(driver.state.counters.cancelled == 0);
  REQUIRE(driver.state.failure);
  CHECK(driver.state.failure->code == "paper");
  CHECK(driver.state.failure->message == "2 branches failed: 'a': no paper; 'c': no ink");
  const auto details = parse_json(driver.state.failure->details);
  REQUIRE(details);
  CHECK(details->find("errors")->size() == 2);
  CHECK(*details->find("errors")->as_array()[1].find("code") == Value("ink"));
}

TEST_CASE("a parallel runs no more branches at once than max_concurrent") {
  Step fan = step("parallel", "fan", object({{"max_concurrent", 2}}));
  for (const char* id : {"a", "b", "c"}) fan = with(fan, branch("steps", {message(id, "echo", id)}));
  Driver driver(workflow({fan}));
  driver.start();
  CHECK(driver.calls.size() == 2);
  driver.agent("echo", echo);
  driver.answer_one();
  CHECK(driver.calls.size() == 2);
  CHECK(driver.calls.back().envelope.step == "c");
  driver.run();
  CHECK(to_json(*driver.result("fan")) == R"({"a":"a","b":"b","c":"c"})");
}

TEST_CASE("a loop goes over lists, objects and counts, and over nothing else") {
  const auto looped = [](Value items) {
    Step each = with(step("loop", "each", object({{"items", std::move(items)}, {"collect", "item"}})), branch("body", {transform("t", "x", 1)}));
    Driver driver(workflow({each}));
    driver.start(object({{"prices", object({{"pear", 3}})}, {"n", 3}, {"word", "abc"}, {"half", 1.5}, {"less", -1}}));
    driver.run();
    const Value* result = driver.result("each");
    return result ? to_json(*result) : driver.state.failure->code;
  };
  CHECK(looped("prices") == R"([{"key":"pear","value":3}])");
  CHECK(looped("n") == "[0,1,2]");
  CHECK(looped(2) == "[0,1]");
  CHECK(looped(array({"{{ n }}", "x"})) == R"([3,"x"])");
  CHECK(looped("[]") == "[]");
  for (const char* wrong : {"word", "half", "less", "none"}) CHECK(looped(wrong) == code::invalid_input);
}

TEST_CASE("break_when starts no further iteration, and those that run come to their end") {
  Step each = with(step("loop", "each", object({{"items", 10}, {"max_concurrent", 3}, {"break_when", "item == 1"}})),
                   branch("body", {message("call", "echo", "{{ item }}")}));
  Driver driver(workflow({each}));
  driver.agent("echo", echo);
  driver.start();
  REQUIRE(driver.calls.size() == 3);
  std::swap(driver.calls[0], driver.calls[1]);
  driver.answer_one();
  CHECK(driver.calls.size() == 2);
  driver.run();
  CHECK(to_json(*driver.result("each")) == "[0,1,2]");
}

TEST_CASE("a failing iteration cancels the others, or is tried to the end of the list without fail_fast") {
  for (const bool fail_fast : {true, false}) {
    Step each = with(step("loop", "each", object({{"items", 4}, {"max_concurrent", 2}, {"fail_fast", fail_fast}})),
                     branch("body", {message("call", "odd_only", "{{ item }}")}));
    Driver driver(workflow({each}));
    driver.agent("odd_only", [](const Envelope& in) -> Result<Value> {
      return in.data.as_integer() % 2 == 1 ? Result<Value>(in.data) : fail("even", "even");
    });
    driver.start();
    driver.run();
    CHECK(driver.sent.size() == (fail_fast ? 2 : 4));
    CHECK(driver.state.failure->message == (fail_fast ? "iteration 0 failed: even" : "iteration 0 failed: even (and 1 more)"));
    CHECK(driver.state.failure->details.empty() == fail_fast);
  }
}
