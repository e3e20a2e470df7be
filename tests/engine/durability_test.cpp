// Nothing leaves the shard before its cause is durable, and what fails to become durable never happened.
#include <doctest/doctest.h>

#include "engine/world.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;
using persistence::StoreCall;
using persistence::StoreDecision;
using persistence::StoreFault;
using persistence::StoreOperation;

namespace {

constexpr std::string_view kOneCall = R"(
id: one
steps: [{ id: ask, type: message, destination: agent, action: work, data: "{{ x }}" }]
)";

constexpr std::string_view kThreeCalls = R"(
id: three
steps:
  - { id: first, type: message, destination: agent, action: first }
  - { id: second, type: message, destination: agent, action: second, data: "{{ results.first + 1 }}" }
  - { id: third, type: message, destination: agent, action: third, data: "{{ results.second + 1 }}" }
)";

/// Every commit takes this long.
void slow_commits(World& world, Duration delay) {
  world.faults = [delay](const StoreOperation& operation) {
    return StoreDecision{StoreFault::none, operation.call == StoreCall::commit ? delay : Duration{}};
  };
}

/// The `number`th commit from now on meets this fault; the others none.
void fault_at_commit(World& world, int number, StoreFault fault) {
  world.faults = [number, fault, seen = 0](const StoreOperation& operation) mutable {
    if (operation.call != StoreCall::commit || ++seen != number) return StoreDecision{};
    return StoreDecision{fault, {}};
  };
}

std::optional<Result<Value>> count_up(const Envelope& envelope) {
  if (envelope.data.is_null()) return Value(1);
  return Value(envelope.data.as_integer());
}

}  // namespace

TEST_CASE("a call is made, and a start answered, only when the commit behind them is durable") {
  World world;
  world.add(definition(kOneCall));
  world.node();
  slow_commits(world, 1s);
  world.events.clear();  // those of the node
  const auto started = world.start("i", "one", object({{"x", 7}}));

  world.time.advance(900ms);
  CHECK_FALSE(started->answered());
  CHECK(world.agents->seen.empty());
  CHECK(world.events.empty());

  world.time.advance(200ms);
  CHECK(started->ok());
  CHECK(world.agents->seen.size() == 1);
  CHECK_FALSE(world.events.empty());
}

TEST_CASE("the outcome is told only when the end is durable") {
  World world;
  world.add(definition(kOneCall));
  world.node();
  world.start("i", "one", object({{"x", 7}}));
  const auto outcome = world.ask("i", engine::WatchDemand{});
  world.time.advance(100ms);
  slow_commits(world, 1s);
  world.agents->answer(Value("done"));
  world.time.advance(900ms);
  CHECK_FALSE(outcome->answered());
  world.time.advance(200ms);
  REQUIRE(outcome->ok());
  CHECK(*(*outcome->result)->find_path("results.ask") == Value("done"));
}

TEST_CASE("a request that changes nothing is still answered after what it rests on") {
  World world;
  world.add(definition(kOneCall));
  world.node();
  world.start("i", "one", object({{"x", 7}}));
  world.time.advance(100ms);
  slow_commits(world, 1s);
  const auto pause = world.ask("i", kernel::Pause{});
  world.time.run_ready();
  const auto again = world.ask("i", kernel::Pause{});  // nothing to do, but the first pause may still get lost
  const auto look = world.ask("i", engine::DescribeDemand{});
  world.time.advance(900ms);
  CHECK_FALSE(pause->answered());
  CHECK_FALSE(again->answered());
  CHECK_FALSE(look->answered());
  world.time.advance(200ms);
  CHECK(again->ok());
  CHECK(look->ok());
}

