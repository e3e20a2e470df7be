// Composite stores: what each tier does, and what happens when one of them fails.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string_view>
#include <thread>

#include "persistence/archived.h"
#include "persistence/backed_up.h"
#include "persistence/cached.h"
#include "persistence/failing.h"
#include "persistence/helpers.h"
#include "persistence/memory.h"
#include "persistence/sqlite.h"
#include "persistence/tiered.h"
#include "support/postgres_server.h"

using namespace mapflow;
using namespace mapflow::persistence;
using namespace mapflow::persistence::testing;
using mapflow::testing::shared_postgres;

namespace {

Commit instance_commit(const Lease& lease, const std::string& id, std::uint64_t seq, bool finished) {
  Commit commit = log_commit(lease, "log of " + id);
  commit.rows.push_back(row(id, lease.partition, seq));
  commit.rows.back().finished = finished;
  commit.rows.back().snapshot = "state of " + id + " at " + std::to_string(seq);
  commit.history.push_back({id, 1, seq, std::string(5000, 'r')});
  commit.definitions.push_back({"d1", "orders", "1.2", "{}"});
  return commit;
}

/// Everything in `copy` is as in `original`.
void check_same(Store& original, Store& copy, Partition partition) {
  CHECK(log_texts(copy, partition) == log_texts(original, partition));
  const auto rows = original.list({.limit = 1000})->rows;
  CHECK(ids(copy.list({.limit = 1000})->rows) == ids(rows));
  for (const InstanceRow& each : rows) {
    const auto ours = original.instance(each.id), theirs = copy.instance(each.id);
    REQUIRE(theirs);
    CHECK(theirs->seq == ours->seq);
    CHECK(theirs->snapshot == ours->snapshot);
    CHECK(theirs->partition == ours->partition);
    CHECK(copy.history(each.id)->size() == original.history(each.id)->size());
    CHECK(copy.definition(each.definition).has_value() == original.definition(each.definition).has_value());
  }
}

std::uint64_t behind(Store& store) {
  for (const TierReport& report : store.tiers())
    if (report.role == "backup") return report.behind;
  return 0;
}

}  // namespace

// --- the cache ----------------------------------------------------------------------------------------------------

TEST_CASE("the cache serves the rows of partitions that are ours, and no others") {
  const StorePointer primary = make_memory_store();
  CachedStore store(primary, make_memory_store());
  const Lease lease = acquire(store, Partition(0));
  store.settle();
  REQUIRE(commit(store, instance_commit(lease, "a", 1, false)));
  store.settle();
  CHECK(store.instance("a")->snapshot == "state of a at 1");
  CHECK(store.hits() == 1);
  REQUIRE(commit(store, instance_commit(lease, "a", 2, false)));
  CHECK(store.instance("a")->seq == 2);
  store.settle();
  CHECK(store.instance("a")->seq == 2);
  const auto hits = store.hits();
  CHECK(hits >= 2);

  const Lease theirs = acquire(*primary, Partition(1), "n2");
  REQUIRE(commit(*primary, instance_commit(theirs, "b", 1, false)));
  CHECK(store.instance("b")->seq == 1);
  store.settle();
  REQUIRE(commit(*primary, instance_commit(theirs, "b", 2, false)));
  CHECK(store.instance("b")->seq == 2);
  CHECK(store.hits() == hits);

  REQUIRE(store.release(lease));  // from here on anybody may write it
  const Lease next = acquire(*primary, Partition(0), "n2");
  REQUIRE(commit(*primary, instance_commit(next, "a", 3, false)));
  CHECK(store.instance("a")->seq == 3);
}

TEST_CASE("a row that is read for the first time is there the second time") {
  const StorePointer primary = make_memory_store();
  REQUIRE(commit(*primary, instance_commit(acquire(*primary, Partition(0)), "a", 1, false)));
  CachedStore store(primary, make_memory_store());
  acquire(store, Partition(0));
  store.settle();
  CHECK(store.instance("a")->seq == 1);
  store.settle();
  CHECK(store.instance("a")->snapshot == "state of a at 1");
  CHECK(store.hits() == 1);
}

TEST_CASE("what is finished is not kept in the cache, for anybody may drop it") {
  const StorePointer primary = make_memory_store();
  CachedStore store(primary, make_memory_store());
  const Lease lease = acquire(store, Partition(0));
  store.settle();
  REQUIRE(commit(store, instance_commit(lease, "a", 1, true)));
  store.settle();
  REQUIRE(*primary->erase({*primary->instance("a")}) == 1);
  CHECK(error_code(store.instance("a")) == code::not_found);
}

