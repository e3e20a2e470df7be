// Whole stores as files: what one backend gave is the same in another, and what cannot be is refused.
#include "persistence/transfer.h"

#include <doctest/doctest.h>

#include <sstream>

#include "persistence/bundle.h"
#include "persistence/helpers.h"
#include "persistence/memory.h"
#include "persistence/open.h"
#include "persistence/sqlite.h"
#include "support/postgres_server.h"
#include "support/redis_server.h"

using namespace mapflow;
using namespace mapflow::persistence;
using namespace mapflow::persistence::testing;
using mapflow::testing::shared_postgres;
using mapflow::testing::shared_redis;

namespace {

void fill(Store& store) {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  const Partition own = *store.create_private_partition();
  for (const Partition partition : {Partition(0), Partition(2), own}) {
    const Lease lease = acquire(store, partition);
    for (int number = 0; number < 30; ++number) {
      Commit one_commit = log_commit(lease, every_byte + std::to_string(number));
      InstanceRow one = row(std::to_string(partition.value) + "/" + std::to_string(number), partition, 7);
      one.finished = number % 2 == 0;
      one.created = kNow + Duration(number);
      one.wake_at = number % 3 == 0 ? kNever : kNow + 1h;
      one.tags = {"a", "", "käse"};
      one.parent = "p";
      one.snapshot = every_byte;
      one_commit.history = {{one.id, 1, 3, every_byte}, {one.id, 4, 7, std::string(5000, 'r')}};
      one_commit.rows.push_back(std::move(one));
      REQUIRE(commit(store, std::move(one_commit)));
    }
    REQUIRE(commit(store, {.lease = lease, .truncate_before = LogPosition(11)}));
    REQUIRE(store.post(partition, "command " + every_byte));
    REQUIRE(store.release(lease));
  }
  const Lease lease = acquire(store, Partition(0));
  REQUIRE(commit(store, {.lease = lease, .definitions = {{"d1", "orders", "1.2", "{}"}, {"unused", "child", "1", "[]"}}}));
  REQUIRE(store.release(lease));
}

std::string exported(Store& store) {
  std::ostringstream out;
  const auto report = export_store(store, out, kNow + 24h);
  REQUIRE_MESSAGE(report, report.error().to_string());
  CHECK(report->instances == 90);
  CHECK(report->log_entries == 60);
  CHECK(report->definitions == 2);
  CHECK(report->commands == 3);
  return out.str();
}

void import_into(Store& store, const std::string& file) {
  std::istringstream in(file);
  const auto report = import_store(store, in);
  REQUIRE_MESSAGE(report, report.error().to_string());
  CHECK(report->instances == 90);
}

std::string import_error(Store& store, const std::string& file) {
  std::istringstream in(file);
  return error_code(import_store(store, in));
}

}  // namespace

TEST_CASE("a store goes through files from SQLite to PostgreSQL, on to Redis and back, and nothing changes") {
  TemporaryFolder folder;
  const auto first = *open_sqlite(folder.path("first.db"));
  fill(*first);
  const std::string one = exported(*first);
  const auto middle = *open_cut(shared_postgres().url("schema=transfer_1"), first->shared_partitions());
  std::istringstream looked_at(one);
  CHECK(*exported_partitions(looked_at) == first->shared_partitions());
  CHECK(looked_at.tellg() == 0);
  import_into(*middle, one);
  const std::string two = exported(*middle);
  CHECK(two == one);
  const auto third = *open_cut(shared_redis().url("prefix=transfer_1"), first->shared_partitions());
  import_into(*third, two);
  CHECK(exported(*third) == one);
  const auto last = *open_sqlite(folder.path("last.db"));
  import_into(*last, exported(*third));
  CHECK(exported(*last) == one);
  CHECK(last->instance("2/7")->tags == std::vector<std::string>{"a", "", "käse"});
  CHECK(log_texts(*last, Partition(2)) == log_texts(*first, Partition(2)));
  CHECK(last->inbox(Partition(2), InboxPosition(0), 10)->size() == 1);
}

TEST_CASE("a store that a node runs is not exported, and one that is in use takes no import") {
  const auto store = make_memory_store();
  fill(*store);
  const std::string file = exported(*store);
  acquire(*store, Partition(3), "n7");
  std::ostringstream out;
  const auto refused = export_store(*store, out, kNow);
  CHECK(error_code(refused) == code::conflict);
  CHECK(refused.error().message.find("'n7'") != std::string::npos);
  CHECK(import_error(*store, file) == code::conflict);
}

TEST_CASE("a file that is cut short, damaged, of another kind or of a newer program is refused") {
  const auto store = make_memory_store();
  fill(*store);
  const std::string file = exported(*store);
  for (const std::size_t size : {std::size_t{0}, std::size_t{10}, std::size_t{40}, file.size() / 2, file.size() - 1})
    CHECK(import_error(*make_memory_store(), file.substr(0, size)) == code::corrupt);
  for (const std::size_t at : {std::size_t{3}, std::size_t{18}, std::size_t{30}, file.size() / 2}) {
    std::string changed = file;
    changed[at] = static_cast<char>(~changed[at]);
    CHECK(import_error(*make_memory_store(), changed) != "ok");
  }
  CHECK(import_error(*make_memory_store(), "mapflow export 2\n" + file.substr(17)) == code::invalid_state);
  CHECK(import_error(*make_memory_store({.shared_partitions = 3}), file) == code::invalid_input);
}

TEST_CASE("an instance's bytes read back, or are refused") {
  InstanceRow one = row("a", Partition(9), 7);
  one.tags = {"x"};
  one.snapshot = std::string("\0y", 2);
  const std::string bytes = encode({one, {{"a", 1, 7, "records"}}});
  const auto read = decode_bundle(bytes);
  REQUIRE(read);
  CHECK(read->row.snapshot == one.snapshot);
  CHECK(read->row.partition == Partition(9));
  CHECK(read->row.created == one.created);
  CHECK(read->history.front().records == "records");
  for (std::size_t size = 0; size < bytes.size(); ++size) CHECK(error_code(decode_bundle(bytes.substr(0, size))) == code::corrupt);
  CHECK(error_code(decode_bundle(bytes + "x")) == code::corrupt);
}
