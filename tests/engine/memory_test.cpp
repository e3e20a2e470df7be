// Instances that nothing happens to sleep in the store, and come back by themselves.
#include <doctest/doctest.h>

#include <algorithm>

#include "engine/recovery.h"
#include "engine/world.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;
using persistence::StoreCall;
using persistence::StoreDecision;
using persistence::StoreFault;
using persistence::StoreOperation;

namespace {

constexpr std::string_view kWaits = R"(
id: waits
variables: { note: none }
steps:
  - { id: until, type: wait, signal: go }
  - { id: tell, type: message, destination: agent, action: tell, data: "{{ results.until }}" }
)";

constexpr std::string_view kSleeps = R"(
id: sleeps
steps:
  - { id: nap, type: wait, duration: 1h }
)";

constexpr std::string_view kDozes = R"(
id: dozes
steps:
  - { id: nap, type: wait, duration: 1s }
)";

constexpr std::string_view kAsks = R"(
id: asks
steps:
  - { id: ask, type: message, destination: agent, action: work }
)";

/// No instance may stay in memory, and how often one is read back is counted.
struct SmallWorld : World {
  SmallWorld() {
    options.instance_bytes = 0;
    options.inbox_poll = 1h;  // so that nothing but the test makes the shard look around
    faults = [this](const StoreOperation& operation) {
      if (operation.call == StoreCall::instance) ++reads;
      return StoreDecision{};
    };
    add(definition(kWaits));
    add(definition(kSleeps));
    add(definition(kDozes));
    add(definition(kAsks));
    node();
  }
  int reads = 0;
};

}  // namespace

TEST_CASE("a sleeping instance answers its signal") {
  SmallWorld world;
  world.start("i", "waits");
  world.time.advance(2s);
  const int before = world.reads;
  const auto told = world.ask("i", kernel::Signal{"go", Value(7)});
  world.time.advance(2s);
  CHECK(told->ok());
  CHECK(world.reads > before);  // it was read back
  REQUIRE(world.agents->seen.size() == 1);
  CHECK(world.agents->seen.front().data == Value(7));
  world.agents->answer(Value("heard"));
  CHECK(world.until_state("i", WorkflowState::completed));
}

TEST_CASE("a sleeping instance is read only when something is for it") {
  SmallWorld world;
  for (const char* id : {"a", "b", "c"}) world.start(id, "waits");
  world.time.advance(2s);
  const int before = world.reads;
  world.time.advance(30min);
  CHECK(world.reads == before);
}

TEST_CASE("with room enough nothing sleeps") {
  World world;
  int reads = 0;
  world.faults = [&reads](const StoreOperation& operation) {
    if (operation.call == StoreCall::instance) ++reads;
    return StoreDecision{};
  };
  world.add(definition(kWaits));
  world.node();
  world.start("i", "waits");
  world.time.advance(2s);
  const int before = reads;
  world.ask("i", kernel::Signal{"go", Value(7)});
  world.time.advance(2s);
  CHECK(reads == before);
}

TEST_CASE("a sleeping instance's timer fires") {
  SmallWorld world;
  world.start("i", "sleeps");
  world.time.advance(59min);
  CHECK(world.state("i") == WorkflowState::running);
  CHECK(world.until_state("i", WorkflowState::completed, 2min));
}

TEST_CASE("a sleeping instance hears the answer of its call, and the call is not made again") {
  SmallWorld world;
  world.start("i", "asks");
  world.time.advance(10s);
  REQUIRE(world.agents->seen.size() == 1);
  world.agents->answer(Value("done"));
  CHECK(world.until_state("i", WorkflowState::completed));
  CHECK(world.agents->seen.size() == 1);
}

TEST_CASE("a sleeping instance is described, watched, paused and cancelled as any other") {
  SmallWorld world;
  world.start("i", "waits");
  world.time.advance(2s);
  const auto ended = world.ask("i", engine::WatchDemand{});
  const auto described = world.ask("i", engine::DescribeDemand{});
  world.time.advance(2s);
  REQUIRE(described->ok());
  CHECK(*(*described->result)->find("state") == Value("running"));
  CHECK(world.ask("i", kernel::Pause{}) != nullptr);
  CHECK(world.until_state("i", WorkflowState::paused));
  world.time.advance(2s);
  world.ask("i", kernel::Cancel{});
  world.time.advance(2s);
  REQUIRE(ended->ok());
  CHECK(*(*ended->result)->find("state") == Value("cancelled"));
}

TEST_CASE("a second start of a sleeping instance finds it") {
  SmallWorld world;
  world.start("i", "waits");
  world.time.advance(2s);
  const auto again = world.start("i", "waits");
  const auto other = world.start("i", "waits", object({{"note", "another input"}}));
  world.time.advance(2s);
  REQUIRE(again->ok());
  CHECK(**again->result == Value(true));
  CHECK(other->code() == code::conflict);
}

TEST_CASE("sleeping instances survive a crash, with their signals and timers") {
  SmallWorld world;
  world.start("s", "waits");
  world.start("t", "sleeps");
  world.time.advance(10s);
  world.crash();
  world.node();
  world.ask("s", kernel::Signal{"go", Value(1)});
  world.time.advance(2s);
  CHECK(world.agents->seen.size() == 1);
  CHECK(world.until_state("t", WorkflowState::completed, 2h));
}

TEST_CASE("who takes over arms the timers of sleeping instances, and reads none of them one by one") {
  SmallWorld world;
  for (const char* id : {"s1", "s2"}) world.start(id, "waits");
  for (const char* id : {"t1", "t2"}) world.start(id, "sleeps");
  world.time.advance(10s);
  world.crash();
  world.reads = 0;
  world.node();
  world.time.advance(59min);
  CHECK(world.reads == 0);
  CHECK(world.until_state("t1", WorkflowState::completed, 2min));
  CHECK(world.until_state("t2", WorkflowState::completed, 2min));
}

