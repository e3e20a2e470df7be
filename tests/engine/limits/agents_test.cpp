// Limits of agents as instances meet them: in line, turned away, left alone, and let in again.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "engine/world.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;

namespace {

/// A workflow of one message to agent `a` with these limits.
std::string one_call(std::string_view limits, std::string_view more = {}) {
  return "id: it\nagents: { a: { queue: work, " + std::string(limits) + " } }\nsteps:\n  - { id: s, type: message, destination: a, "
         "action: go, data: { n: \"{{ n | default(0) }}\" }" + std::string(more) + " }";
}

struct Crowd {
  explicit Crowd(std::string_view yaml, std::uint32_t partitions = 4) : world(partitions) {
    world.add(definition(yaml));
    world.node();
  }
  void start(const std::string& id, Value input = {}) {
    world.start(id, "it", std::move(input));
    world.time.run_ready();
  }
  void start(int from, int to) {
    for (int i = from; i <= to; ++i) start(std::to_string(i), object({{"n", i}}));
  }
  void pass(Duration span) { world.time.advance(span); }
  std::size_t sent() const { return world.agents->seen.size(); }
  std::string last_sent() const { return world.agents->seen.back().instance_id; }
  std::size_t events(std::string_view type) const {
    return static_cast<std::size_t>(std::ranges::count_if(world.events, [&](const auto& e) { return e.event.type == type; }));
  }
  std::string error(const std::string& id) const {
    const auto stored = world.stored(id);
    return stored && !stored->state.errors.empty() ? stored->state.errors.front().code : "";
  }
  World world;
};

}  // namespace

TEST_CASE("no more calls than max_concurrent are under way, over all instances and shards") {
  Crowd crowd(one_call("max_concurrent: 2"));
  crowd.start(1, 6);
  CHECK(crowd.sent() == 2);
  for (std::size_t done = 1; done <= 6; ++done) {
    crowd.world.agents->answer(Value(1));
    crowd.world.time.run_ready();
    CHECK(crowd.sent() == std::min<std::size_t>(6, 2 + done));
    CHECK(crowd.world.agents->calls.size() == std::min<std::size_t>(2, 6 - done));
  }
  std::set<std::string> served;
  for (const Envelope& each : crowd.world.agents->seen) served.insert(each.instance_id);
  CHECK(served.size() == 6);
  for (int i = 1; i <= 6; ++i) CHECK(crowd.world.until_state(std::to_string(i), WorkflowState::completed));
}

TEST_CASE("calls beyond the rate go as tokens come back") {
  Crowd crowd(one_call("rate_limit: { rate: 2, burst: 3 }"));
  crowd.start(1, 8);
  CHECK(crowd.sent() == 3);
  crowd.pass(499ms);
  CHECK(crowd.sent() == 3);
  crowd.pass(1ms);
  CHECK(crowd.sent() == 4);
  crowd.pass(1s);
  CHECK(crowd.sent() == 6);
  crowd.pass(10s);
  CHECK(crowd.sent() == 8);
}

TEST_CASE("the limits count for each value of key apart") {
  Crowd crowd(one_call("max_concurrent: 1, key: data.n"));
  for (const char* id : {"a", "b", "c"}) crowd.start(id, object({{"n", 1}}));
  for (const char* id : {"d", "e"}) crowd.start(id, object({{"n", "two"}}));
  CHECK(crowd.sent() == 2);
  SUBCASE("and a key that does not come out fails the step") {
    Crowd broken(one_call("max_concurrent: 1, key: data.nobody"));
    broken.start("x");
    CHECK(broken.world.until_state("x", WorkflowState::failed));
    CHECK(broken.error("x") == "template_error");
  }
}

TEST_CASE("who waits for longer than its timeout leaves the line, and was never sent") {
  Crowd crowd(one_call("max_concurrent: 1", ", timeout: 5s"));
  crowd.start(1, 2);
  crowd.pass(6s);
  CHECK(crowd.error("1") == "timeout");
  CHECK(crowd.error("2") == "timeout");
  CHECK(crowd.sent() == 1);
  // The first call is given up, but its agent has not let go of it: its slot is taken.
  crowd.start(3, 3);
  CHECK(crowd.sent() == 1);
  crowd.world.agents->answer(fail(code::cancelled, "given up"));
  crowd.world.time.run_ready();
  CHECK(crowd.last_sent() == "3");
}

TEST_CASE("a cancelled instance leaves the line") {
  Crowd crowd(one_call("max_concurrent: 1"));
  crowd.start(1, 3);
  crowd.world.ask("2", kernel::Cancel{""});
  REQUIRE(crowd.world.until_state("2", WorkflowState::cancelled));
  crowd.world.agents->answer(Value(1));
  crowd.world.time.run_ready();
  CHECK(crowd.sent() == 2);
  CHECK(crowd.last_sent() == "3");
}

TEST_CASE("the urgent go first, and nobody waits for ever") {
  Crowd crowd(one_call("max_concurrent: 1"));
  for (const std::string urgency : {"low", "medium", "high", "critical"}) {
    std::string text = one_call("max_concurrent: 1", ", priority: " + urgency);
    crowd.world.add(definition(text.replace(0, 6, "id: " + urgency)));
  }
  const auto start = [&](const std::string& id, const char* urgency) {
    crowd.world.start(id, urgency);
    crowd.world.time.run_ready();
  };
  start("first", "medium");
  start("low", "low");
  start("medium", "medium");
  start("critical", "critical");
  const auto next = [&] {
    crowd.world.agents->answer(Value(1));
    crowd.world.time.run_ready();
    return crowd.last_sent();
  };
  CHECK(next() == "critical");
  CHECK(next() == "medium");
  start("high", "high");
  crowd.pass(21s);
  start("another high", "high");  // 20 s of waiting are worth two levels
  CHECK(next() == "high");
  CHECK(next() == "low");
  CHECK(next() == "another high");
}

