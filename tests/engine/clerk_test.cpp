// Requests from a process that runs nothing: carried out by whoever has the instance, or on the spot when nobody does.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <future>

#include "engine/clerk.h"
#include "engine/engine.h"
#include "engine/world.h"
#include "persistence/memory.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kApproval = R"(
id: approval
steps:
  - { id: first, type: wait, signal: go }
  - { id: call, type: custom, handler: work }
)";

/// A store, a clerk on it, and engines that come and go.
struct Office {
  std::shared_ptr<persistence::Store> store = persistence::make_memory_store();
  std::unique_ptr<kernel::KindRegistry> kinds = steps::make_registry();
  engine::Clerk clerk{store, *kinds};
  std::atomic<int> worked = 0;

  Office() { REQUIRE(clerk.add(definition(kApproval))); }
  std::unique_ptr<Engine> engine(bool own_partition = false) {
    auto made = std::make_unique<Engine>(EngineOptions{.store_object = store, .node = "a", .shards = 1, .workers = 1,
                                                       .private_partition = own_partition});
    made->handler("work", [this](const StepInput&) -> Result<Value> { return Value(++worked); });
    REQUIRE(made->add(definition(kApproval)));
    return made;
  }
  std::size_t count(const std::string& id, std::string_view type) {
    const auto stored = clerk.read(id, true);
    REQUIRE(stored);
    return static_cast<std::size_t>(std::ranges::count(stored->events, type, &kernel::Event::type));
  }
  WorkflowState state(const std::string& id) { return clerk.read(id)->state.state; }
};

}  // namespace

TEST_CASE("what nobody runs is decided on the spot, and calls nobody") {
  Office office;
  REQUIRE(office.clerk.start("approval", {.id = "i"}, 10s));
  CHECK(office.state("i") == WorkflowState::running);
  REQUIRE(office.clerk.tell("i", kernel::Pause{"lunch"}, 10s));
  CHECK(office.state("i") == WorkflowState::paused);
  REQUIRE(office.clerk.tell("i", kernel::Resume{}, 10s));
  REQUIRE(office.clerk.tell("i", kernel::Signal{"go", Value(1)}, 10s));
  CHECK(office.state("i") == WorkflowState::running);
  CHECK(office.count("i", "step.called") == 1);  // it is due …
  CHECK(office.worked == 0);                     // … and waits for somebody who runs the instance
  CHECK(office.clerk.runner("i")->node.empty());

  auto engine = office.engine();
  const auto run = engine->attach("i");
  REQUIRE(run);
  REQUIRE(engine->serve());
  const auto outcome = run->wait(60s);
  REQUIRE(outcome);
  CHECK(*outcome->find("state") == Value("completed"));
  CHECK(office.worked == 1);
}

TEST_CASE("what a living process runs is carried out by it, also in a partition of its own") {
  for (const bool own : {false, true}) {
    CAPTURE(own);
    Office office;
    auto engine = office.engine(own);
    auto run = engine->start("approval", {.id = "i"});
    REQUIRE(run);
    CHECK(office.clerk.runner("i")->serving == !own);
    REQUIRE(office.clerk.tell("i", kernel::Pause{}, 10s));
    CHECK(office.state("i") == WorkflowState::paused);
    CHECK(office.clerk.tell("i", kernel::Retry{}, 10s).error().is(code::invalid_state));
    REQUIRE(office.clerk.tell("i", kernel::Resume{}, 10s));
    REQUIRE(office.clerk.tell("i", kernel::Signal{"go", Value(1)}, 10s));
    REQUIRE(run->wait(60s));
    CHECK(office.state("i") == WorkflowState::completed);
    CHECK(office.worked == 1);
  }
}

TEST_CASE("what is left behind by a process that ended is decided on the spot") {
  Office office;
  REQUIRE(office.engine(true)->start("approval", {.id = "i"}));
  REQUIRE(office.clerk.tell("i", kernel::Cancel{"no"}, 10s));
  CHECK(office.state("i") == WorkflowState::cancelled);
  CHECK(office.store->instance("i")->finished);
}

