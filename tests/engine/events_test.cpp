// What listeners hear: every type of event that is promised, from the one stream of records; and that nothing a listener
// does harms the engine.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/event_bus.h"
#include "engine/world.h"
#include "persistence/memory.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kGood = R"(
id: good
agents: { worker: { queue: w } }
steps:
  - { id: shaky, type: message, destination: worker, action: shaky, retry: { max_attempts: 2, initial_delay: 1s } }
  - { id: not_me, type: transform, when: "false", transformations: { x: "1" } }
  - { id: held, type: wait, signal: go }
  - { id: nap, type: wait, duration: 1s }
)";
constexpr std::string_view kUndone = R"(
id: undone
variables: { also: fine }
agents: { worker: { queue: w } }
steps:
  - { id: a, type: message, destination: worker, action: fine, compensate: { type: message, destination: worker, action: "{{ also }}" } }
  - { id: b, type: message, destination: worker, action: bad }
)";
constexpr std::string_view kTripped = R"(
id: tripped
agents: { frail: { queue: f, circuit_breaker: { failure_threshold: 1, window: 1m, open_for: 1s } } }
steps:
  - { id: first, type: message, destination: frail, action: down, on_error: continue }
  - { id: nap, type: wait, duration: 5s }
  - { id: again, type: message, destination: frail, action: fine }
)";
constexpr std::string_view kHandled = R"(
id: handled
steps:
  - { id: told, type: custom, handler: tells, heartbeat: 1m }
)";
constexpr std::string_view kSlow = R"(
id: slow
timeout: 1m
agents: { worker: { queue: w } }
steps:
  - { id: late, type: message, destination: worker, action: never, timeout: 1s, on_error: continue }
  - { id: held, type: wait, signal: go }
)";
constexpr std::string_view kParked = R"(
id: parked
agents: { worker: { queue: w, rate_limit: { rate: 1, burst: 1 } } }
steps:
  - { id: good, type: message, destination: worker, action: fine }
  - { id: bad, type: message, destination: worker, action: bad, on_error: suspend }
)";

std::optional<Result<Value>> answer(const Envelope& call) {
  if (call.action == "never") return std::nullopt;
  if (call.action == "down") return fail(code::unavailable, "nobody there");
  if (call.action == "bad") return fail(code::invalid_input, "no");
  if (call.action == "shaky" && call.attempt == 1) return fail(code::unavailable, "not yet");
  return Value(1);
}

}  // namespace

TEST_CASE("every type of event that is promised is emitted") {
  World world;
  world.agents->script = answer;
  world.handlers->set("tells", [](const StepInput& in) -> Result<Value> {
    in.progress(50);
    return Value();
  }, HandlerMode::pooled);
  for (const std::string_view yaml : {kGood, kUndone, kSlow, kParked, kTripped, kHandled}) world.add(definition(yaml));
  world.node();
  world.start("good", "good");
  world.time.advance(5s);
  world.ask("good", kernel::Pause{});
  world.time.advance(1s);
  world.ask("good", kernel::Update{object({{"x", 1}})});
  world.ask("good", kernel::MakeCheckpoint{"here"});
  world.ask("good", kernel::Resume{});
  world.ask("good", kernel::Signal{"go", {}});
  world.start("undone", "undone");
  world.start("half_undone", "undone", object({{"also", "bad"}}));
  world.start("tripped", "tripped");
  world.start("handled", "handled");
  world.start("slow", "slow");
  world.start("given_up", "slow");
  world.start("parked", "parked");
  world.time.advance(5s);
  world.ask("given_up", kernel::Cancel{});
  world.time.advance(2min);

  std::set<std::string> heard;
  for (const engine::InstanceEvent& each : world.events) heard.insert(each.event.type);
  for (const char* promised :
       {"workflow.started", "workflow.paused", "workflow.resumed", "workflow.suspended", "workflow.completed", "workflow.failed",
        "workflow.cancelled", "workflow.timed_out", "workflow.compensating", "workflow.compensated", "step.started", "step.completed",
        "step.failed", "step.retrying", "step.skipped", "step.cancelled", "step.timed_out", "step.compensating", "step.compensated",
        "step.compensation_failed", "step.progress", "signal.received", "timer.fired", "checkpoint.created", "variables.updated", "agent.circuit_opened",
        "agent.circuit_closed", "agent.limited", "partition.serving"}) {
    CAPTURE(promised);
    CHECK(heard.contains(promised));
  }
}