TEST_CASE("nothing of a failed commit is released, and the partition is read back") {
  World world;
  world.add(definition(kOneCall));
  world.add(definition(kThreeCalls));
  world.node();

  SUBCASE("a commit that did not happen") {
    fault_at_commit(world, 1, StoreFault::error_before);
    const auto started = world.start("i", "one", object({{"x", 7}}));
    world.time.advance(5s);
    CHECK(started->code() == code::unavailable);
    CHECK(world.agents->seen.empty());
    CHECK_FALSE(world.stored("i").has_value());
    CHECK(world.start("i", "one", object({{"x", 7}}))->code() == "unanswered");
    world.time.advance(1s);
    CHECK(world.agents->seen.size() == 1);
  }
  SUBCASE("a commit that did happen, though it looked as if not") {
    fault_at_commit(world, 1, StoreFault::error_after);
    const auto started = world.start("i", "one", object({{"x", 7}}));
    world.time.advance(5s);
    CHECK(started->code() == code::unavailable);
    REQUIRE(world.agents->seen.size() == 1);  // the truth is in the store: it was started
    CHECK(world.agents->seen[0].delivery == 2);
  }
  SUBCASE("a lease lost on the way") {
    fault_at_commit(world, 1, StoreFault::lease_lost);
    const auto started = world.start("i", "one", object({{"x", 7}}));
    world.time.advance(5s);
    CHECK(started->code() == engine::reroute::not_owner);
    CHECK(world.agents->seen.empty());
  }
  // In every case the node goes on.
  world.agents->script = count_up;
  const auto second = world.start("j", "three");
  CHECK(world.until_state("j", WorkflowState::completed));
}

TEST_CASE("a fault at any commit, of any kind, changes neither the end nor the number of results") {
  for (const StoreFault fault : {StoreFault::error_before, StoreFault::error_after, StoreFault::lease_lost}) {
    for (int commit = 1; commit <= 6; ++commit) {
      CAPTURE(commit);
      CAPTURE(static_cast<int>(fault));
      World world;
      world.add(definition(kThreeCalls));
      world.agents->script = count_up;
      world.node();
      fault_at_commit(world, commit, fault);
      world.start("i", "three");
      world.time.advance(1min);
      world.start("i", "three");  // an answer may have been an error: who asks again gets the same instance
      REQUIRE(world.until_state("i", WorkflowState::completed));
      const auto stored = world.stored("i", true);
      CHECK(*stored->state.results.find("third") == Value(3));
      CHECK(std::ranges::count(stored->events, "step.completed", &kernel::Event::type) == 3);
      // Calls may be made twice, always under one key.
      for (const Envelope& envelope : world.agents->seen)
        CHECK(envelope.idempotency_key == "i/" + envelope.step + "#1");
    }
  }
}

TEST_CASE("a crash at any moment changes neither the end nor the number of results") {
  for (std::size_t tasks = 1; tasks < 60; ++tasks) {
    CAPTURE(tasks);
    World world;
    world.add(definition(kThreeCalls));
    world.agents->script = count_up;
    world.node();
    slow_commits(world, 10ms);
    world.start("i", "three");
    for (std::size_t task = 0; task < tasks; ++task)
      if (!world.time.step()) world.time.advance(3ms);
    world.crash();
    world.faults = {};
    world.node();
    world.start("i", "three");
    REQUIRE(world.until_state("i", WorkflowState::completed));
    const auto stored = world.stored("i", true);
    CHECK(*stored->state.results.find("third") == Value(3));
    CHECK(std::ranges::count(stored->events, "step.completed", &kernel::Event::type) == 3);
    std::uint64_t seq = 0;
    for (const kernel::Event& event : stored->events) CHECK(event.seq == ++seq);
  }
}

TEST_CASE("an answer to a call from before a crash finds nobody") {
  World world;
  world.add(definition(kOneCall));
  world.node();
  world.start("i", "one", object({{"x", 1}}));
  world.time.advance(100ms);
  REQUIRE(world.agents->calls.size() == 1);
  world.crash();
  world.agents->answer(Value("late"));
  world.node();
  world.time.advance(100ms);
  REQUIRE(world.agents->calls.size() == 1);
  CHECK(world.agents->calls[0].envelope.delivery == 2);
  world.agents->answer(Value("right"));
  REQUIRE(world.until_state("i", WorkflowState::completed));
  CHECK(*world.stored("i")->state.results.find("ask") == Value("right"));
}

TEST_CASE("while a batch is being made durable the next is decided, and no more than that") {
  World world(1);
  world.add(definition(kOneCall));
  world.node();
  int in_flight = 0, most = 0;
  world.faults = [&](const StoreOperation& operation) {
    if (operation.call != StoreCall::commit) return StoreDecision{};
    most = std::max(most, ++in_flight);
    return StoreDecision{StoreFault::none, 1s};
  };
  std::vector<std::shared_ptr<Heard>> started;
  for (int i = 0; i < 20; ++i) {
    started.push_back(world.start("i" + std::to_string(i), "one", object({{"x", i}})));
    world.time.run_ready();
  }
  CHECK(most == 2);
  world.time.advance(10s);
  for (const auto& reply : started) CHECK(reply->ok());
}
