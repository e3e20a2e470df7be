// Who may run among the instances of one workflow: the book alone.
#include <doctest/doctest.h>

#include "engine/turns.h"

using namespace mapflow;
using namespace mapflow::engine;
using namespace std::chrono_literals;

namespace {

InstanceRef ref(std::uint32_t number) { return {number, 1}; }

TurnWish wish(std::uint32_t number, const Concurrency& rules, std::string key = {}, std::uint32_t priority = kUsualPriority, Duration since = 0s) {
  return {ref(number), "flow", std::move(key), rules, priority, from_micros(1'700'000'000'000'000) + since};
}

const Concurrency kTwo{.max_running = 2};
const Concurrency kOnePerKey{.key = "k"};

}  // namespace

TEST_CASE("max_running lets so many run, and the next one follows when one is over") {
  Turns turns;
  CHECK(turns.has_place("flow", kTwo, ""));
  turns.run(wish(1, kTwo));
  turns.run(wish(2, kTwo));
  CHECK_FALSE(turns.has_place("flow", kTwo, ""));
  turns.wait(wish(3, kTwo, "", 5, 1s));
  turns.wait(wish(4, kTwo, "", 9, 2s));
  CHECK(turns.next("flow") == InstanceRef{});
  CHECK(turns.leave(ref(1)) == "flow");
  CHECK(turns.next("flow") == ref(4));
  CHECK(turns.next("flow") == InstanceRef{});
  turns.leave(ref(4));
  CHECK(turns.next("flow") == ref(3));
  for (std::uint32_t each : {2, 3}) turns.leave(ref(each));
  CHECK(turns.workflows().empty());
  CHECK(turns.leave(ref(3)).empty());
}

TEST_CASE("a key that is busy does not hold back who waits behind it for another") {
  Turns turns;
  turns.run(wish(1, kOnePerKey, "a"));
  CHECK_FALSE(turns.has_place("flow", kOnePerKey, "a"));
  CHECK(turns.has_place("flow", kOnePerKey, "b"));
  turns.run(wish(2, kOnePerKey, "b"));
  turns.wait(wish(3, kOnePerKey, "a"));
  turns.wait(wish(4, kOnePerKey, "b"));
  CHECK(turns.somebody_waits("flow", kOnePerKey, "b"));
  CHECK_FALSE(turns.somebody_waits("flow", kOnePerKey, "c"));
  turns.leave(ref(2));
  CHECK(turns.next("flow") == ref(4));
  turns.leave(ref(3));  // it was cancelled while it waited
  turns.leave(ref(1));
  CHECK(turns.next("flow") == InstanceRef{});
}

TEST_CASE("nobody waits for ever behind the urgent") {
  Turns turns;
  turns.run(wish(1, kTwo));
  turns.wait(wish(2, Concurrency{.max_running = 1}, "", 0, 0s));
  turns.wait(wish(3, Concurrency{.max_running = 1}, "", 9, 8min));
  turns.wait(wish(4, Concurrency{.max_running = 1}, "", 9, 10min));
  std::vector<InstanceRef> order;
  for (std::uint32_t over : {1, 3, 2}) {
    turns.leave(ref(over));
    order.push_back(turns.next("flow"));
  }
  CHECK(order == std::vector<InstanceRef>{ref(3), ref(2), ref(4)});
}

TEST_CASE("who is replaced: all that wait with the key, and the oldest that run with it") {
  Turns turns;
  const Concurrency rules{.max_running = 3, .key = "k", .limit = 2, .on_conflict = OnConflict::replace};
  turns.run(wish(1, rules, "a"));
  turns.run(wish(2, rules, "b"));
  CHECK(turns.in_the_way("flow", rules, "a").empty());
  turns.run(wish(3, rules, "a"));
  CHECK(turns.in_the_way("flow", rules, "a") == std::vector<InstanceRef>{ref(1)});
  CHECK(turns.in_the_way("flow", rules, "c") == std::vector<InstanceRef>{ref(1)});  // three run: one must go
  turns.wait(wish(4, rules, "a"));
  CHECK(turns.in_the_way("flow", rules, "a") == std::vector<InstanceRef>{ref(4), ref(1)});
  CHECK(turns.in_the_way("other", rules, "a").empty());
}
