#include "persistence/server_checks.h"

#include <algorithm>
#include <vector>

namespace mapflow::persistence::testing {

std::unique_ptr<Store> open_or_fail(const std::string& url) {
  auto store = open(url);
  REQUIRE_MESSAGE(store, store.error().to_string());
  return *std::move(store);
}

void check_refused(const std::string& url, std::string_view error, std::string_view said) {
  const auto refused = open(url);
  REQUIRE(error_code(refused) == error);
  INFO(refused.error().to_string());
  CHECK(refused.error().to_string().find(said) != std::string::npos);
  CHECK(refused.error().to_string().find("s3cret") == std::string::npos);
}

void check_lost_answer(Proxied at) {
  const Lease lease = acquire(*at.store, Partition(0));
  REQUIRE(commit(*at.store, log_commit(lease, "before")));
  at.proxy.drop_answers(true);
  Outcomes outcomes;
  at.store->commit(log_commit(lease, "once"), outcomes.done(0));
  at.wait_for_log(2);
  at.proxy.drop_answers(false);
  at.proxy.cut_clients();
  const auto ends = outcomes.wait(1);
  REQUIRE_MESSAGE(ends.at(0), ends.at(0).error().to_string());
  CHECK(ends.at(0)->value == 2);
  CHECK(commit(*at.store, log_commit(lease, "after"))->value == 3);
  CHECK(log_texts(*at.direct, Partition(0)) == std::vector<std::string>{"before", "once", "after"});
}

void check_late_request(Proxied at) {
  const Lease lease = acquire(*at.store, Partition(0));
  REQUIRE(commit(*at.store, log_commit(lease, "before")));
  at.proxy.hold_requests(true);
  Outcomes outcomes;
  at.store->commit(log_commit(lease, "once"), outcomes.done(0));
  at.proxy.wait_for_held();
  at.proxy.hold_requests(false);
  at.proxy.cut_clients();
  const auto ends = outcomes.wait(1);
  REQUIRE_MESSAGE(ends.at(0), ends.at(0).error().to_string());
  CHECK(ends.at(0)->value == 2);
  at.proxy.deliver_held();
  CHECK(commit(*at.store, log_commit(lease, "after"))->value == 3);
  CHECK(log_texts(*at.direct, Partition(0)) == std::vector<std::string>{"before", "once", "after"});
}

void check_taken_meanwhile(Proxied at) {
  const Lease lease = acquire(*at.store, Partition(0));
  REQUIRE(commit(*at.store, log_commit(lease, "before")));
  at.proxy.drop_answers(true);
  Outcomes outcomes;
  at.store->commit(log_commit(lease, "perhaps"), outcomes.done(0));
  at.wait_for_log(2);
  const Lease taken = acquire(*at.direct, Partition(0), "n2", kNow + 1h);
  at.proxy.drop_answers(false);
  at.proxy.cut_clients();
  CHECK(error_code(outcomes.wait(1).at(0)) == code::unavailable);
  CHECK(error_code(commit(*at.store, log_commit(lease, "late"))) == code::fenced);
  CHECK(commit(*at.direct, log_commit(taken, "theirs"))->value == 3);
}

RestlessOwner::RestlessOwner(Store& store) : store_(store), thread_([this] { run(); }) {}

void RestlessOwner::run() {
  for (int number = 0; !stop_;) {
    const auto lease = store_.acquire(Partition(0), "n1", kTtl, kNow);
    for (bool broken = !lease; !broken && !stop_;) {
      Outcomes outcomes;
      const int first = number;
      for (; number < first + 10; ++number) {
        Commit commit = log_commit(*lease, std::to_string(number));
        commit.rows = {row("a", Partition(0), static_cast<std::uint64_t>(number))};
        store_.commit(std::move(commit), outcomes.done(number));
      }
      for (const auto& [which, outcome] : outcomes.wait(10)) {
        if (outcome) kept_.insert(std::to_string(which));
        else broken = true;
      }
      acknowledged_ = kept_.size();
    }
  }
}

void RestlessOwner::wait_for_more(std::size_t commits) {
  wait_until([&, before = acknowledged_.load()] { return acknowledged_ >= before + commits; });
}

void RestlessOwner::check_kept() {
  stop_ = true;
  thread_.join();
  const auto texts = log_texts(store_, Partition(0));
  const std::set<std::string> found(texts.begin(), texts.end());
  CHECK(found.size() == texts.size());  // nothing twice
  CHECK(std::ranges::includes(found, kept_));
  CHECK(kept_.size() > 200);
}

void check_shared_transactions(const std::string& url) {
  const auto store = open_or_fail(url);
  const Lease lease = acquire(*store, Partition(0)), other = acquire(*store, Partition(1));
  Outcomes outcomes;
  for (int number = 0; number < 1000; ++number)
    store->commit(log_commit(number % 2 ? lease : other, "x"), outcomes.done(number));
  for (const auto& [number, outcome] : outcomes.wait(1000)) CHECK(outcome);
  CHECK(store->commit_transactions() > 0);
  CHECK(store->commit_transactions() < 300);
}

void check_hints(const std::string& url) {
  const auto store = open_or_fail(url), other = open_or_fail(url);
  std::atomic<bool> once = false;
  const auto hints = store->on_post([&](Partition partition) {
    if (partition == Partition(3)) once = true;
  });
  // The listening begins some time after the call; a hint may be missed, so what is posted is posted again.
  wait_until([&] {
    REQUIRE(other->post(Partition(3), "command"));
    return once.load();
  });
}

void check_made_at_once(const std::string& url) {
  std::vector<std::thread> threads;
  std::atomic<int> opened = 0;
  for (int number = 0; number < 6; ++number)
    threads.emplace_back([&] {
      const auto store = open(url);
      if (store && (*store)->shared_partitions() == 8) ++opened;
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(opened == 6);
}

void check_partition_count(const std::string& url) {
  CHECK(open_or_fail(url + "&partitions=3")->shared_partitions() == 3);
  CHECK(open_or_fail(url + "&partitions=5")->shared_partitions() == 3);
}

}  // namespace mapflow::persistence::testing
