// Commands that other processes leave in the store: carried out once, by whoever owns the partition.
#include <doctest/doctest.h>

#include <algorithm>

#include "engine/command.h"
#include "engine/world.h"
#include "value/json.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;
using persistence::StoreCall;
using persistence::StoreDecision;
using persistence::StoreFault;
using persistence::StoreOperation;

namespace {

constexpr std::string_view kApproval = R"(
id: approval
steps:
  - { id: first, type: wait, signal: go }
  - { id: second, type: wait, signal: go }
)";

void post(World& world, const std::string& id, const engine::Demand& demand) {
  REQUIRE(world.store->post(world.partition_of(id), engine::encode_command(id, demand, *world.store)));
}

std::size_t waiting(World& world, const std::string& id) {
  return world.store->inbox(world.partition_of(id), {}, 100)->size();
}

}  // namespace

TEST_CASE("a command from the inbox is carried out and taken out of it") {
  World world;
  world.add(definition(kApproval));
  world.node();
  world.start("i", "approval");
  world.time.advance(100ms);
  post(world, "i", kernel::Signal{"go", Value("one")});
  CHECK(waiting(world, "i") == 1);
  world.time.advance(100ms);
  CHECK(waiting(world, "i") == 0);
  const auto stored = world.stored("i");
  CHECK(*stored->state.results.find("first") == Value("one"));
  CHECK(stored->state.results.find("second") == nullptr);
}

TEST_CASE("a command is carried out once, whatever commit fails and whenever the node dies") {
  for (const StoreFault fault : {StoreFault::none, StoreFault::error_before, StoreFault::error_after, StoreFault::lease_lost}) {
    CAPTURE(static_cast<int>(fault));
    World world;
    world.add(definition(kApproval));
    world.node();
    world.start("i", "approval");
    world.time.advance(100ms);
    bool once = false;
    world.faults = [&once, fault](const StoreOperation& operation) {
      if (operation.call != StoreCall::commit || std::exchange(once, true)) return StoreDecision{};
      return StoreDecision{fault, {}};
    };
    post(world, "i", kernel::Signal{"go", Value("one")});
    if (fault == StoreFault::none) {
      world.time.step();
      world.crash();
      world.node();
    }
    world.time.advance(10s);
    const auto stored = world.stored("i", true);
    CHECK(std::ranges::count(stored->events, "signal.received", &kernel::Event::type) == 1);
    CHECK(stored->state.state == WorkflowState::running);
    CHECK(waiting(world, "i") == 0);
  }
}

TEST_CASE("an instance may be started through the inbox, by a process that alone has the definition") {
  World world;
  world.add(definition(kApproval));
  world.node("other");
  world.start("seed", "approval", {}, "other");
  world.time.run_ready();
  engine::StartDemand demand{world.stored("seed")->program, {}, true};
  demand.start.input = object({{"x", 1}});
  demand.start.tags = {"blue"};
  demand.start.correlation_id = "c-1";

  World fresh;  // a store that has never seen the definition
  const std::string command = engine::encode_command("i", demand, *fresh.store);
  fresh.node();
  REQUIRE(fresh.store->post(fresh.partition_of("i"), command));
  REQUIRE(fresh.store->post(fresh.partition_of("i"), command));  // sent twice: the second finds the first
  fresh.time.advance(1s);
  const auto row = fresh.store->instance("i");
  REQUIRE(row);
  CHECK(row->tags == std::vector<std::string>{"blue"});
  CHECK(row->correlation_id == "c-1");
  CHECK(fresh.stored("i")->state.input == object({{"x", 1}}));
}

TEST_CASE("what cannot be carried out is said in the log and does not stop what follows") {
  World world;
  world.add(definition(kApproval));
  world.node();
  world.start("i", "approval");
  world.time.advance(100ms);
  for (const char* bad : {"not json", "{}", R"({"command": "dance", "instance": "i"})", R"({"command": "resume", "instance": "ghost"})",
                          R"({"command": "start", "instance": "x", "definition": "nobody"})"})
    REQUIRE(world.store->post(world.partition_of("i"), bad));
  world.log.clear();
  post(world, "i", kernel::Signal{"go", Value(1)});
  world.time.advance(1s);
  CHECK(world.log.size() == 5);
  CHECK(waiting(world, "i") == 0);
  CHECK(*world.stored("i")->state.results.find("first") == Value(1));
}

TEST_CASE("while the store is in trouble a command waits, and is not lost") {
  World world;
  world.add(definition(kApproval));
  world.node();
  world.start("seed", "approval");
  world.time.advance(100ms);
  const engine::StartDemand demand{world.stored("seed")->program, {}, true};
  world.faults = [](const StoreOperation& operation) {
    return StoreDecision{operation.call == StoreCall::instance ? StoreFault::error_before : StoreFault::none, {}};
  };
  post(world, "i", demand);
  world.time.advance(10s);
  CHECK_FALSE(world.stored("i").has_value());
  CHECK(waiting(world, "i") == 1);
  world.faults = {};
  world.time.advance(1s);
  CHECK(world.stored("i").has_value());
}

TEST_CASE("commands say the same after being written and read") {
  World world;
  world.add(definition(kApproval));
  world.node();
  const auto kinds = steps::make_registry();
  engine::ProgramCache programs(*kinds, *world.store);
  const auto round_trip = [&](const engine::Demand& demand) {
    auto command = engine::decode_command(engine::encode_command("i", demand, *world.store), programs);
    REQUIRE(command);
    CHECK(command->instance == "i");
    return std::move(command->demand);
  };
  const auto signal = std::get<kernel::Signal>(round_trip(kernel::Signal{"go", array({1, 2})}));
  CHECK(signal.name == "go");
  CHECK(signal.payload == array({1, 2}));
  CHECK(std::get<kernel::Pause>(round_trip(kernel::Pause{"lunch"})).reason == "lunch");
  CHECK(std::get<kernel::Cancel>(round_trip(kernel::Cancel{"no"})).reason == "no");
  CHECK(std::get<kernel::Terminate>(round_trip(kernel::Terminate{"now"})).reason == "now");
  CHECK(std::holds_alternative<kernel::Resume>(round_trip(kernel::Resume{})));
}
