// The parts that own threads.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "engine/clock.h"
#include "engine/event_bus.h"
#include "engine/instance_id.h"
#include "engine/thread_executor.h"
#include "engine/worker_pool.h"

using namespace mapflow;
using namespace mapflow::engine;
using namespace std::chrono_literals;

TEST_CASE("a thread executor runs tasks in order, and timed ones when they are due") {
  ThreadExecutor executor("test");
  const SystemClock clock;
  std::vector<int> order;
  std::promise<void> done;
  const Timestamp now = clock.now();
  executor.post_at(now + 20ms, [&] {
    order.push_back(4);
    CHECK(clock.now() >= now + 20ms);
    done.set_value();
  });
  executor.post_at(now + 10ms, [&] { order.push_back(3); });
  executor.post([&] { order.push_back(1); });
  executor.post([&] { order.push_back(2); });
  done.get_future().get();
  CHECK(order == std::vector{1, 2, 3, 4});
}

TEST_CASE("a stopped executor runs nothing and keeps nothing") {
  const auto token = std::make_shared<int>(0);
  ThreadExecutor executor("test");
  executor.post_at(kNever, [token] {});
  executor.stop();
  executor.post([token] { FAIL("must not run"); });
  CHECK(token.use_count() == 1);
}

TEST_CASE("an executor may be given tasks by its own tasks and by many threads") {
  ThreadExecutor executor("test");
  std::atomic<int> left = 3000;
  std::promise<void> done;
  const auto count = [&] {
    if (--left == 0) done.set_value();
  };
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread)
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i)
        executor.post([&] {
          count();
          executor.post(count);
        });
    });
  for (std::thread& thread : threads) thread.join();
  done.get_future().get();
  CHECK(left == 0);
}

TEST_CASE("a worker pool takes as much as it has room for") {
  std::promise<void> hold;
  const std::shared_future<void> held = hold.get_future().share();
  std::atomic<int> ran = 0;
  std::promise<void> busy;
  WorkerPool pool(1, 2);
  Task first = [&, held] {
    busy.set_value();
    held.wait();
    ++ran;
  };
  REQUIRE(pool.try_post(first));
  busy.get_future().get();  // it runs, so the queue is empty
  std::promise<void> last;
  Task second = [&] { ++ran; };
  Task third = [&] {
    ++ran;
    last.set_value();
  };
  Task fourth = [&] { ++ran; };
  CHECK(pool.try_post(second));
  CHECK(pool.try_post(third));
  CHECK_FALSE(pool.try_post(fourth));
  CHECK(fourth != nullptr);  // it was left with us
  hold.set_value();
  last.get_future().get();
  CHECK(ran == 3);
}

namespace {

std::vector<InstanceEvent> some_events(int first, int count) {
  std::vector<InstanceEvent> events;
  for (int i = 0; i < count; ++i) {
    kernel::Event event;
    event.seq = static_cast<std::uint64_t>(first + i);
    event.type = "step.completed";
    events.push_back({"i", std::move(event)});
  }
  return events;
}

}  // namespace

TEST_CASE("every subscriber gets every event, in order") {
  EventBus bus;
  CHECK_FALSE(bus.wanted());
  std::vector<std::uint64_t> one, two;
  bus.subscribe([&](const std::string&, const kernel::Event& event) { one.push_back(event.seq); });
  bus.subscribe([&](const std::string&, const kernel::Event& event) { two.push_back(event.seq); });
  CHECK(bus.wanted());
  for (int batch = 0; batch < 100; ++batch) bus.publish(some_events(batch * 3, 3));
  bus.flush(60s);
  REQUIRE(one.size() == 300);
  CHECK(std::ranges::is_sorted(one));
  CHECK(one == two);
}

TEST_CASE("a subscriber that is too slow is told how much it missed") {
  EventBus bus({}, 10);
  std::promise<void> hold;
  const std::shared_future<void> held = hold.get_future().share();
  std::promise<void> stuck;
  std::vector<std::uint64_t> slow;
  std::int64_t dropped = 0;
  bus.subscribe([&, first = true](const std::string&, const kernel::Event& event) mutable {
    if (std::exchange(first, false)) {
      stuck.set_value();
      held.wait();
    }
    if (event.type == "events.dropped")
      dropped += event.data.find("count")->as_integer();
    else
      slow.push_back(event.seq);
  });
  bus.publish(some_events(0, 1));
  stuck.get_future().get();
  for (int batch = 0; batch < 10; ++batch) bus.publish(some_events(1 + batch * 5, 5));
  hold.set_value();
  bus.flush(60s);
  CHECK(dropped == 40);
  CHECK(slow.size() == 11);
  CHECK(slow.back() == 50);
}

TEST_CASE("what a subscriber throws goes no further and is logged once") {
  std::atomic<int> lines = 0;
  std::vector<std::uint64_t> other;
  EventBus bus([&](std::string_view, std::string_view) { ++lines; });
  bus.subscribe([](const std::string&, const kernel::Event&) { throw std::runtime_error("no"); });
  bus.subscribe([&](const std::string&, const kernel::Event& event) { other.push_back(event.seq); });
  bus.publish(some_events(0, 3));
  bus.flush(60s);
  CHECK(lines == 1);
  CHECK(other.size() == 3);
}

TEST_CASE("instance ids differ and sort by time") {
  SystemRandom random;
  const std::string early = make_instance_id(from_micros(1'700'000'000'000'000), random);
  const std::string late = make_instance_id(from_micros(1'700'000'001'000'000), random);
  CHECK(early.size() == 26);
  CHECK(early < late);
  CHECK(make_instance_id(from_micros(0), random) != make_instance_id(from_micros(0), random));
}