TEST_CASE("no more rows stay in the cache than it may hold") {
  const StorePointer cache = make_memory_store();
  CachedStore store(make_memory_store(), cache, {.entries = 3});
  const Lease lease = acquire(store, Partition(0));
  store.settle();
  for (int number = 0; number < 10; ++number) REQUIRE(commit(store, instance_commit(lease, std::to_string(number), 1, false)));
  store.settle();
  CHECK(cache->list({})->rows.size() == 3);
  CHECK(store.instance("0")->seq == 1);
  CHECK(store.hits() == 0);
  CHECK(store.instance("9")->seq == 1);
  CHECK(store.hits() == 1);
}

TEST_CASE("what somebody else left in the cache is not believed, and is removed") {
  const StorePointer cache = make_memory_store();
  REQUIRE(commit(*cache, instance_commit(acquire(*cache, Partition(3)), "a", 7, true)));
  CachedStore store(make_memory_store(), cache);
  store.settle();
  CHECK(cache->list({})->rows.empty());
}

TEST_CASE("a cache that fails is a miss") {
  CachedStore store(make_memory_store(), failing(make_memory_store(), 1));
  const Lease lease = acquire(store, Partition(0));
  for (std::uint64_t seq = 1; seq < 20; ++seq) {
    REQUIRE(commit(store, instance_commit(lease, "a", seq, false)));
    CHECK(store.instance("a")->seq == seq);
  }
  store.settle();
  CHECK(store.definition("d1"));
  CHECK(store.tiers().at(1).role == "cache");
  CHECK_FALSE(store.tiers().at(1).trouble.empty());
}

// --- the backup ---------------------------------------------------------------------------------------------------

TEST_CASE("the backup follows: log, rows, history, definitions, dropped entries, erased instances") {
  const StorePointer primary = make_memory_store(), backup = make_memory_store();
  BackedUpStore store(primary, backup);
  const Lease lease = acquire(store, Partition(0));
  for (int number = 0; number < 20; ++number)
    REQUIRE(commit(store, instance_commit(lease, "i" + std::to_string(number), 3, number % 2 == 0)));
  Commit dropping = instance_commit(lease, "i1", 4, true);
  dropping.truncate_before = LogPosition(11);
  REQUIRE(commit(store, dropping));
  REQUIRE(*store.erase({*store.instance("i0")}) == 1);
  REQUIRE(store.settle());
  check_same(*primary, *backup, Partition(0));
  CHECK(log_texts(*backup, Partition(0)).size() == 11);
  CHECK(behind(store) == 0);
}

TEST_CASE("a backup that was away catches up, also after a restart and after the log was shortened meanwhile") {
  const StorePointer primary = make_memory_store(), backup = make_memory_store();
  const auto away = std::make_shared<std::atomic<bool>>(false);
  {
    BackedUpStore store(primary, failing(backup, 1, away));
    const Lease lease = acquire(store, Partition(0));
    for (int number = 0; number < 5; ++number) REQUIRE(commit(store, instance_commit(lease, "i" + std::to_string(number), 3, false)));
    REQUIRE(store.settle());
    *away = true;
    for (int number = 5; number < 10; ++number) REQUIRE(commit(store, instance_commit(lease, "i" + std::to_string(number), 3, true)));
    Commit dropping = instance_commit(lease, "i1", 9, false);
    dropping.truncate_before = LogPosition(8);
    REQUIRE(commit(store, dropping));
    CHECK_FALSE(store.settle());
    *away = false;
    CHECK(behind(store) == 4);  // 8 … 11: those before are dropped
    *away = true;
  }
  BackedUpStore store(primary, backup);
  const Lease lease = acquire(store, Partition(0));
  REQUIRE(store.settle());
  const auto rows = primary->list({.limit = 1000})->rows;
  CHECK(ids(backup->list({.limit = 1000})->rows) == ids(rows));
  for (const InstanceRow& each : rows) CHECK(backup->instance(each.id)->snapshot == primary->instance(each.id)->snapshot);
  CHECK(backup->definition("d1"));
  // The log has what it had before and everything the primary still has: nothing that a snapshot does not cover is missing.
  CHECK(log_texts(*backup, Partition(0)).size() == 5 + 4);
  REQUIRE(commit(store, {.lease = lease, .truncate_before = LogPosition(12)}));
  REQUIRE(store.settle());
  CHECK(log_texts(*primary, Partition(0)).empty());
  CHECK(log_texts(*backup, Partition(0)).empty());
  CHECK(behind(store) == 0);
}

