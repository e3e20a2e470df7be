// Encrypted stores: the contract over each kind, nothing readable in what is stored, and nothing that opens where it does not belong.
#include "persistence/encrypted.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "persistence/contract.h"
#include "persistence/helpers.h"
#include "persistence/memory.h"
#include "persistence/open.h"
#include "persistence/sqlite.h"
#include "persistence/transfer.h"
#include "support/postgres_server.h"
#include "support/redis_server.h"

using namespace mapflow;
using namespace mapflow::persistence;
using namespace mapflow::persistence::testing;
using mapflow::testing::shared_postgres;
using mapflow::testing::shared_redis;

namespace {

const std::string kOne = "one " + std::string(64, '1'), kTwo = "two " + std::string(64, '2');
constexpr std::string_view kSecret = "the patient's name is Ada";

Keyring keys(const std::string& text) { return *Keyring::parse(text, "keys"); }

class OverMemory final : public StoreUnderTest {
 public:
  Store& store() override { return one_; }
  Store& other() override { return two_; }

 private:
  std::shared_ptr<Store> inner_ = make_memory_store();
  EncryptedStore one_{inner_, keys(kOne)}, two_{inner_, keys(kOne)};
};

/// Two stores that were opened apart.
class OpenedApart final : public StoreUnderTest {
 public:
  explicit OpenedApart(const std::string& url) {
    std::ofstream(folder_.path("keys")) << kOne << "\n";
    const std::string encrypted = "encrypted:" + folder_.path("keys") + ":";
    const std::string behind = url.empty() ? "sqlite:" + folder_.path("s.db") : url;
    one_ = *open(encrypted + behind);
    two_ = *open(encrypted + behind);
  }
  Store& store() override { return *one_; }
  Store& other() override { return *two_; }