TEST_CASE("events say whose they are, and ends how long it took") {
  World world;
  world.agents->script = answer;
  world.add(definition(kGood));
  world.node();
  world.start("good", "good");
  world.time.advance(1s);
  world.ask("good", kernel::Signal{"go", {}});
  world.time.advance(10s);
  REQUIRE(world.state("good") == WorkflowState::completed);
  for (const engine::InstanceEvent& each : world.events) {
    if (each.instance.empty()) continue;  // of the node
    CHECK(each.event.workflow == "good");
    CHECK(each.instance == "good");
    if (each.event.type == "step.completed" && each.event.path == "nap") CHECK(each.event.data.find("seconds")->as_double() == doctest::Approx(1));
    if (each.event.type == "workflow.completed") CHECK(each.event.data.find("seconds")->as_double() >= 2);
  }
}

TEST_CASE("a listener that throws hears the next event all the same, and the engine goes on") {
  std::atomic<int> heard = 0;
  std::vector<std::string> complaints;
  {
    engine::EventBus bus([&](std::string_view, std::string_view line) { complaints.emplace_back(line); });
    bus.subscribe([&](const std::string&, const kernel::Event& event) {
      ++heard;
      if (event.seq == 1) throw std::runtime_error("my mistake");
      if (event.seq == 2) throw 7;
    });
    for (std::uint64_t seq = 1; seq <= 3; ++seq) {
      kernel::Event event;
      event.seq = seq;
      bus.publish({{"i", event}});
    }
    bus.flush(60s);
  }
  CHECK(heard == 3);
  REQUIRE(complaints.size() == 1);
  CHECK(complaints[0].find("my mistake") != std::string::npos);
}

TEST_CASE("a listener that is too slow is told what it missed, and delays nobody") {
  std::promise<void> let_go;
  const auto gate = let_go.get_future().share();
  std::int64_t missed = 0;
  int heard = 0;
  engine::EventBus bus({}, 10);
  std::promise<void> fast_done;
  bus.subscribe([&, gate](const std::string&, const kernel::Event& event) {
    gate.wait();
    if (event.type == "events.dropped") missed += event.data.find("count")->as_integer();
    else ++heard;
  });
  bus.subscribe([&](const std::string&, const kernel::Event& event) {
    if (event.seq == 100) fast_done.set_value();
  });
  for (std::uint64_t seq = 1; seq <= 100; ++seq) {
    kernel::Event event;
    event.seq = seq;
    bus.publish({{"i", event}});
  }
  CHECK(fast_done.get_future().wait_for(60s) == std::future_status::ready);
  let_go.set_value();
  bus.flush(60s);
  CHECK(missed > 0);
  CHECK(heard + missed == 100);
}

TEST_CASE("a program hears of one step, and of one instance") {
  std::vector<std::string> successes, failures, others, own;  // each written by one thread, read when all are gone
  {
    Engine engine({.store_object = persistence::make_memory_store(), .shards = 1, .workers = 1});
    engine.handler("work", [](const StepInput& in) -> Result<Value> {
      if (in.input() == Value("bad")) return fail(code::invalid_input, "no");
      return Value(1);
    });
    REQUIRE(engine.add(definition(R"(
id: flow
steps:
  - { id: gate, type: wait, signal: go }
  - { id: a, type: custom, handler: work, input: "{{ how }}" }
  - { id: b, type: custom, handler: work }
)")));
    engine.on_step("flow", "a", {.on_success = [&](const std::string& id, const kernel::Event&) { successes.push_back(id); }, .on_failure = {}});
    engine.on_step("flow", "a", {.on_success = {}, .on_failure = [&](const std::string& id, const kernel::Event&) { failures.push_back(id); }});
    engine.on_step("other", "a", {.on_success = [&](const std::string& id, const kernel::Event&) { others.push_back(id); }, .on_failure = {}});
    for (const char* how : {"good", "bad"}) {
      const auto run = engine.start("flow", {.input = object({{"how", how}}), .id = how});
      REQUIRE(run);
      if (run->id() == "good") run->on_event([&](const kernel::Event& event) { own.push_back(event.type); });
      REQUIRE(run->signal("go"));
      REQUIRE(run->wait(60s));
    }
  }
  CHECK(successes == std::vector<std::string>{"good"});
  CHECK(failures == std::vector<std::string>{"bad"});
  CHECK(others.empty());
  CHECK(std::ranges::count(own, "workflow.completed") == 1);
}