TEST_CASE("more than may wait for the backup is forgotten and made up for") {
  const StorePointer primary = make_memory_store(), backup = make_memory_store();
  BackedUpStore store(primary, backup, {.queue_bytes = 20'000});
  const Lease lease = acquire(store, Partition(0));
  Outcomes outcomes;
  for (int number = 0; number < 300; ++number)
    store.commit(instance_commit(lease, "i" + std::to_string(number), 3, number % 3 == 0), outcomes.done(number));
  outcomes.wait(300);
  REQUIRE(store.settle());
  check_same(*primary, *backup, Partition(0));
}

TEST_CASE("who lost a partition does not write over its successor's backup") {
  const StorePointer primary = make_memory_store(), backup = make_memory_store();
  BackedUpStore first(primary, backup), second(primary, backup);
  const Lease old_lease = acquire(first, Partition(0), "n1");
  REQUIRE(commit(first, instance_commit(old_lease, "a", 1, false)));
  const Lease new_lease = acquire(second, Partition(0), "n2", kNow + 1h);
  CHECK(error_code(commit(first, instance_commit(old_lease, "a", 5, false))) == code::fenced);
  for (std::uint64_t seq = 2; seq < 30; ++seq) REQUIRE(commit(second, instance_commit(new_lease, "a", seq, false)));
  (void)first.settle();
  REQUIRE(second.settle());
  check_same(*primary, *backup, Partition(0));
}

TEST_CASE("a backup that fails now and then never keeps the primary from its work, and is whole in the end") {
  const StorePointer primary = make_memory_store(), backup = make_memory_store();
  const auto on = std::make_shared<std::atomic<bool>>(true);
  BackedUpStore store(primary, failing(backup, 7, on), {.longest_pause = 20ms});
  const Lease lease = acquire(store, Partition(0));
  for (int number = 0; number < 200; ++number) {
    Commit one = instance_commit(lease, "i" + std::to_string(number % 20), static_cast<std::uint64_t>(number) + 1, number % 5 == 0);
    if (number % 10 == 9) one.truncate_before = LogPosition(static_cast<std::uint64_t>(number) - 5);
    REQUIRE(commit(store, std::move(one)));
  }
  *on = false;
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!store.settle() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  const auto rows = primary->list({.limit = 1000})->rows;
  CHECK(ids(backup->list({.limit = 1000})->rows) == ids(rows));
  for (const InstanceRow& each : rows) CHECK(backup->instance(each.id)->snapshot == primary->instance(each.id)->snapshot);
  const auto ours = log_texts(*primary, Partition(0)), theirs = log_texts(*backup, Partition(0));
  REQUIRE(theirs.size() >= ours.size());
  CHECK(std::vector<std::string>(theirs.end() - static_cast<std::ptrdiff_t>(ours.size()), theirs.end()) == ours);
}

// --- the archive --------------------------------------------------------------------------------------------------

namespace {

struct WithArchive {
  StorePointer primary = make_memory_store(), archive = make_memory_store();
  std::unique_ptr<ArchivedStore> store = std::make_unique<ArchivedStore>(
      primary, archive, ArchiveOptions{.retention = 1h, .pause = Duration::zero(), .now = [] { return kNow; }});
  Lease lease = acquire(*store, Partition(2));
};

}  // namespace

TEST_CASE("what ended long enough ago moves to the archive, compressed, and is still listed and read") {
  WithArchive tiers;
  for (int number = 0; number < 10; ++number) {
    Commit one = instance_commit(tiers.lease, "i" + std::to_string(number), 3, number < 6);
    one.rows[0].created = kNow + Duration(number);
    one.rows[0].updated = kNow + std::chrono::hours(number);
    REQUIRE(commit(*tiers.store, std::move(one)));
  }
  const auto before = ids(tiers.store->list({})->rows);
  CHECK(*tiers.store->sweep(kNow + 4h) == 5);
  CHECK(tiers.primary->list({})->rows.size() == 5);
  CHECK(tiers.archive->list({})->rows.size() == 5);
  CHECK(tiers.archive->history("i0")->front().records.size() < 500);
  CHECK(tiers.primary->history("i0")->empty());
  CHECK(ids(tiers.store->list({})->rows) == before);
  CHECK(tiers.store->instance("i0")->snapshot == "state of i0 at 3");
  CHECK(tiers.store->instance("i0")->partition == Partition(2));
  CHECK(tiers.store->history("i0")->front().records == std::string(5000, 'r'));
  CHECK(*tiers.store->sweep(kNow + 4h) == 0);

  std::vector<std::string> paged;
  for (ListQuery query{.limit = 3};;) {
    const auto page = tiers.store->list(query);
    REQUIRE(page);
    for (const InstanceRow& each : page->rows) paged.push_back(each.id);
    REQUIRE(paged.size() <= 10);
    if (page->next_cursor.empty()) break;
    query.cursor = page->next_cursor;
  }
  CHECK(paged == before);
}

TEST_CASE("an archived instance that is taken back to life returns with its history, and can be archived again") {
  WithArchive tiers;
  REQUIRE(commit(*tiers.store, instance_commit(tiers.lease, "a", 3, true)));
  REQUIRE(*tiers.store->sweep(kNow) == 1);
  REQUIRE(tiers.store->instance("a"));
  Commit again{.lease = tiers.lease, .rows = {row("a", Partition(2), 4)}, .history = {{"a", 4, 4, "new"}}};
  REQUIRE(commit(*tiers.store, again));
  tiers.store->settle();
  CHECK(tiers.archive->list({})->rows.empty());
  CHECK(tiers.store->list({})->rows.size() == 1);
  CHECK(tiers.primary->history("a")->size() == 2);
  again.rows[0].finished = true;
  REQUIRE(commit(*tiers.store, again));
  REQUIRE(*tiers.store->sweep(kNow) == 1);
  CHECK(tiers.store->instance("a")->seq == 4);
  CHECK(tiers.store->history("a")->size() == 2);
}

TEST_CASE("a sweep archives whatever is due, however long the list is") {
  const StorePointer primary = make_memory_store(), archive = make_memory_store();
  ArchivedStore store(primary, archive, {.retention = 1h, .pause = Duration::zero(), .now = [] { return kNow; }});
  const Lease lease = acquire(store, Partition(0));
  for (int number = 0; number < 500; ++number)
    REQUIRE(commit(store, instance_commit(lease, "i" + std::to_string(number), 3, true)));
  CHECK(*store.sweep(kNow) == 500);
  CHECK(primary->list({})->rows.empty());
}

TEST_CASE("two processes that archive the same instances at the same time lose none") {
  const StorePointer primary = make_memory_store(), archive = make_memory_store();
  const ArchiveOptions options{.retention = 1h, .pause = Duration::zero(), .now = [] { return kNow; }};
  ArchivedStore one(primary, archive, options), two(primary, archive, options);
  const Lease lease = acquire(one, Partition(0));
  for (int number = 0; number < 300; ++number)
    REQUIRE(commit(one, instance_commit(lease, "i" + std::to_string(number), 3, true)));
  std::thread other([&] {
    for (int round = 0; round < 5; ++round) (void)two.sweep(kNow);
  });
  for (int round = 0; round < 5; ++round) (void)one.sweep(kNow);
  other.join();
  while (!one.sweep(kNow)) {}
  CHECK(primary->list({})->rows.empty());
  CHECK(archive->list({.limit = 1000})->rows.size() == 300);
  CHECK(one.instance("i17")->snapshot == "state of i17 at 3");
}

TEST_CASE("an archive that fails is said to, and nothing is lost") {
  WithArchive tiers;
  REQUIRE(commit(*tiers.store, instance_commit(tiers.lease, "a", 3, true)));
  const auto on = std::make_shared<std::atomic<bool>>(true);
  ArchivedStore store(tiers.primary, failing(tiers.archive, 1, on),
                      {.retention = 1h, .pause = Duration::zero(), .now = [] { return kNow; }});
  CHECK(error_code(store.sweep(kNow)) == code::unavailable);
  CHECK(store.instance("a")->seq == 3);
  CHECK(error_code(store.list({})) == code::unavailable);  // a list without the archive's would be wrong
  CHECK(store.tiers().back().trouble.find("injected") != std::string::npos);
  *on = false;
  CHECK(*store.sweep(kNow) == 1);
  CHECK(store.tiers().back().trouble.empty());
}

TEST_CASE("tiers of different kinds fit together when they are made together, and are refused when they do not") {
  TemporaryFolder folder;
  TierConfig config{.primary = shared_postgres().url("schema=tiers_fit"), .backup = "sqlite:" + folder.path("b.db")};
  const auto store = open_tiers(config);
  REQUIRE_MESSAGE(store, store.error().to_string());
  CHECK((*store)->tiers().size() == 2);
  config.backup = "sqlite:" + folder.path("other.db");
  REQUIRE(open_sqlite(folder.path("other.db"), {.shared_partitions = 3}));
  CHECK(error_code(open_tiers(config)) == code::invalid_input);
}

namespace {

std::string trouble_of(Store& store, std::string_view role) {
  for (const TierReport& report : store.tiers())
    if (report.role == role) return report.trouble;
  return "no such tier";
}

void wait_until(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) FAIL("waited in vain");
    std::this_thread::yield();
  }
}

}  // namespace