 private:
  TemporaryFolder folder_;
  std::unique_ptr<Store> one_, two_;
};

std::string fresh_name() {
  static int names = 0;
  return "encrypted_" + std::to_string(++names);
}

/// One of everything that is encrypted, all in one commit, and a command.
void fill(Store& store, Partition partition, const std::string& id) {
  const Lease lease = acquire(store, partition);
  Commit commit = log_commit(lease, std::string(kSecret) + " log of " + id);
  commit.rows = {row(id, partition, 3)};
  commit.rows.front().snapshot = std::string(kSecret) + " state of " + id;
  commit.rows.front().details = kSecret;
  commit.history = {{id, 1, 3, std::string(kSecret) + " history of " + id}};
  commit.definitions = {{"hash of " + id, "orders", "1", std::string(kSecret) + " definition of " + id}};
  REQUIRE(persistence::testing::commit(store, std::move(commit)));
  REQUIRE(store.post(partition, std::string(kSecret) + " command"));
  REQUIRE(store.release(lease));
}

std::string file_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("an encrypted memory store keeps the contract") {
  check_contract([] { return std::make_unique<OverMemory>(); });
}
TEST_CASE("an encrypted SQLite store keeps the contract") {
  check_contract([] { return std::make_unique<OpenedApart>(""); });
}
TEST_CASE("an encrypted PostgreSQL store keeps the contract") {
  check_contract([] { return std::make_unique<OpenedApart>(shared_postgres().url("schema=" + fresh_name())); });
}
TEST_CASE("an encrypted Redis store keeps the contract") {
  check_contract([] { return std::make_unique<OpenedApart>(shared_redis().url("prefix=" + fresh_name())); });
}

TEST_CASE("nothing that runs through a workflow can be read in the files of an encrypted store") {
  TemporaryFolder folder;
  const std::string path = folder.path("s.db");
  {
    EncryptedStore store(*open_sqlite(path), keys(kOne));
    fill(store, Partition(0), "a");
    CHECK(store.instance("a")->snapshot == std::string(kSecret) + " state of a");
    for (const char* suffix : {"", "-wal"}) {
      const std::string bytes = file_text(path + suffix);
      CHECK(bytes.find(kSecret) == bytes.npos);
      CHECK(bytes.find("Ada") == bytes.npos);
    }
  }
  CHECK(file_text(path).find("orders") != std::string::npos);  // what instances are found by stays readable
  CHECK(file_text(path).find("Ada") == std::string::npos);
}

TEST_CASE("a new key encrypts, the old ones still decrypt, and one that is missing is named") {
  const std::shared_ptr<Store> inner = make_memory_store();
  EncryptedStore before(inner, keys(kOne));
  fill(before, Partition(0), "a");
  EncryptedStore after(inner, keys(kOne + "\n" + kTwo));
  fill(after, Partition(1), "b");
  CHECK(after.instance("a")->snapshot.ends_with("state of a"));
  CHECK(after.instance("b")->snapshot.ends_with("state of b"));
  CHECK(before.instance("a"));
  const auto missing = before.instance("b");
  CHECK(error_code(missing) == code::invalid_state);
  CHECK(missing.error().message.find("no key 'two'") != std::string::npos);
  CHECK(missing.error().to_string().find("222") == std::string::npos);
  EncryptedStore wrong(inner, keys("one " + std::string(64, '9')));
  CHECK(error_code(wrong.instance("a")) == code::corrupt);
}

TEST_CASE("a sealed text opens only in its own place, whole, and under its own key") {
  Sealer sealer(keys(kOne));
  const std::string sealed = sealer.seal("here", kSecret);
  CHECK(sealer.open("here", sealed)->bytes == kSecret);
  CHECK(error_code(sealer.open("there", sealed)) == code::corrupt);
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    std::string changed = sealed;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    CHECK_FALSE(sealer.open("here", changed));
    CHECK_FALSE(sealer.open("here", sealed.substr(0, at)));
  }
  CHECK(sealer.seal("here", kSecret) != sealed);  // never the same nonce twice
  CHECK(sealer.open("here", sealer.seal("here", ""))->bytes.empty());
  const std::string lengthy(10'000, 'x');
  CHECK(sealer.seal("here", lengthy).size() < 500);
  CHECK(Sealer(keys(kOne)).open("here", sealer.seal("here", lengthy))->bytes == lengthy);
}

TEST_CASE("what is stored for one place is refused in another: instances, history, definitions, log entries") {
  const std::shared_ptr<Store> inner = make_memory_store();
  EncryptedStore store(inner, keys(kOne));
  fill(store, Partition(0), "a");
  fill(store, Partition(0), "b");
  const Lease lease = acquire(*inner, Partition(0), "thief", kNow + 1h);
  const auto entries = *inner->read_log(Partition(0), LogPosition(1), SIZE_MAX);
  InstanceRow moved = *inner->instance("a");
  moved.snapshot = inner->instance("b")->snapshot;
  HistoryChunk chunk = inner->history("b")->front();
  chunk.instance = "a";
  REQUIRE(commit(*inner, {.lease = lease, .log = entries.front().bytes, .rows = {moved}, .history = {chunk}}));
  CHECK(error_code(store.instance("a")) == code::corrupt);
  CHECK(store.instance("b"));
  CHECK(error_code(store.history("a")) == code::corrupt);
  const auto read = store.read_log(Partition(0), LogPosition(1), SIZE_MAX);  // an old entry again, under another epoch
  CHECK(error_code(read) == code::corrupt);
  CHECK(read.error().message.find("Ada") == std::string::npos);
  CHECK(store.read_log(Partition(0), LogPosition(1), 1));  // its own entries are as they were
}

TEST_CASE("log entries that changed places are noticed, also from one page to the next") {
  const std::shared_ptr<Store> inner = make_memory_store(), other = make_memory_store();
  EncryptedStore store(inner, keys(kOne));
  const Lease lease = acquire(store, Partition(0));
  for (const char* text : {"first", "second", "third"}) REQUIRE(commit(store, log_commit(lease, text)));
  const auto entries = *inner->read_log(Partition(0), LogPosition(1), SIZE_MAX);
  const Lease copy = acquire(*other, Partition(0));
  for (const std::size_t which : {std::size_t{0}, std::size_t{2}, std::size_t{1}})
    REQUIRE(commit(*other, log_commit(copy, entries[which].bytes)));
  EncryptedStore changed(other, keys(kOne));
  CHECK(error_code(changed.read_log(Partition(0), LogPosition(1), SIZE_MAX)) == code::corrupt);
  CHECK(changed.read_log(Partition(0), LogPosition(1), 1));
  CHECK(changed.read_log(Partition(0), LogPosition(2), 1));
  CHECK(error_code(changed.read_log(Partition(0), LogPosition(3), 1)) == code::corrupt);
}

TEST_CASE("an encrypted store is not opened without keys, and it is said why and what to do: every kind of store") {
  TemporaryFolder folder;
  std::ofstream(folder.path("keys")) << kOne << "\n";
  std::ofstream(folder.path("tiers")) << "primary: sqlite:" << folder.path("p.db") << "\nbackup: sqlite:" << folder.path("b.db") << "\n";
  for (const std::string& url : {"sqlite:" + folder.path("s.db"), shared_postgres().url("schema=" + fresh_name()),
                                 shared_redis().url("prefix=" + fresh_name()), "tiered:" + folder.path("tiers")}) {
    CAPTURE(url);
    const std::string with_keys = "encrypted:" + folder.path("keys") + ":" + url;
    CHECK(open(url));  // nothing is in it yet, so nothing is encrypted
    fill(**open(with_keys), Partition(0), "a");
    const auto refused = open(url);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().is(code::invalid_state));
    CHECK(refused.error().message.find("is encrypted") != std::string::npos);
    CHECK(refused.error().hint.find("--store encrypted:KEYS:") != std::string::npos);
    CHECK(open(with_keys));
  }
  // Backups are carried about as they are, and one alone is no different from any other store.
  CHECK(error_code(open("sqlite:" + folder.path("b.db"))) == code::invalid_state);
}