TEST_CASE("who takes over does not ask the store for each instance that ended lately") {
  World world;
  int reads = 0;
  world.faults = [&reads](const StoreOperation& operation) {
    if (operation.call == StoreCall::instance) ++reads;
    return StoreDecision{};
  };
  world.agents->script = [](const Envelope&) { return Result<Value>(Value(1)); };
  world.add(definition(kAsks));
  world.add(definition(kWaits));
  world.node();
  world.start("w", "waits");  // holds the log back
  for (int number = 0; number < 50; ++number) world.start("i" + std::to_string(number), "asks");
  world.time.advance(10s);
  CHECK(world.state("i49") == WorkflowState::completed);
  world.crash();
  reads = 0;
  world.node();
  world.time.advance(10s);
  CHECK(reads == 0);
  CHECK(world.agents->seen.size() == 50);
  CHECK(world.state("w") == WorkflowState::running);
}

TEST_CASE("who looks at all unfinished instances sees those that sleep, and those whose records the log has") {
  SmallWorld world;
  for (const char* id : {"a", "b"}) world.start(id, "waits");
  world.start("t", "sleeps");
  world.time.advance(10s);
  world.crash();
  world.options.instance_bytes = 64u << 20;
  world.node();
  world.start("c", "waits");  // stays in memory, and gets no snapshot
  world.time.advance(2s);
  const auto seen = [&world](std::string_view workflow) {
    std::vector<std::string> ids;
    for (std::uint32_t partition = 0; partition < world.store->shared_partitions(); ++partition)
      CHECK(engine::visit_unfinished(*world.store, *world.programs, persistence::Partition(partition), workflow,
                                     [&ids](const kernel::Program&, const kernel::State& state) { ids.push_back(state.id); })
                ->empty());
    std::ranges::sort(ids);
    return ids;
  };
  CHECK(seen("") == std::vector<std::string>{"a", "b", "c", "t"});
  CHECK(seen("waits") == std::vector<std::string>{"a", "b", "c"});
}

TEST_CASE("an instance whose call is open when the node crashes makes it again, also when it slept") {
  SmallWorld world;
  world.start("i", "asks");
  world.time.advance(10s);
  world.crash();
  world.node();
  world.time.advance(10s);
  REQUIRE(world.agents->seen.size() == 2);
  CHECK(world.agents->seen[0].idempotency_key == world.agents->seen[1].idempotency_key);
}

TEST_CASE("while the store does not answer, a timer waits; a request is refused") {
  SmallWorld world;
  world.start("i", "sleeps");
  world.start("j", "waits");
  world.time.advance(2s);
  world.faults = [](const StoreOperation& operation) {
    return StoreDecision{operation.call == StoreCall::instance ? StoreFault::error_before : StoreFault::none, {}};
  };
  const auto told = world.ask("j", kernel::Signal{"go", Value(1)});
  world.time.advance(2h);
  CHECK(told->code() == code::unavailable);
  CHECK(world.state("i") == WorkflowState::running);
  world.faults = {};
  CHECK(world.until_state("i", WorkflowState::completed, 1min));
}

TEST_CASE("no instance goes to sleep on a snapshot that may get lost") {
  SmallWorld world;
  world.start("i", "waits");
  world.time.advance(2s);
  // The commit that would carry its next snapshot fails: what it is then comes from the store, as after a crash.
  bool fail_next = true;
  world.faults = [&fail_next](const StoreOperation& operation) {
    if (operation.call != StoreCall::commit || !fail_next) return StoreDecision{};
    fail_next = false;
    return StoreDecision{StoreFault::error_before, {}};
  };
  const auto told = world.ask("i", kernel::Signal{"go", Value(7)});
  world.time.advance(1min);
  CHECK_FALSE(told->ok());
  const auto again = world.ask("i", kernel::Signal{"go", Value(8)});
  world.time.advance(2s);
  CHECK(again->ok());
  REQUIRE(world.agents->seen.size() == 1);
  CHECK(world.agents->seen.front().data == Value(8));
}

TEST_CASE("while its snapshot is on its way to the store an instance stays in memory") {
  SmallWorld world;
  world.start("i", "waits");
  world.time.advance(2s);
  world.faults = [](const StoreOperation& operation) {
    return StoreDecision{StoreFault::none, operation.call == StoreCall::commit ? Duration(1s) : Duration{}};
  };
  const auto told = world.ask("i", kernel::Signal{"go", Value(7)});
  world.time.advance(500ms);  // the commit that carries the signal and a snapshot is not durable
  const auto described = world.ask("i", engine::DescribeDemand{});
  world.time.advance(5s);
  CHECK(told->ok());
  REQUIRE(described->ok());
  CHECK(world.agents->seen.size() == 1);
}

TEST_CASE("an instance that fell asleep and does not read back stands still, and who waits for its end is told") {
  SmallWorld world;
  world.start("i", "dozes");
  world.time.advance(200ms);
  const auto ended = world.ask("i", engine::WatchDemand{});
  world.time.advance(100ms);
  // Its snapshot is damaged, as on a failing disk.
  auto row = *world.store->instance("i");
  row.snapshot.back() ^= 1;
  const auto lease = world.store->acquire(row.partition, "a", 1s, world.time.now());
  world.store->commit({*lease, {}, {row}, {}, {}, {}, {}}, [](Result<persistence::LogPosition> done) { REQUIRE(done); });
  world.time.advance(1s);
  CHECK(ended->code() == code::corrupt);
}
