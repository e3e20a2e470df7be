// Several nodes on one store: they share its partitions fairly, take over from the dead, and hand over in good order.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "engine/world.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kSleepy = "id: sleepy\nsteps: [{ id: nap, type: wait, duration: 60s }]";

/// How many shared partitions each node holds now.
std::map<std::string, int> shares(World& world) {
  std::map<std::string, int> count;
  const auto leases = world.store->leases();
  for (const persistence::Lease& lease : *leases)
    if (lease.partition.value < world.store->shared_partitions() && lease.expires > world.time.now()) ++count[lease.node];
  return count;
}

using Shares = std::map<std::string, int>;

}  // namespace

TEST_CASE("a node alone takes every partition") {
  World world(4);
  world.node("a");
  CHECK(shares(world) == Shares{{"a", 4}});
}

TEST_CASE("nodes that come and go end up with fair shares") {
  World world(5);
  world.node("a");
  world.node("b");
  world.time.advance(15s);
  CHECK(shares(world) == Shares{{"a", 3}, {"b", 2}});
  world.node("c");
  world.time.advance(15s);
  CHECK(shares(world) == Shares{{"a", 2}, {"b", 2}, {"c", 1}});
  world.crash("a");
  world.time.advance(15s);
  CHECK(shares(world) == Shares{{"b", 3}, {"c", 2}});
  CHECK(world.stop("b"));
  world.time.advance(15s);
  CHECK(shares(world) == Shares{{"c", 5}});
}

TEST_CASE("more nodes than partitions: some hold nothing, and step in when one dies") {
  World world(1);
  world.node("a");
  world.node("b");
  world.time.advance(15s);
  CHECK(shares(world) == Shares{{"a", 1}});
  world.crash("a");
  world.time.advance(15s);
  CHECK(shares(world) == Shares{{"b", 1}});
}

TEST_CASE("a node that comes back under its name takes up its own partition again") {
  World world(2);
  world.node("a");
  const std::size_t leases = world.store->leases()->size();
  for (int restart = 0; restart < 5; ++restart) {
    world.crash("a");
    world.node("a");
  }
  CHECK(world.store->leases()->size() == leases);
}

TEST_CASE("the instances of a dead node go on elsewhere") {
  World world(4);
  world.add(definition(kSleepy));
  world.node("a");
  for (int i = 0; i < 8; ++i) world.start("i" + std::to_string(i), "sleepy");
  world.time.advance(1s);
  world.node("b");
  world.time.advance(10s);  // the two share
  world.crash("a");
  world.time.advance(90s);
  for (int i = 0; i < 8; ++i) CHECK(world.state("i" + std::to_string(i)) == WorkflowState::completed);
}

TEST_CASE("handing over loses nothing: every instance ends once") {
  World world(4);
  world.add(definition(R"(
id: chain
steps:
  - { id: a, type: message, destination: agent, action: a }
  - { id: nap, type: wait, duration: 20s }
  - { id: b, type: message, destination: agent, action: b }
)"));
  world.agents->script = [](const Envelope&) { return Result<Value>(Value(1)); };
  world.node("a");
  for (int i = 0; i < 20; ++i) world.start("i" + std::to_string(i), "chain");
  world.time.advance(2s);
  world.node("b");
  world.time.advance(5s);
  world.node("c");
  world.time.advance(5s);
  CHECK(world.stop("a"));
  world.time.advance(60s);
  for (int i = 0; i < 20; ++i) {
    const auto stored = world.stored("i" + std::to_string(i), true);
    CHECK(stored->state.state == WorkflowState::completed);
    CHECK(std::ranges::count(stored->events, "workflow.completed", &kernel::Event::type) == 1);
  }
}

TEST_CASE("a node whose lease was taken while it slept does no harm") {
  World world(1);
  world.add(definition("id: one\nsteps: [{ id: ask, type: message, destination: agent, action: work }]"));
  world.node("a");
  world.start("i", "one");
  world.time.run_ready();
  // Another node takes the partition the moment the lease has run out; the first has not noticed.
  const auto stolen = world.store->acquire(persistence::Partition(0), "thief", 1h, world.time.now() + 1min);
  REQUIRE(stolen);
  world.agents->answer(Value("from the past"));
  world.time.advance(10s);
  CHECK(world.stored("i")->state.results.find("ask") == nullptr);
}

TEST_CASE("a node that has not noticed that its lease was taken sends away who asks for what it cannot know") {
  World world(1);
  world.node("a");
  const auto stolen = world.store->acquire(persistence::Partition(0), "thief", 1h, world.time.now() + 1min);
  REQUIRE(stolen);
  bool written = false;
  world.store->commit({.lease = *stolen, .rows = {{.id = "i", .partition = persistence::Partition(0), .state = "running", .seq = 1}}},
                      [&](const auto& position) { written = position.has_value(); });
  REQUIRE(written);
  const auto heard = world.ask("i", engine::DescribeDemand{});
  world.time.run_ready();
  CHECK(heard->code() == engine::reroute::not_owner);
}

TEST_CASE("a store that is away for a while costs time and nothing else") {
  World world(2);
  world.add(definition(kSleepy));
  world.node("a");
  world.start("i", "sleepy");
  world.time.advance(1s);
  world.faults = [](const persistence::StoreOperation&) {
    return persistence::StoreDecision{persistence::StoreFault::error_before, {}};
  };
  world.time.advance(2min);
  world.faults = {};
  CHECK(world.until_state("i", WorkflowState::completed, 2min));
}

TEST_CASE("stopping waits for the commits on their way") {
  World world(2);
  world.add(definition(kSleepy));
  world.node("a");
  world.faults = [](const persistence::StoreOperation& operation) {
    return persistence::StoreDecision{persistence::StoreFault::none,
                                      operation.call == persistence::StoreCall::commit ? Duration(1s) : Duration{}};
  };
  const auto started = world.start("i", "sleepy");
  world.time.run_ready();
  CHECK(world.stop("a"));
  CHECK(started->ok());
  CHECK(world.stored("i").has_value());
  CHECK(shares(world).empty());
}
