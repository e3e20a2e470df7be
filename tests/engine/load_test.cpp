// What a node says of itself: its instances by state, and what waits in it.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>

#include "engine/load.h"
#include "engine/world.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kWaits = R"(
id: waits
steps:
  - { id: held, type: wait, signal: go }
)";
constexpr std::string_view kOneAtATime = R"(
id: one_at_a_time
concurrency: { max_running: 1 }
steps:
  - { id: held, type: wait, signal: go }
)";
constexpr std::string_view kLimited = R"(
id: limited
agents: { slow: { queue: q, max_concurrent: 1 } }
steps:
  - { id: ask, type: message, destination: slow, action: go }
)";

struct Watched : World {
  engine::Member* member = nullptr;
  explicit Watched(std::size_t instance_bytes = 64u << 20) {
    options.instance_bytes = instance_bytes;
    for (const std::string_view yaml : {kWaits, kOneAtATime, kLimited}) add(definition(yaml));
    member = &node();
  }
  engine::Load load() const {
    engine::Load now;
    member->add_to(now);
    return now;
  }
  std::uint64_t count(WorkflowState state) const { return load().instances[static_cast<std::size_t>(state)]; }
  void begin(std::initializer_list<const char*> ids, std::string_view workflow) {
    for (const char* id : ids) start(id, workflow);
    time.advance(2s);
  }
  std::vector<engine::InstanceEvent> heard(std::string_view type) const {
    std::vector<engine::InstanceEvent> found;
    std::ranges::copy_if(events, std::back_inserter(found), [&](const auto& each) { return each.event.type == type; });
    return found;
  }
};

}  // namespace

TEST_CASE("instances are counted in the state they are in, until they are over") {
  Watched world;
  world.begin({"a", "b", "c"}, "waits");
  CHECK(world.count(WorkflowState::running) == 3);
  world.ask("a", kernel::Pause{});
  world.time.advance(1s);
  CHECK(world.count(WorkflowState::running) == 2);
  CHECK(world.count(WorkflowState::paused) == 1);
  world.ask("b", kernel::Signal{"go", {}});
  world.ask("a", kernel::Cancel{});
  world.time.advance(1s);
  CHECK(world.load().instances == std::array<std::uint64_t, engine::kLivingStates>{0, 1, 0, 0, 0});
  world.ask("b", kernel::Rewind{kernel::Place{{}, "held"}});
  world.time.advance(1s);
  CHECK(world.count(WorkflowState::running) == 2);
}

TEST_CASE("those that sleep in the store are counted as well, before and after another node takes over") {
  Watched world(0);
  world.begin({"a", "b", "c"}, "waits");
  world.ask("c", kernel::Pause{});
  world.time.advance(2s);
  CHECK(world.count(WorkflowState::running) == 2);
  CHECK(world.count(WorkflowState::paused) == 1);
  world.crash();
  world.member = &world.node("b");
  world.time.advance(10s);
  CHECK(world.count(WorkflowState::running) == 2);
  CHECK(world.count(WorkflowState::paused) == 1);
  world.ask("a", kernel::Signal{"go", {}}, "b");
  world.time.advance(2s);
  CHECK(world.count(WorkflowState::running) == 1);
}

TEST_CASE("what a node gives away it counts no more") {
  Watched world;
  world.begin({"a", "b", "c", "d"}, "waits");
  engine::Member& other = world.node("b");
  world.time.advance(10s);
  engine::Load together = world.load();
  CHECK(world.count(WorkflowState::running) < 4);
  other.add_to(together);
  CHECK(together.instances[static_cast<std::size_t>(WorkflowState::running)] == 4);
}

TEST_CASE("who waits for a turn, and which calls wait for their agent, is told") {
  Watched world;
  world.begin({"a", "b", "c"}, "one_at_a_time");
  CHECK(world.load().turns == 2);
  CHECK(world.count(WorkflowState::pending) == 2);
  world.ask("b", kernel::Cancel{});
  world.ask("a", kernel::Signal{"go", {}});
  world.time.advance(1s);
  CHECK(world.load().turns == 0);

  world.begin({"d", "e", "f"}, "limited");
  CHECK(world.load().agents == 2);
  CHECK(world.heard("agent.limited").size() == 2);
  world.ask("f", kernel::Cancel{});
  world.time.advance(1s);
  CHECK(world.load().agents == 1);
  world.agents->answer(Value(1));
  world.time.advance(1s);
  CHECK(world.load().agents == 0);
}

TEST_CASE("a node tells how long it took from getting a lease until the partition is served") {
  Watched world;
  world.begin({"a", "b", "c"}, "waits");
  const std::size_t before = world.heard("partition.serving").size();
  CHECK(before > 0);
  world.crash();
  world.node("b");
  world.time.advance(10s);
  const auto told = world.heard("partition.serving");
  REQUIRE(told.size() > before);
  std::int64_t instances = 0;
  for (std::size_t at = before; at < told.size(); ++at) {
    CHECK(told[at].event.data.find("seconds")->as_double() >= 0);
    instances += told[at].event.data.find("instances")->as_integer();
  }
  CHECK(instances == 3);
}
