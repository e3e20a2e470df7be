// What only the SQLite store must do: outlive its process, share its file, and refuse files it cannot use.
#include "persistence/sqlite.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <thread>

#include "persistence/disk.h"
#include "persistence/helpers.h"
#include "persistence/sqlite_database.h"

using namespace mapflow;
using namespace mapflow::persistence;
using namespace mapflow::persistence::testing;

namespace {

std::unique_ptr<Store> open_or_fail(const std::string& path, const SqliteOptions& options = {}) {
  auto store = open_sqlite(path, options);
  REQUIRE_MESSAGE(store, store.error().to_string());
  return *std::move(store);
}

/// What any other program could do to the file.
void run_sql(const std::string& path, const char* sql) {
  auto db = sqlite::Database::open(path, {});
  REQUIRE(db);
  const auto done = (*db)->execute(sql);
  REQUIRE_MESSAGE(done, done.error().to_string());
}

std::string query_text(const std::string& path, const char* sql) {
  auto db = sqlite::Database::open(path, {});
  REQUIRE(db);
  sqlite::Query query = (*db)->query(sql);
  const auto row = query.next();
  REQUIRE_MESSAGE(row, row.error().to_string());
  return *row ? std::string(query.text(0)) : "(no row)";
}

std::string file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// Keeps every other writer of the file waiting. The commit it is queued behind and those after it form groups.
class Hog {
 public:
  explicit Hog(const std::string& path) : db_(*sqlite::Database::open(path, {})) { REQUIRE(db_->execute("BEGIN IMMEDIATE")); }
  void let_go() { REQUIRE(db_->execute("ROLLBACK")); }

