#include "persistence/contract.h"
#include "persistence/helpers.h"

namespace mapflow::persistence::testing {
namespace {

/// A commit with one of everything.
Commit full_commit(const Lease& lease, const std::string& id, std::uint64_t seq) {
  Commit commit = log_commit(lease, "log of " + id);
  commit.rows.push_back(row(id, lease.partition, seq));
  commit.history.push_back({id, 1, seq, "records of " + id});
  commit.definitions.push_back({"hash of " + id, "orders", "1", "{}"});
  return commit;
}

void check_absent(Store& store, const std::string& id) {
  CHECK(error_code(store.instance(id)) == code::not_found);
  CHECK(store.history(id)->empty());
  CHECK(error_code(store.definition("hash of " + id)) == code::not_found);
}

}  // namespace

void check_commits(const StoreFactory& make) {
  const auto tested = make();
  Store& store = tested->store();
  const Partition p0(0), p1(1);
  const Lease lease = acquire(store, p0);

  SUBCASE("all parts of a commit are there when done is called, also for another process") {
    const auto posted = store.post(p0, "command");
    REQUIRE(posted);
    REQUIRE(commit(store, log_commit(lease, "old")));
    Commit full = full_commit(lease, "a", 3);
    full.truncate_before = LogPosition(2);
    full.inbox_through = *posted;
    const auto position = commit(store, std::move(full));
    REQUIRE(position);
    CHECK(position->value == 2);

    Store& reader = tested->other();
    CHECK(log_texts(reader, p0) == std::vector<std::string>{"log of a"});
    CHECK(reader.instance("a")->seq == 3);
    REQUIRE(reader.history("a")->size() == 1);
    CHECK(reader.history("a")->front().records == "records of a");
    CHECK(reader.definition("hash of a")->document == "{}");
    CHECK(reader.inbox(p0, InboxPosition(0), 10)->empty());
  }

  SUBCASE("a fenced commit changes nothing") {
    const auto posted = store.post(p0, "command");
    REQUIRE(commit(store, log_commit(lease, "kept")));
    const Lease next = acquire(tested->other(), p0, "n2", kNow + 1h);
    Commit late = full_commit(lease, "a", 3);
    late.truncate_before = LogPosition(2);
    late.inbox_through = *posted;
    CHECK(error_code(commit(store, std::move(late))) == code::fenced);
    check_absent(tested->other(), "a");
    CHECK(log_texts(store, p0) == std::vector<std::string>{"kept"});
    CHECK(store.inbox(p0, InboxPosition(0), 10)->size() == 1);
    CHECK(commit(tested->other(), log_commit(next, "next"))->value == 2);
  }

  SUBCASE("an epoch that was never given is fenced") {
    Lease future = lease;
    ++future.epoch.value;
    CHECK(error_code(commit(store, log_commit(future, "x"))) == code::fenced);
    CHECK(log_texts(store, p0).empty());
  }

  SUBCASE("an expired lease that nobody took still writes") {
    const Lease expired = *store.acquire(p1, "n1", -1h, kNow);
    CHECK(commit(store, log_commit(expired, "x")));
  }

  SUBCASE("a commit that fails halfway changes nothing, and those queued around it are not harmed") {
    const Lease elsewhere = acquire(store, p1);
    REQUIRE(commit(store, full_commit(elsewhere, "theirs", 1)));
    Outcomes outcomes;
    for (int number = 0; number < 10; ++number)
      store.commit(log_commit(elsewhere, std::to_string(number)), outcomes.done(number));
    Commit stolen = full_commit(lease, "a", 3);
    stolen.rows.push_back(row("theirs", p0));
    store.commit(std::move(stolen), outcomes.done(10));
    for (int number = 11; number < 20; ++number)
      store.commit(log_commit(elsewhere, std::to_string(number)), outcomes.done(number));
    for (const auto& [number, outcome] : outcomes.wait(20))
      CHECK(error_code(outcome) == (number == 10 ? code::conflict : "ok"));
    check_absent(tested->other(), "a");
    CHECK(log_texts(store, p0).empty());
    CHECK(log_texts(store, p1).size() == 20);
    CHECK(store.instance("theirs")->partition == p1);
  }

  SUBCASE("a row of another partition than the lease's is refused") {
    Commit wrong = log_commit(lease, "x");
    wrong.rows.push_back(row("a", p1));
    CHECK(error_code(commit(store, std::move(wrong))) == code::conflict);
    check_absent(store, "a");
  }

  SUBCASE("commits take effect, and are answered, in the order of the calls") {
    Outcomes outcomes;
    std::vector<std::string> expected;
    std::vector<int> order;
    for (int number = 0; number < 300; ++number) {
      store.commit(log_commit(lease, std::to_string(number)), outcomes.done(number));
      expected.push_back(std::to_string(number));
      order.push_back(number);
    }
    for (const auto& [number, outcome] : outcomes.wait(300)) {
      REQUIRE(outcome);
      CHECK(outcome->value == static_cast<std::uint64_t>(number) + 1);
    }
    CHECK(outcomes.order() == order);
    CHECK(log_texts(tested->other(), p0) == expected);
  }

  SUBCASE("after a failed commit the lease is worth nothing until the partition is acquired anew") {
    const Lease elsewhere = acquire(store, p1);
    REQUIRE(commit(store, full_commit(elsewhere, "theirs", 1)));
    Outcomes outcomes;
    store.commit(log_commit(lease, "before"), outcomes.done(0));
    Commit conflicting = log_commit(lease, "conflicting");
    conflicting.rows.push_back(row("theirs", p0));
    store.commit(std::move(conflicting), outcomes.done(1));
    store.commit(log_commit(lease, "after"), outcomes.done(2));
    store.commit(log_commit(elsewhere, "unharmed"), outcomes.done(3));
    const auto ends = outcomes.wait(4);
    CHECK(ends.at(0));
    CHECK(error_code(ends.at(1)) == code::conflict);
    REQUIRE(error_code(ends.at(2)) == code::fenced);
    REQUIRE(ends.at(2).error().cause);
    CHECK(ends.at(2).error().cause->is(code::conflict));
    CHECK(ends.at(3));
    CHECK(error_code(commit(store, log_commit(lease, "later"))) == code::fenced);
    const Lease anew = acquire(store, p0);
    CHECK(commit(store, log_commit(anew, "anew"))->value == 2);
    CHECK(log_texts(store, p0) == std::vector<std::string>{"before", "anew"});
  }

  SUBCASE("a commit without a log blob keeps the position") {
    REQUIRE(commit(store, log_commit(lease, "x")));
    Commit rows_only{.lease = lease, .rows = {row("a", p0, 1)}};
    CHECK(commit(store, std::move(rows_only))->value == 1);
    CHECK(log_texts(store, p0).size() == 1);
    CHECK(store.instance("a"));
  }

  SUBCASE("dropped log entries are gone and their positions are never given again") {
    for (int number = 1; number <= 5; ++number) REQUIRE(commit(store, log_commit(lease, std::to_string(number))));
    REQUIRE(commit(store, {.lease = lease, .truncate_before = LogPosition(4)}));
    CHECK(log_texts(tested->other(), p0) == std::vector<std::string>{"4", "5"});
    CHECK(store.read_log(p0, LogPosition(1), 1 << 20)->front().position.value == 4);
    REQUIRE(commit(store, {.lease = lease, .truncate_before = LogPosition(2)}));  // the past does not come back
    CHECK(log_texts(store, p0).size() == 2);
    REQUIRE(commit(store, {.lease = lease, .truncate_before = LogPosition(6)}));
    CHECK(log_texts(store, p0).empty());
    CHECK(commit(store, log_commit(lease, "6"))->value == 6);
    CHECK(log_texts(store, p0) == std::vector<std::string>{"6"});
    Commit dropping_itself = log_commit(lease, "7");
    dropping_itself.truncate_before = LogPosition(1000);  // the future is not dropped with it
    Outcomes outcomes;
    store.commit(std::move(dropping_itself), outcomes.done(7));
    store.commit(log_commit(lease, "8"), outcomes.done(8));
    for (const auto& [number, outcome] : outcomes.wait(2)) CHECK(outcome->value == static_cast<std::uint64_t>(number));
    REQUIRE(store.post(p0, "x"));  // one write more, in case the store deletes late
    CHECK(log_texts(store, p0) == std::vector<std::string>{"8"});
  }

  SUBCASE("dropping entries of one partition leaves its neighbours alone") {
    const Lease middle = acquire(store, p1), last = acquire(store, Partition(2));
    for (const Lease& one : {lease, middle, last})
      for (const char* text : {"1", "2", "3"}) REQUIRE(commit(store, log_commit(one, text)));
    REQUIRE(commit(store, {.lease = middle, .truncate_before = LogPosition(4)}));
    REQUIRE(store.post(p0, "x"));  // one write more, in case the store deletes late
    CHECK(log_texts(store, p0).size() == 3);
    CHECK(log_texts(store, p1).empty());
    CHECK(log_texts(store, Partition(2)).size() == 3);
  }

  SUBCASE("the epochs of the log entries are those of their commits") {
    REQUIRE(commit(store, log_commit(lease, "x")));
    const Lease next = acquire(store, p0);
    REQUIRE(commit(store, log_commit(next, "y")));
    const auto entries = store.read_log(p0, LogPosition(1), 1 << 20);
    REQUIRE(entries->size() == 2);
    CHECK(entries->at(0).epoch == lease.epoch);
    CHECK(entries->at(1).epoch == next.epoch);
  }

  SUBCASE("a done may commit and read") {
    Outcomes outcomes;
    Result<InstanceRow> seen = fail(code::internal, "not read");
    store.commit({.lease = lease, .log = "1", .rows = {row("a", p0, 7)}}, [&](Result<LogPosition> first) {
      seen = store.instance("a");
      store.commit(log_commit(lease, "2"), outcomes.done(2));
      outcomes.done(1)(std::move(first));
    });
    const auto ends = outcomes.wait(2);
    CHECK(ends.at(1)->value == 1);
    CHECK(ends.at(2)->value == 2);
    CHECK(seen->seq == 7);
  }
}

}  // namespace mapflow::persistence::testing