TEST_CASE("what is not encrypted is refused, and goes into an encrypted store through a file") {
  TemporaryFolder folder;
  const std::shared_ptr<Store> plain = make_memory_store();
  fill(*plain, Partition(0), "a");
  EncryptedStore mistaken(plain, keys(kOne));
  const auto refused = mistaken.instance("a");
  CHECK(error_code(refused) == code::corrupt);
  CHECK(refused.error().message.find("not encrypted") != std::string::npos);

  std::stringstream file;
  REQUIRE(export_store(*plain, file, kNow + 24h));
  std::ofstream(folder.path("keys")) << "# keys\n" << kOne << "\n";
  const auto target = open_cut("encrypted:" + folder.path("keys") + ":sqlite:" + folder.path("s.db"), plain->shared_partitions());
  REQUIRE_MESSAGE(target, target.error().to_string());
  REQUIRE(import_store(**target, file));
  CHECK((*target)->instance("a")->snapshot == plain->instance("a")->snapshot);
  std::stringstream again;
  REQUIRE(export_store(**target, again, kNow + 24h));
  CHECK(again.str() == file.str());
}

TEST_CASE("keys are read from a file or the environment, and what is wrong with them is said without them") {
  const std::string digits(64, 'a');
  CHECK(Keyring::parse("# old\n a " + digits + "\r\n\nb " + digits, "keys")->newest() == "b");
  CHECK(Keyring::parse("a " + digits + ",b " + digits, "keys")->find("a") != nullptr);
  for (const std::string& wrong : {std::string(), std::string("# nothing"), "a " + digits + "a", "a " + digits.substr(1), "a " + digits + " more",
                                   digits, "a b " + digits, "a " + digits + "\na " + digits, "a/b " + digits, "a " + digits.substr(1) + "g"}) {
    const auto keys = Keyring::parse(wrong, "file.keys");
    REQUIRE_FALSE(keys);
    CHECK(keys.error().code == code::invalid_input);
    CHECK(keys.error().message.find("file.keys") != std::string::npos);
    CHECK(keys.error().to_string().find("aaaa") == std::string::npos);
  }
  CHECK(error_code(Keyring::load("/nowhere/keys")) == code::unavailable);
  CHECK(error_code(Keyring::load("env=MAPFLOW_NO_SUCH_KEYS")) == code::invalid_input);
  ::setenv("MAPFLOW_TEST_KEYS", ("k " + digits).c_str(), 1);
  CHECK(Keyring::load("env=MAPFLOW_TEST_KEYS")->newest() == "k");
  CHECK(open("encrypted:env=MAPFLOW_TEST_KEYS:memory:"));
  for (const char* url : {"encrypted:", "encrypted:keys", "encrypted::memory:", "encrypted:k:", "encrypted:a:encrypted:b:memory:"})
    CHECK(error_code(open(url)) == code::invalid_input);
  ::unsetenv("MAPFLOW_TEST_KEYS");
}