 private:
  std::unique_ptr<sqlite::Database> db_;
};

/// The error must name its kind and the file.
void check_refused(const std::string& path, std::string_view code, std::string_view part) {
  const auto refused = open_sqlite(path, {.busy_timeout = 100ms});
  REQUIRE_FALSE(refused);
  INFO(refused.error().to_string());
  CHECK(refused.error().is(code));
  CHECK(refused.error().message.find(path) != std::string::npos);
  CHECK(refused.error().to_string().find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("a reopened store has everything, and goes on where it was") {
  const TemporaryFolder folder;
  const std::string path = folder.path("s.db");
  Lease lease;
  InboxPosition posted;
  Partition mine;
  {
    const auto store = open_or_fail(path, {.shared_partitions = 6});
    lease = acquire(*store, Partition(0));
    mine = *store->create_private_partition();
    posted = *store->post(mine, "command");
    Commit full{.lease = lease, .log = "1", .rows = {row("a", Partition(0), 1)}, .history = {{"a", 1, 1, "r"}}};
    full.definitions.push_back({"h", "orders", "1", "{}"});
    REQUIRE(commit(*store, std::move(full)));
    REQUIRE(commit(*store, {.lease = lease, .log = "2", .truncate_before = LogPosition(2)}));
  }
  CHECK(!std::filesystem::exists(path + "-wal"));
  const auto store = open_or_fail(path);
  CHECK(store->shared_partitions() == 6);
  CHECK(store->name() == "sqlite:" + path);
  CHECK(store->durable());
  CHECK(log_texts(*store, Partition(0)) == std::vector<std::string>{"2"});
  CHECK(store->instance("a")->seq == 1);
  CHECK(store->history("a")->size() == 1);
  CHECK(store->definition("h"));
  CHECK(store->inbox(mine, InboxPosition(0), 10)->front().position == posted);
  CHECK(store->leases()->front().epoch == lease.epoch);
  CHECK(*store->create_private_partition() != mine);
  CHECK(*store->post(mine, "x") > posted);
  CHECK(commit(*store, log_commit(lease, "3"))->value == 3);  // a lease is the node's, not the connection's
}

TEST_CASE("a commit is synced to the disk before its done is called, and so is a posted command") {
  const TemporaryFolder folder;
  const auto store = open_or_fail(folder.path("s.db"));
  const Lease lease = acquire(*store, Partition(0));
  for (int number = 0; number < 3; ++number) {
    const int before = disk::syncs();
    REQUIRE(commit(*store, log_commit(lease, "x")));
    CHECK(disk::syncs() > before);
  }
  const int before = disk::syncs();
  REQUIRE(store->post(Partition(0), "x"));
  CHECK(disk::syncs() > before);
}

TEST_CASE("commits that wait for the disk share one sync") {
  const TemporaryFolder folder;
  const std::string path = folder.path("s.db");
  const auto store = open_or_fail(path);
  const Lease lease = acquire(*store, Partition(0)), other = acquire(*store, Partition(1));
  Hog hog(path);  // the first commit waits for it, the rest gathers behind
  Outcomes outcomes;
  for (int number = 0; number < 200; ++number)
    store->commit(log_commit(number % 2 ? lease : other, "x"), outcomes.done(number));
  const int before = disk::syncs();
  hog.let_go();
  for (const auto& [number, outcome] : outcomes.wait(200)) CHECK(outcome);
  CHECK(disk::syncs() - before <= 8);
}

TEST_CASE("a killed process loses nothing that was acknowledged") {
  const TemporaryFolder folder;
  const std::string path = folder.path("s.db");
  std::uint64_t seen_before = 0;
  for (int round = 0; round < 4; ++round) {
    ChildProcess child([&](const ChildProcess::Report& report) {
      const auto store = *open_sqlite(path);
      const Lease lease = *store->acquire(Partition(0), "child", kTtl, kNow);
      for (;;) {
        Outcomes outcomes;
        for (int number = 0; number < 5; ++number) {
          Commit commit = log_commit(lease, std::string(3000, 'x'));
          commit.rows.push_back(row("a", Partition(0)));
          store->commit(std::move(commit), outcomes.done(number));
        }
        for (const auto& [number, outcome] : outcomes.wait(5)) report(std::to_string(outcome->value));
      }
    });
    std::string line;
    std::uint64_t acknowledged = 0;
    for (int count = 0; count < 60 + 7 * round && child.next_line(line); ++count) acknowledged = std::stoull(line);
    child.kill();
    while (child.next_line(line)) acknowledged = std::stoull(line);
    CHECK(child.wait() == -9);
    const auto store = open_or_fail(path);
    const auto entries = log_texts(*store, Partition(0));
    CHECK(acknowledged > seen_before);
    CHECK(entries.size() >= acknowledged);
    seen_before = entries.size();
    CHECK(store->instance("a"));
  }
}

TEST_CASE("two processes that write one file at once take turns") {
  const TemporaryFolder folder;
  const std::string path = folder.path("s.db");
  constexpr std::size_t kCommits = 150;
  const auto writer = [&](const ChildProcess::Report& report) {
    const auto store = *open_sqlite(path, {.busy_timeout = 20s});  // both also race for creating it
    const Partition mine = *store->create_private_partition();
    const auto lease = store->acquire(mine, "child", kTtl, kNow);
    for (std::size_t number = 0; number < kCommits; ++number) {
      const auto outcome = commit(*store, log_commit(*lease, "x"));
      if (!outcome) report(outcome.error().to_string());
    }
    report(std::to_string(mine.value));
  };
  ChildProcess first(writer), second(writer);
  std::string first_partition, second_partition;
  REQUIRE(first.next_line(first_partition));
  REQUIRE(second.next_line(second_partition));
  CHECK(first.wait() == 0);
  CHECK(second.wait() == 0);
  CHECK(first_partition != second_partition);
  const auto store = open_or_fail(path);
  for (const std::string& number : {first_partition, second_partition})
    CHECK(log_texts(*store, Partition(static_cast<std::uint32_t>(std::stoul(number)))).size() == kCommits);
}

TEST_CASE("a process that writes without a pause does not starve another one") {
  const TemporaryFolder folder;
  const std::string path = folder.path("s.db");
  ChildProcess busy([&](const ChildProcess::Report& report) {
    const auto greedy = *open_sqlite(path);
    const Lease lease = *greedy->acquire(Partition(0), "greedy", kTtl, kNow);
    for (int round = 0;; ++round) {
      Outcomes outcomes;
      for (int number = 0; number < 20; ++number)
        greedy->commit(log_commit(lease, std::string(20'000, 'x')), outcomes.done(number));
      for (const auto& [number, outcome] : outcomes.wait(20)) (void)outcome;
      report(std::to_string(round));
    }
  });
  std::string line;
  REQUIRE(busy.next_line(line));
  const auto store = open_or_fail(path);
  const Lease lease = acquire(*store, Partition(1));
  auto slowest = std::chrono::steady_clock::duration::zero();
  for (int number = 0; number < 40; ++number) {
    const auto start = std::chrono::steady_clock::now();
    REQUIRE(commit(*store, log_commit(lease, "x")));
    slowest = std::max(slowest, std::chrono::steady_clock::now() - start);
  }
  CHECK(slowest < 10s);  // far above what is usual, far below the busy timeout
}

TEST_CASE("while another process holds the lock, commits wait, then fail as unavailable; reads go on") {
  const TemporaryFolder folder;
  const std::string path = folder.path("s.db");
  const auto store = open_or_fail(path, {.busy_timeout = 50ms});
  const Lease lease = acquire(*store, Partition(0));
  REQUIRE(commit(*store, log_commit(lease, "x")));
  Hog hog(path);
  CHECK(error_code(commit(*store, log_commit(lease, "y"))) == code::unavailable);
  CHECK(log_texts(*store, Partition(0)).size() == 1);
  hog.let_go();
  CHECK(error_code(commit(*store, log_commit(lease, "z"))) == code::fenced);  // y may have been there
  CHECK(commit(*store, log_commit(acquire(*store, Partition(0)), "z")));
}

TEST_CASE("a full disk refuses the commit, and the store works again once there is space") {
  const TemporaryFolder folder;
  const std::string path = folder.path("s.db");
  const auto store = open_or_fail(path, {.max_pages = 150});
  const Lease lease = acquire(*store, Partition(0)), other = acquire(*store, Partition(1));
  REQUIRE(commit(*store, log_commit(lease, std::string(200'000, 'x'))));
  Hog hog(path);  // the first commit waits for it, the others form one group
  Outcomes outcomes;
  store->commit(log_commit(other, "first"), outcomes.done(0));
  store->commit(log_commit(other, "small"), outcomes.done(1));
  Commit large = log_commit(lease, std::string(1'000'000, 'x'));
  large.rows.push_back(row("a", Partition(0)));
  store->commit(std::move(large), outcomes.done(2));
  store->commit(log_commit(other, "small"), outcomes.done(3));
  hog.let_go();
  const auto ends = outcomes.wait(4);
  CHECK(ends.at(1));
  CHECK(error_code(ends.at(2)) == code::resource_exhausted);
  CHECK(ends.at(2).error().message.find(path) != std::string::npos);
  CHECK(ends.at(3));
  CHECK(log_texts(*store, Partition(1)) == std::vector<std::string>{"first", "small", "small"});
  CHECK(log_texts(*store, Partition(0)).size() == 1);
  CHECK(error_code(store->instance("a")) == code::not_found);
  const Lease anew = acquire(*store, Partition(0));
  REQUIRE(commit(*store, {.lease = anew, .truncate_before = LogPosition(2)}));
  REQUIRE(commit(*store, log_commit(other, "small")));  // what was dropped is deleted by now
  CHECK(commit(*store, log_commit(anew, std::string(200'000, 'y')))->value == 2);
}

TEST_CASE("a disk that fills up while a transaction is written takes no part of it") {
  const TemporaryFolder folder;
  const auto store = open_or_fail(folder.path("s.db"));
  const Lease lease = acquire(*store, Partition(0)), other = acquire(*store, Partition(1));
  REQUIRE(commit(*store, log_commit(lease, "before")));
  disk::fail_writes(ENOSPC);
  CHECK(error_code(commit(*store, log_commit(lease, "x"))) == code::resource_exhausted);
  CHECK(error_code(commit(*store, log_commit(other, "y"))) == code::resource_exhausted);
  CHECK(error_code(store->post(Partition(0), "z")) == code::resource_exhausted);
  CHECK(log_texts(*store, Partition(0)).size() == 1);
  disk::fail_writes(0);
  CHECK(commit(*store, log_commit(acquire(*store, Partition(0)), "after"))->value == 2);
  CHECK(log_texts(*store, Partition(1)).empty());
  CHECK(store->inbox(Partition(0), InboxPosition(0), 10)->empty());
}

TEST_CASE("when the disk cannot sync, the outcome is unknown, and nothing more is written until the store is opened anew") {
  const TemporaryFolder folder;
  const std::string path = folder.path("s.db");
  {
    const auto store = open_or_fail(path);
    const Lease lease = acquire(*store, Partition(0)), other = acquire(*store, Partition(1));
    REQUIRE(commit(*store, log_commit(lease, "before")));
    disk::fail_syncs(EIO);
    const auto unknown = commit(*store, log_commit(lease, "unknown"));
    disk::fail_syncs(0);
    REQUIRE(error_code(unknown) == code::unavailable);
    CHECK(unknown.error().to_string().find("s.db-wal") != std::string::npos);
    CHECK(error_code(commit(*store, log_commit(lease, "late"))) == code::fenced);
    CHECK(error_code(commit(*store, log_commit(other, "late"))) == code::fenced);
    CHECK(error_code(store->acquire(Partition(0), "n", std::chrono::seconds(5), kNow)) == code::unavailable);
    CHECK(error_code(store->post(Partition(0), "x")) == code::unavailable);
    CHECK(log_texts(*store, Partition(0)).front() == "before");  // reads go on
  }
  const auto store = open_or_fail(path);
  const auto seen = log_texts(*store, Partition(0));
  CHECK((seen == std::vector<std::string>{"before"} || seen == std::vector<std::string>{"before", "unknown"}));
  CHECK(log_texts(*store, Partition(1)).empty());
  CHECK(store->inbox(Partition(0), InboxPosition(0), 10)->empty());
  CHECK(commit(*store, log_commit(acquire(*store, Partition(0)), "after"))->value == seen.size() + 1);
}

TEST_CASE("nothing is acknowledged while the disk is at it, and one group is written meanwhile") {
  const TemporaryFolder folder;
  const std::string path = folder.path("s.db");
  const auto store = open_or_fail(path);
  const Lease lease = acquire(*store, Partition(0));
  Outcomes outcomes;
  disk::hold_syncs();
  store->commit(log_commit(lease, "1"), outcomes.done(1));
  disk::await_held_sync();
  store->commit(log_commit(lease, "2"), outcomes.done(2));
  while (log_texts(*store, Partition(0)).size() < 2) std::this_thread::yield();  // the second is written, and to be seen
  CHECK(outcomes.order().empty());
  disk::let_syncs_go();
  for (const auto& [number, outcome] : outcomes.wait(2)) CHECK(outcome);
}

TEST_CASE("who is told of a commit while the store is closed may commit again") {
  const TemporaryFolder folder;
  const std::string path = folder.path("s.db");
  auto store = open_or_fail(path);
  const Lease lease = acquire(*store, Partition(0));
  Outcomes outcomes;
  disk::hold_syncs();
  store->commit(log_commit(lease, "1"), [&, closing = store.get()](const Result<LogPosition>& first) {
    REQUIRE(first);
    closing->commit(log_commit(lease, "2"), outcomes.done(2));
  });
  disk::await_held_sync();
  std::thread closer([&] { store.reset(); });
  for (int turn = 0; turn < 1000; ++turn) std::this_thread::yield();  // by now it waits, most likely
  disk::let_syncs_go();
  closer.join();
  REQUIRE(outcomes.order() == std::vector<int>{2});
  CHECK(log_texts(*open_or_fail(path), Partition(0)) == std::vector<std::string>{"1", "2"});
}

TEST_CASE("a dropped log is deleted from the file, also what a killed process left") {
  const TemporaryFolder folder;
  const std::string path = folder.path("s.db");
  const auto entries = [&] { return query_text(path, "SELECT count(*) FROM log"); };
  {
    const auto store = open_or_fail(path);
    const Lease lease = acquire(*store, Partition(0));
    Outcomes outcomes;
    for (int number = 0; number < 1000; ++number) store->commit(log_commit(lease, "x"), outcomes.done(number));
    outcomes.wait(1000);
    REQUIRE(commit(*store, {.lease = lease, .truncate_before = LogPosition(901)}));
    for (int number = 0; number < 4; ++number) REQUIRE(commit(*store, log_commit(lease, "y")));
  }
  CHECK(entries() == "104");
  run_sql(path, "UPDATE partitions SET log_start = 951 WHERE partition = 0");  // dropped, but not deleted yet
  {
    const auto store = open_or_fail(path);
    CHECK(log_texts(*store, Partition(0)).size() == 54);
    REQUIRE(store->post(Partition(0), "x"));  // any transaction takes its share
  }
  CHECK(entries() == "54");
}

TEST_CASE("people can ask about instances with SQL") {
  const TemporaryFolder folder;
  const std::string path = folder.path("s.db");
  const auto store = open_or_fail(path);
  InstanceRow one = row("a-1", Partition(0));
  one.tags = {"urgent"};
  one.wake_at = from_micros(1'800'000'000'250'000);
  const Lease lease = acquire(*store, Partition(0));
  REQUIRE(commit(*store, {.lease = lease, .rows = {one}, .history = {{"a-1", 1, 9, std::string(5000, 'r')}}}));
  CHECK(query_text(path, "SELECT id || ' ' || workflow || ' ' || state || ' ' || tags || ' ' || created || ' ' || wake_at"
                         " FROM mapflow_instances") ==
        "a-1 orders running [\"urgent\"] 2027-01-15T08:00:00.000Z 2027-01-15T08:00:00.250Z");
  CHECK(query_text(path, "SELECT node FROM mapflow_partitions WHERE epoch > 0") == "n1");
  CHECK(query_text(path, "SELECT count(*) FROM mapflow_definitions") == "0");
  CHECK(query_text(path, "SELECT encoding || (length(records) < 1000) FROM history") == "zstd1");
}

TEST_CASE("damaged history is reported as corrupt, with the instance") {
  const TemporaryFolder folder;
  const std::string path = folder.path("s.db");
  const auto store = open_or_fail(path);
  const Lease lease = acquire(*store, Partition(0));
  REQUIRE(commit(*store, {.lease = lease, .rows = {row("a", Partition(0))}, .history = {{"a", 1, 9, std::string(5000, 'r')}}}));
  run_sql(path, "UPDATE history SET records = x'28b52ffd00'; UPDATE instances SET tags = '[1]'");
  const auto history = store->history("a");
  REQUIRE(error_code(history) == code::corrupt);
  CHECK(history.error().message.find("'a'") != std::string::npos);
  CHECK(error_code(store->instance("a")) == code::corrupt);
  run_sql(path, "UPDATE history SET encoding = 'lzma'");
  CHECK(error_code(store->history("a")) == code::corrupt);
}

TEST_CASE("a store from before leases had notices gets them, and keeps what it has") {
  const TemporaryFolder folder;
  const std::string path = folder.path("s.db");
  Lease lease = acquire(*open_or_fail(path), Partition(0));
  run_sql(path, "ALTER TABLE partitions DROP COLUMN notice; DELETE FROM migrations WHERE number = 2");
  const auto store = open_or_fail(path);
  REQUIRE(store->leases()->size() == 1);
  CHECK(store->leases()->front().epoch == lease.epoch);
  lease.notice = "well";
  REQUIRE(store->renew(lease, kTtl, kNow));
  CHECK(store->leases()->front().notice == "well");
}

TEST_CASE("a store of a newer program is left alone") {
  const TemporaryFolder folder;
  const std::string path = folder.path("s.db");
  (void)open_or_fail(path);
  run_sql(path, "INSERT INTO migrations VALUES (99, 'from the future', '2030-01-01')");
  check_refused(path, code::invalid_state, "99");
  check_refused(path, code::invalid_state, "up to 2");
  check_refused(path, code::invalid_state, "newer program");
}

TEST_CASE("the database of another program is left as it is") {
  const TemporaryFolder folder;
  const std::string path = folder.path("bookmarks.db");
  run_sql(path, "CREATE TABLE bookmarks (url TEXT)");
  const std::string before = file_bytes(path);
  check_refused(path, code::invalid_state, "another program");
  CHECK(file_bytes(path) == before);
}

TEST_CASE("a file that is no database, or a damaged one, is corrupt and left as it is") {
  const TemporaryFolder folder;
  const std::string text = folder.path("notes.txt");
  write_file(text, std::string(10'000, 'n'));
  check_refused(text, code::corrupt, "not a database");
  CHECK(file_bytes(text) == std::string(10'000, 'n'));

  const std::string damaged = folder.path("damaged.db");
  {
    const auto store = open_or_fail(damaged);
    const Lease lease = acquire(*store, Partition(0));
    REQUIRE(commit(*store, log_commit(lease, std::string(100'000, 'x'))));
  }
  std::string bytes = file_bytes(damaged);
  bytes.replace(100, 4000, std::string(4000, '\xff'));
  write_file(damaged, bytes);
  check_refused(damaged, code::corrupt, "restore");
}

TEST_CASE("a missing folder is unavailable and says so") {
  const TemporaryFolder folder;
  check_refused(folder.path("missing/s.db"), code::unavailable, "folder must exist");
  check_refused(folder.folder().string(), code::unavailable, "cannot be opened");
}

TEST_CASE("a read-only file or folder is unavailable and says so") {
  const TemporaryFolder folder;
  const std::string path = folder.path("s.db");
  (void)open_or_fail(path);
  namespace fs = std::filesystem;
  const auto read_only = fs::perms::owner_read | fs::perms::others_read;
  const auto may_enter = fs::perms::owner_exec | fs::perms::others_exec;
  fs::permissions(path, read_only);
  fs::permissions(folder.folder(), read_only | may_enter);
  // Permissions mean nothing to root, so an ordinary user tries.
  ChildProcess child([&](const ChildProcess::Report& report) {
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(1);
    for (const std::string& file : {path, folder.path("new.db")}) {
      const auto refused = open_sqlite(file, {.busy_timeout = 100ms});
      report(refused ? "opened" : refused.error().code + " " + refused.error().to_string());
    }
  });
  std::string existing, fresh;
  REQUIRE(child.next_line(existing));
  REQUIRE(child.next_line(fresh));
  CHECK(child.wait() == 0);
  fs::permissions(folder.folder(), fs::perms::owner_all);
  for (const std::string& message : {existing, fresh}) {
    INFO(message);
    CHECK(message.starts_with(code::unavailable));
    CHECK(message.find("write permission") != std::string::npos);
  }
}