TEST_CASE("a cache and a backup that are away when the store is opened keep nobody from working, and are taken up when they are back") {
  TemporaryFolder folder;
  const std::string away = folder.path("away");  // a disk that is not mounted
  const auto store = open_tiers({.primary = "sqlite:" + folder.path("p.db"), .cache = "sqlite:" + away + "/c.db", .backup = "sqlite:" + away + "/b.db"});
  REQUIRE_MESSAGE(store, store.error().to_string());
  const Lease lease = *(*store)->acquire(Partition(0), "n", kTtl, kNow);
  CHECK(commit_and_wait(**store, instance_commit(lease, "i", 1, false)));
  CHECK((*store)->instance("i"));
  CHECK((*store)->definition("d1"));
  CHECK(trouble_of(**store, "backup").contains("b.db"));
  CHECK(trouble_of(**store, "cache").contains("c.db"));

  std::filesystem::create_directory(away);
  wait_until([&] { return behind(**store) == 0 && trouble_of(**store, "backup").empty(); });
  const auto backup = open("sqlite:" + away + "/b.db");
  REQUIRE_MESSAGE(backup, backup.error().to_string());
  wait_until([&] { return (*backup)->instance("i").has_value(); });
  check_same(**store, **backup, Partition(0));
  // The cache gets a row of this partition once it could be taken.
  wait_until([&] {
    CHECK((*store)->renew(lease, kTtl, kNow));
    CHECK((*store)->instance("i"));
    const auto cache = open("sqlite:" + away + "/c.db");
    return cache && (*cache)->instance("i").has_value();
  });
}

