// Time: waits, timeouts and retries are due when they are due, whatever happens to the node meanwhile.
#include <doctest/doctest.h>

#include <algorithm>
#include <ranges>

#include "engine/timer_queue.h"
#include "engine/world.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;

TEST_CASE("a wait ends when its time has come, and no sooner") {
  World world;
  world.add(definition("id: sleepy\nsteps: [{ id: nap, type: wait, duration: 60s }]"));
  world.node();
  world.start("i", "sleepy");
  SUBCASE("undisturbed") { world.time.advance(59s); }
  SUBCASE("across a restart") {
    world.time.advance(20s);
    world.crash();
    world.time.advance(20s);
    world.node();
    world.time.advance(19s);
  }
  CHECK(world.state("i") == WorkflowState::running);
  world.time.advance(2s);
  CHECK(world.state("i") == WorkflowState::completed);
}

TEST_CASE("a wait that fell due while nobody ran ends as soon as somebody does") {
  World world;
  world.add(definition("id: sleepy\nsteps: [{ id: nap, type: wait, duration: 60s }]"));
  world.node();
  world.start("i", "sleepy");
  world.time.advance(1s);
  world.crash();
  world.time.advance(10min);
  world.node();
  world.time.advance(100ms);
  CHECK(world.state("i") == WorkflowState::completed);
}

TEST_CASE("a retry waits out its delay across a restart, and the attempt counts on") {
  World world;
  world.add(definition(R"(
id: flaky
steps: [{ id: ask, type: message, destination: agent, action: work, retry: { max_attempts: 3, initial_delay: 30s } }]
)"));
  world.node();
  world.start("i", "flaky");
  world.time.run_ready();
  world.agents->answer(fail(code::unavailable, "not now"));
  world.time.advance(10s);
  world.crash();
  world.node();
  world.time.advance(19s);
  CHECK(world.agents->seen.size() == 1);
  world.time.advance(2s);
  REQUIRE(world.agents->seen.size() == 2);
  CHECK(world.agents->seen[1].attempt == 2);
  CHECK(world.agents->seen[1].idempotency_key == world.agents->seen[0].idempotency_key);
}

TEST_CASE("a call whose time is up is given up") {
  World world;
  world.add(definition(R"(
id: slow
steps: [{ id: ask, type: message, destination: agent, action: work, timeout: 5s }]
)"));
  world.node();
  world.start("i", "slow");
  world.time.advance(4s);
  CHECK(world.agents->cancelled.empty());
  world.time.advance(2s);
  REQUIRE(world.agents->cancelled.size() == 1);
  CHECK(world.agents->cancelled[0] == world.agents->seen[0].id);
  CHECK(world.state("i") == WorkflowState::failed);
}

TEST_CASE("ten thousand sleepers wake in order") {
  World world(1);
  world.add(definition("id: nap\nsteps: [{ id: nap, type: wait, duration: '{{ seconds }}' }]"));
  world.node();
  for (int i = 0; i < 10'000; ++i)
    world.start("i" + std::to_string(i), "nap", object({{"seconds", (i * 7919) % 1000 + 1}}));
  world.time.advance(500s);
  const auto running = std::ranges::count_if(std::views::iota(0, 10'000), [&](int i) {
    return !world.store->instance("i" + std::to_string(i))->finished;
  });
  CHECK(running == 5000);
  world.time.advance(501s);
  CHECK(world.store->unfinished(persistence::Partition(0), "", 10)->empty());
}

TEST_CASE("the timer queue keeps one entry per instance, always the earliest first") {
  engine::TimerQueue queue;
  std::vector<engine::Instance> instances(200);
  const auto at = [](int micros) { return from_micros(micros); };
  for (int i = 0; i < 200; ++i) queue.set(instances[i], at((i * 37) % 200 + 1000));
  for (int i = 0; i < 200; i += 2) queue.set(instances[i], at((i * 53) % 200));   // moved, earlier
  for (int i = 0; i < 200; i += 5) queue.set(instances[i], kNever);               // taken out
  CHECK(queue.size() == 160);
  CHECK(queue.take_due(at(-1)) == nullptr);
  Timestamp last = at(0);
  std::size_t taken = 0;
  while (queue.size() > 0) {
    const Timestamp due = queue.next();
    CHECK(due >= last);
    last = due;
    REQUIRE(queue.take_due(due) != nullptr);
    ++taken;
  }
  CHECK(taken == 160);
  CHECK(queue.next() == kNever);
}
