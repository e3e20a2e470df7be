// What the fault-injecting wrapper does when it is told to.
#include "persistence/faulty.h"

#include <doctest/doctest.h>

#include "persistence/helpers.h"
#include "persistence/memory.h"

using namespace mapflow;
using namespace mapflow::persistence;
using namespace mapflow::persistence::testing;

namespace {

/// A memory store behind a wrapper whose next operations fail as the list says; a scheduler under the test's control.
struct Setup {
  std::shared_ptr<Store> inner = make_memory_store();
  std::map<std::uint64_t, StoreDecision> decisions;  ///< by number of the operation
  std::vector<StoreOperation> operations;
  std::vector<std::pair<Duration, std::move_only_function<void()>>> scheduled;
  std::unique_ptr<Store> store = make_faulty_store(
      inner, {.decide =
                  [this](const StoreOperation& operation) {
                    operations.push_back(operation);
                    const auto found = decisions.find(operation.number);
                    return found == decisions.end() ? StoreDecision{} : found->second;
                  },
              .schedule = [this](Duration delay, std::move_only_function<void()> function) {
                scheduled.emplace_back(delay, std::move(function));
              }});
  Lease lease = acquire(*store, Partition(1));  // operation 1
};

}  // namespace

TEST_CASE("an error before the commit leaves nothing behind, and ends the lease") {
  Setup setup;
  setup.decisions[2].fault = StoreFault::error_before;
  CHECK(error_code(commit(*setup.store, log_commit(setup.lease, "lost"))) == code::unavailable);
  const auto next = commit(*setup.store, log_commit(setup.lease, "next"));
  REQUIRE(error_code(next) == code::fenced);
  CHECK(next.error().cause->is(code::unavailable));
  CHECK(log_texts(*setup.inner, Partition(1)).empty());
  const Lease anew = acquire(*setup.store, Partition(1));
  CHECK(commit(*setup.store, log_commit(anew, "x"))->value == 1);
}

TEST_CASE("an error after the commit hides that it happened; nothing follows it, and reading finds it") {
  Setup setup;
  setup.decisions[2].fault = StoreFault::error_after;
  CHECK(error_code(commit(*setup.store, log_commit(setup.lease, "there"))) == code::unavailable);
  CHECK(error_code(commit(*setup.store, log_commit(setup.lease, "not there"))) == code::fenced);
  acquire(*setup.store, Partition(1));
  CHECK(log_texts(*setup.store, Partition(1)) == std::vector<std::string>{"there"});
}

TEST_CASE("a lost lease is another node's for a moment, and free for anyone after it") {
  Setup setup;
  setup.decisions[2].fault = StoreFault::lease_lost;
  CHECK(error_code(commit(*setup.store, log_commit(setup.lease, "x"))) == code::fenced);
  CHECK(setup.inner->leases()->front().node == "intruder");
  const Lease anew = acquire(*setup.store, Partition(1));
  CHECK(anew.epoch.value == setup.lease.epoch.value + 2);
  setup.decisions[setup.operations.back().number + 1].fault = StoreFault::lease_lost;
  CHECK(error_code(setup.store->renew(anew, kTtl, kNow)) == code::fenced);
}

TEST_CASE("a delayed done comes when its time has come, and those behind it wait") {
  Setup setup;
  setup.decisions[2].delay = 30ms;
  setup.decisions[4].delay = 10ms;
  Outcomes outcomes;
  for (int number = 0; number < 3; ++number) setup.store->commit(log_commit(setup.lease, "x"), outcomes.done(number));
  CHECK(outcomes.order().empty());
  CHECK(log_texts(*setup.store, Partition(1)).size() == 3);
  REQUIRE(setup.scheduled.size() == 2);
  CHECK(setup.scheduled[0].first == 30ms);
  CHECK(setup.scheduled[1].first == 10ms);
  setup.scheduled[1].second();
  CHECK(outcomes.order().empty());
  setup.scheduled[0].second();
  CHECK(outcomes.order() == std::vector<int>{0, 1, 2});
}

TEST_CASE("the wrapper's end calls every done that it holds back, once") {
  Setup setup;
  setup.decisions[2].delay = 30ms;
  Outcomes outcomes;
  setup.store->commit(log_commit(setup.lease, "x"), outcomes.done(0));
  setup.store->commit(log_commit(setup.lease, "y"), outcomes.done(1));
  setup.store.reset();
  CHECK(outcomes.order() == std::vector<int>{0, 1});
  setup.scheduled[0].second();
  CHECK(outcomes.order().size() == 2);
}

TEST_CASE("every call can fail before it happens, and writes also after") {
  Setup setup;
  const auto fault_next = [&](StoreFault fault) { setup.decisions[setup.operations.back().number + 1].fault = fault; };
  fault_next(StoreFault::error_before);
  CHECK(error_code(setup.store->post(Partition(1), "x")) == code::unavailable);
  CHECK(setup.inner->inbox(Partition(1), InboxPosition(0), 10)->empty());
  fault_next(StoreFault::error_after);
  CHECK(error_code(setup.store->post(Partition(1), "x")) == code::unavailable);
  CHECK(setup.inner->inbox(Partition(1), InboxPosition(0), 10)->size() == 1);
  fault_next(StoreFault::error_before);
  CHECK(error_code(setup.store->acquire(Partition(2), "n", kTtl, kNow)) == code::unavailable);
  CHECK(setup.inner->acquire(Partition(2), "n", kTtl, kNow)->epoch.value == 1);

  const std::vector<std::function<std::string()>> calls = {
      [&] { return error_code(setup.store->create_private_partition()); },
      [&] { return error_code(setup.store->renew(setup.lease, kTtl, kNow)); },
      [&] { return error_code(setup.store->release(setup.lease)); },
      [&] { return error_code(setup.store->leases()); },
      [&] { return error_code(setup.store->read_log(Partition(1), LogPosition(1), 1)); },
      [&] { return error_code(setup.store->instance("a")); },
      [&] { return error_code(setup.store->unfinished(Partition(1), "", 1)); },
      [&] { return error_code(setup.store->list({})); },
      [&] { return error_code(setup.store->history("a")); },
      [&] { return error_code(setup.store->definition("h")); },
      [&] { return error_code(setup.store->inbox(Partition(1), InboxPosition(0), 1)); },
  };
  for (const auto& call : calls) {
    fault_next(StoreFault::error_before);
    CHECK(call() == code::unavailable);
  }
}