TEST_CASE("a backup that turns out not to fit when it is back is left alone, and that is said") {
  TemporaryFolder folder;
  const std::string away = folder.path("away"), backup = away + "/b.db";
  const auto store = open_tiers({.primary = "sqlite:" + folder.path("p.db"), .backup = "sqlite:" + backup});
  REQUIRE_MESSAGE(store, store.error().to_string());
  const Lease lease = *(*store)->acquire(Partition(0), "n", kTtl, kNow);
  std::filesystem::create_directory(away);
  REQUIRE(open_sqlite(backup, {.shared_partitions = 3}));
  wait_until([&] { return trouble_of(**store, "backup").contains("cut into 3"); });
  CHECK(commit_and_wait(**store, instance_commit(lease, "i", 1, false)));
}

// --- all of it, from a file ---------------------------------------------------------------------------------------

TEST_CASE("the configuration of tiers is read, and what is wrong with it is said with its line") {
  const auto config = parse_tier_config("# orders\nprimary: \"sqlite:p.db\"  # here\ncache: memory:\nretention: 7d\n", "t.yaml");
  REQUIRE(config);
  CHECK(config->primary == "sqlite:p.db");
  CHECK(config->cache == "memory:");
  CHECK(config->retention == std::chrono::days(7));
  CHECK(config->backup.empty());
  const auto message = [](const char* text) { return parse_tier_config(text, "t.yaml").error().message; };
  CHECK(message("primary: memory:\nprimry: x\n") == "t.yaml:2: unknown key 'primry'");
  CHECK(message("cache: memory:\n") == "t.yaml: no 'primary' is given");
  CHECK(message("primary: memory:\nprimary: memory:\n") == "t.yaml:2: 'primary' is given twice");
  CHECK(message("primary: tiered:x\n") == "t.yaml:1: 'primary' cannot be made of tiers itself");
  CHECK(message("primary:\n") == "t.yaml:1: 'primary' needs the URL of a store");
  CHECK(message("[1]\n") == "t.yaml:1: this line is not of the form 'name: value'");
  CHECK(message("primary: sqlite:a\nbackup: sqlite:a\n") == "'primary' and 'backup' are the same store");
  CHECK(message("primary: memory:\nretention: soon\n").starts_with("t.yaml:2: "));
  CHECK(message("primary: memory:\ncache_entries: 0\n").starts_with("t.yaml:2: "));
}