TEST_CASE("a refused request says why and names the state; an unknown instance is not found") {
  Office office;
  REQUIRE(office.clerk.start("approval", {.id = "i"}, 10s));
  const Status retried = office.clerk.tell("i", kernel::Retry{"first"}, 10s);
  REQUIRE_FALSE(retried);
  CHECK(retried.error().is(code::invalid_state));
  CHECK(office.count("i", "command.refused") == 1);
  REQUIRE(office.clerk.tell("i", kernel::Terminate{}, 10s));
  const Status resumed = office.clerk.tell("i", kernel::Resume{}, 10s);
  REQUIRE_FALSE(resumed);
  CHECK(resumed.error().is(code::invalid_state));
  CHECK(resumed.error().message.find("cancelled") != std::string::npos);
  CHECK(office.clerk.tell("ghost", kernel::Pause{}, 10s).error().is(code::not_found));
}

TEST_CASE("a request that comes twice under one key is carried out once and answered twice") {
  Office office;
  REQUIRE(office.clerk.start("approval", {.id = "i"}, 10s));
  for (int time = 0; time < 2; ++time) {
    REQUIRE(office.clerk.tell("i", kernel::Signal{"other", Value(1)}, 10s, "k1"));
    CHECK(office.clerk.tell("i", kernel::Skip{"nothing", {}}, 10s, "k2").error().is(code::not_found));
  }
  CHECK(office.count("i", "signal.received") == 1);
  CHECK(office.count("i", "command.refused") == 1);
}

TEST_CASE("the outcome is found also when the instance has heard so much since that it has forgotten") {
  Office office;
  REQUIRE(office.clerk.start("approval", {.id = "i"}, 10s));
  for (std::size_t i = 0; i <= kernel::State::kCommandsKept; ++i)
    REQUIRE(office.clerk.tell("i", kernel::Signal{"other", Value(1)}, 10s, "k" + std::to_string(i)));
  const auto state = office.clerk.read("i")->state;
  CHECK(state.commands.size() == kernel::State::kCommandsKept);
  CHECK(state.command("k0") == nullptr);
  CHECK(state.command("k1") != nullptr);
}

TEST_CASE("a second start with the same input is the first, with another one a conflict") {
  Office office;
  const Value input = object({{"x", 1}});
  CHECK_FALSE(office.clerk.start("approval", {.input = input, .id = "i"}, 10s)->existed);
  CHECK(office.clerk.start("approval", {.input = input, .id = "i"}, 10s)->existed);
  CHECK(office.clerk.start("approval", {.id = "i"}, 10s).error().is(code::conflict));
  CHECK(office.clerk.start("aproval", {}, 10s).error().is(code::not_found));
}

TEST_CASE("a command that the owner does not get to is told so, and stays") {
  Office office;
  REQUIRE(office.clerk.start("approval", {.id = "i"}, 10s));
  const auto partition = office.store->instance("i")->partition;
  const auto now = engine::SystemClock().now();
  const auto lease = office.store->acquire(partition, "asleep", 1h, now);
  REQUIRE(lease);
  CHECK(office.clerk.tell("i", kernel::Pause{}, 50ms).error().is(code::timeout));
  CHECK(office.store->inbox(partition, {}, 10)->size() == 1);
  REQUIRE(office.store->release(*lease));
  REQUIRE(office.clerk.tell("i", kernel::Signal{"other", {}}, 10s));  // and goes first when somebody reads the inbox
  CHECK(office.state("i") == WorkflowState::paused);
}

TEST_CASE("a serving node takes over what a process that shared nothing left unfinished") {
  Office office;
  REQUIRE(office.engine(true)->start("approval", {.id = "i"}));
  REQUIRE(office.clerk.tell("i", kernel::Signal{"go", Value(1)}, 10s));
  const auto engine = office.engine();
  std::promise<void> completed;
  engine->on_event([&completed](const std::string&, const kernel::Event& event) {
    if (event.type == "workflow.completed") completed.set_value();
  });
  REQUIRE(engine->serve());
  CHECK(completed.get_future().wait_for(60s) == std::future_status::ready);
  CHECK(office.worked == 1);
}