TEST_CASE("a full line turns away, and trying again may help") {
  Crowd crowd(one_call("max_concurrent: 1, bulkhead: 1", ", retry: { max_attempts: 2, initial_delay: 1s, strategy: linear }"));
  crowd.start(1, 3);
  CHECK(crowd.world.stored("3")->state.runs.begin()->second.error->is(code::resource_exhausted));
  CHECK(crowd.events("agent.limited") == 2);  // one waits, one was turned away
  crowd.world.agents->answer(Value(1));
  crowd.world.time.run_ready();
  CHECK(crowd.last_sent() == "2");
  crowd.world.agents->answer(Value(1));
  crowd.pass(2s);
  CHECK(crowd.last_sent() == "3");
}

TEST_CASE("an open circuit is not called: its steps fail, or fall back") {
  Crowd crowd(one_call("circuit_breaker: { failure_threshold: 2, window: 1m, open_for: 30s }"));
  crowd.world.add(definition("id: spare\nagents: { a: { queue: work, circuit_breaker: { failure_threshold: 2, window: 1m, open_for: 30s } } }\n"
                             "steps:\n  - { id: s, type: message, destination: a, fallback: { id: f, type: transform, transformations: { x: 7 } } }"));
  crowd.world.agents->script = [](const Envelope&) { return fail(code::unavailable, "down"); };
  crowd.start(1, 2);
  CHECK(crowd.error("2") == "unavailable");
  CHECK(crowd.events("agent.circuit_opened") == 1);
  crowd.start(3, 3);
  CHECK(crowd.error("3") == "circuit_open");
  CHECK(crowd.events("agent.limited") == 0);  // it is not busy
  crowd.world.start("4", "spare");  // another definition, the same agent
  crowd.world.time.run_ready();
  CHECK(crowd.world.state("4") == WorkflowState::completed);
  CHECK(*crowd.world.stored("4")->state.results.find("s") == object({{"x", 7}}));
  CHECK(crowd.sent() == 2);

  crowd.pass(30s);
  SUBCASE("a probe that succeeds closes it") {
    crowd.world.agents->script = [](const Envelope&) { return Result<Value>(Value(1)); };
    crowd.start(5, 6);
    CHECK(crowd.sent() == 4);
    CHECK(crowd.events("agent.circuit_closed") == 1);
  }
  SUBCASE("a probe that fails opens it again") {
    crowd.start(5, 6);
    CHECK(crowd.error("5") == "unavailable");
    CHECK(crowd.error("6") == "circuit_open");
    CHECK(crowd.sent() == 3);
    CHECK(crowd.events("agent.circuit_opened") == 2);
  }
  SUBCASE("while a probe is under way nobody else is let through") {
    crowd.world.agents->script = nullptr;
    crowd.start(5, 6);
    CHECK(crowd.sent() == 3);
    CHECK(crowd.error("6") == "circuit_open");
    crowd.world.agents->answer(Value(1));
    crowd.world.time.run_ready();
    CHECK(crowd.world.state("5") == WorkflowState::completed);
  }
}

TEST_CASE("silence is a failure, and asking for the impossible is none") {
  Crowd crowd(one_call("circuit_breaker: { failure_threshold: 1 }", ", timeout: 5s"));
  SUBCASE("an attempt that times out") {
    crowd.start(1, 1);
    crowd.pass(5s);
    CHECK(crowd.events("agent.circuit_opened") == 1);
  }
  SUBCASE("a call that was given up in time") {
    crowd.start(1, 1);
    crowd.world.ask("1", kernel::Cancel{""});
    crowd.world.time.run_ready();
    CHECK(crowd.events("agent.circuit_opened") == 0);
  }
  for (const auto& [code, opens] : {std::pair("invalid_input", 0), {"invalid_output", 1}, {"agent_error", 1}, {"rate_limited", 1}, {"resource_exhausted", 0}}) {
    SUBCASE(code) {
      crowd.world.agents->script = [code = code](const Envelope&) { return fail(code, "so it is"); };
      crowd.start(1, 1);
      CHECK(crowd.events("agent.circuit_opened") == static_cast<std::size_t>(opens));
    }
  }
}

TEST_CASE("handlers have limits as well") {
  World world;
  int under_way = 0, most = 0;
  world.handlers->set("h", [&](const StepInput&) {
    most = std::max(most, ++under_way);
    --under_way;
    return Result<Value>(Value(1));
  }, HandlerMode::pooled);
  world.add(definition("id: it\nagents: { h: { handler: h, rate_limit: 1/s } }\nsteps:\n  - { id: s, type: message, destination: h }"));
  world.node();
  for (const char* id : {"a", "b", "c"}) world.start(id, "it");
  world.time.run_ready();
  const auto done = [&] {
    return std::ranges::count_if(std::vector<std::string>{"a", "b", "c"}, [&](const auto& id) { return world.state(id) == WorkflowState::completed; });
  };
  CHECK(done() == 1);
  world.time.advance(2s);
  CHECK(done() == 3);
}

TEST_CASE("what waits in line when its node dies is sent by the next one") {
  Crowd crowd(one_call("max_concurrent: 1"));
  crowd.start(1, 3);
  crowd.world.crash();
  crowd.world.agents->calls.clear();
  crowd.world.agents->script = [](const Envelope&) { return Result<Value>(Value(1)); };
  crowd.world.node();
  for (int i = 1; i <= 3; ++i) CHECK(crowd.world.until_state(std::to_string(i), WorkflowState::completed));
}
