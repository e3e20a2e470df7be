// One id, one instance: starting again gives the same one, whatever has happened in between.
#include <doctest/doctest.h>

#include "engine/world.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kOneCall = R"(
id: one
steps: [{ id: ask, type: message, destination: agent, action: work }]
)";

bool existed(const Heard& reply) { return reply.ok() && **reply.result == Value(true); }
bool created(const Heard& reply) { return reply.ok() && **reply.result == Value(false); }

}  // namespace

TEST_CASE("a second start with the same id and input gives the first instance") {
  World world;
  world.add(definition(kOneCall));
  world.add(definition("id: two\nsteps: [{ id: t, type: transform, transformations: { a: 1 } }]"));
  world.node();
  const Value input = object({{"x", 1}});
  const auto first = world.start("i", "one", input);
  const auto at_once = world.start("i", "one", input);
  world.time.run_ready();
  CHECK(created(*first));
  CHECK(existed(*at_once));

  const auto check_all = [&] {
    const auto same = world.start("i", "one", input);
    const auto other_input = world.start("i", "one", object({{"x", 2}}));
    const auto other_workflow = world.start("i", "two", input);
    world.time.advance(100ms);
    CHECK(existed(*same));
    CHECK(other_input->code() == code::conflict);
    CHECK(other_workflow->code() == code::conflict);
    CHECK(world.agents->seen.size() == 1);
  };
  SUBCASE("while it runs") { check_all(); }
  SUBCASE("after it is over") {
    world.agents->answer(Value(1));
    REQUIRE(world.until_state("i", WorkflowState::completed));
    check_all();
  }
  SUBCASE("after it is over and the node has restarted") {
    world.agents->answer(Value(1));
    REQUIRE(world.until_state("i", WorkflowState::completed));
    world.crash();
    world.node();
    check_all();
  }
  SUBCASE("after a restart in the middle") {
    world.crash();
    world.agents->seen.clear();
    world.node();
    check_all();
  }
}

TEST_CASE("an instance that is over answers requests from its row") {
  World world;
  world.add(definition(kOneCall));
  world.node();
  world.start("i", "one", object({{"x", 1}}));
  world.time.run_ready();
  world.agents->answer(Value("good"));
  REQUIRE(world.until_state("i", WorkflowState::completed));

  const auto watch = world.ask("i", engine::WatchDemand{});
  const auto look = world.ask("i", engine::DescribeDemand{});
  const auto resume = world.ask("i", kernel::Resume{});
  world.time.run_ready();
  REQUIRE(watch->ok());
  CHECK(*(*watch->result)->find_path("results.ask") == Value("good"));
  REQUIRE(look->ok());
  CHECK(*(*look->result)->find("state") == Value("completed"));
  CHECK(resume->code() == code::invalid_state);
}

TEST_CASE("requests to an instance that nobody knows are not_found") {
  World world;
  world.node();
  const auto pause = world.ask("ghost", kernel::Pause{});
  const auto watch = world.ask("ghost", engine::WatchDemand{});
  world.time.run_ready();
  CHECK(pause->code() == code::not_found);
  CHECK(watch->code() == code::not_found);
}

TEST_CASE("a shard that does not run the partition says so") {
  World world;
  world.add(definition(kOneCall));
  world.node("a", false);  // shares nothing
  const auto started = world.start("i", "one");
  world.time.run_ready();
  CHECK(started->code() == engine::reroute::not_owner);
}

TEST_CASE("beyond the bound of running instances a start is refused with the time to come back") {
  World world(1);
  world.options.max_instances = 3;
  world.add(definition(kOneCall));
  world.node();
  std::vector<std::shared_ptr<Heard>> started;
  for (int i = 0; i < 4; ++i) started.push_back(world.start("i" + std::to_string(i), "one"));
  world.time.run_ready();
  CHECK(started[2]->ok());
  REQUIRE(started[3]->code() == code::resource_exhausted);
  CHECK(started[3]->result->error().retry_after_us.has_value());
  world.agents->answer(Value(1));
  world.time.run_ready();
  const auto later = world.start("late", "one");
  world.time.run_ready();
  CHECK(later->ok());
}

TEST_CASE("a new instance is listed at once when its id was given, within a second otherwise") {
  World world(1);
  world.add(definition(kOneCall));
  world.node();
  world.start("given", "one");
  world.time.run_ready();
  engine::StartDemand demand{world.stored("given")->program, {}, false};
  demand.start.id = "made-up";
  world.ask("made-up", std::move(demand));
  world.time.run_ready();
  CHECK(world.store->instance("given").has_value());
  CHECK_FALSE(world.store->instance("made-up").has_value());
  CHECK(world.stored("made-up").has_value());  // looking at one instance never lags
  world.time.advance(1s);
  REQUIRE(world.store->instance("made-up").has_value());
  CHECK(world.store->instance("made-up")->state == "running");
}
