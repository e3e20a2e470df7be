// The contract, against every backend and against each of them behind the fault-injecting wrapper.
#include "persistence/contract.h"

#include <doctest/doctest.h>

#include "persistence/faulty.h"
#include "persistence/helpers.h"
#include "persistence/memory.h"
#include "persistence/sqlite.h"
#include "support/postgres_server.h"
#include "support/redis_server.h"

using namespace mapflow;
using namespace mapflow::persistence;
using namespace mapflow::persistence::testing;
using mapflow::testing::PgBouncer;
using mapflow::testing::shared_postgres;
using mapflow::testing::shared_redis;
using mapflow::testing::shared_redis_cluster;

namespace {

class InMemory final : public StoreUnderTest {
 public:
  Store& store() override { return *store_; }
  Store& other() override { return *store_; }

 private:
  std::unique_ptr<Store> store_ = make_memory_store();
};

/// Two store objects on one file know nothing of each other, like two processes.
class InSqlite final : public StoreUnderTest {
 public:
  InSqlite() : store_(*open_sqlite(folder_.path("s.db"))), other_(*open_sqlite(folder_.path("s.db"))) {}
  Store& store() override { return *store_; }
  Store& other() override { return *other_; }

 private:
  TemporaryFolder folder_;
  std::unique_ptr<Store> store_, other_;
};

/// Two store objects on one server, which know nothing of each other.
class OnServer : public StoreUnderTest {
 public:
  explicit OnServer(const std::string& url) : store_(*open(url)), other_(*open(url)) {}
  Store& store() override { return *store_; }
  Store& other() override { return *other_; }

 private:
  std::unique_ptr<Store> store_, other_;
};

/// A name for a part of a server that all tests share.
std::string fresh_name() {
  static int names = 0;
  return "contract_" + std::to_string(++names);
}

std::string schema_option() { return "schema=" + fresh_name(); }

class InPostgres final : public OnServer {
 public:
  InPostgres() : OnServer(shared_postgres().url(schema_option())) {}
};

/// The same through a pooler that lends its few connections for one transaction at a time.
class BehindPgBouncer final : public OnServer {
 public:
  BehindPgBouncer() : OnServer(shared_postgres().url_through(pooler().port(), "pgbouncer=true&" + schema_option())) {}

 private:
  static const PgBouncer& pooler() {
    static const PgBouncer shared(shared_postgres());
    return shared;
  }
};

class InRedis final : public OnServer {
 public:
  InRedis() : OnServer(shared_redis().url("prefix=" + fresh_name())) {}
};

class InRedisCluster final : public OnServer {
 public:
  InRedisCluster() : OnServer(shared_redis_cluster().url("prefix=" + fresh_name())) {}
};

/// Every third `done` is late.
class Behind final : public StoreUnderTest {
 public:
  explicit Behind(std::unique_ptr<StoreUnderTest> inner) : inner_(std::move(inner)) {
    const FaultyOptions options{
        .decide = [](const StoreOperation& operation) {
          return StoreDecision{.delay = Duration(operation.number % 3 == 0 ? 1 : 0)};
        },
        .schedule = [](Duration, std::move_only_function<void()> function) { function(); }};
    store_ = make_faulty_store({std::shared_ptr<Store>(), &inner_->store()}, options);
    other_ = make_faulty_store({std::shared_ptr<Store>(), &inner_->other()}, options);
  }
  Store& store() override { return *store_; }
  Store& other() override { return *other_; }

 private:
  std::unique_ptr<StoreUnderTest> inner_;
  std::unique_ptr<Store> store_, other_;
};

template <class Tested>
std::unique_ptr<StoreUnderTest> fresh() {
  return std::make_unique<Tested>();
}
template <class Tested>
std::unique_ptr<StoreUnderTest> behind_wrapper() {
  return std::make_unique<Behind>(std::make_unique<Tested>());
}

}  // namespace

TEST_CASE("the memory store keeps the contract") { check_contract(fresh<InMemory>); }
TEST_CASE("the SQLite store keeps the contract") { check_contract(fresh<InSqlite>); }
TEST_CASE("the PostgreSQL store keeps the contract") { check_contract(fresh<InPostgres>); }
TEST_CASE("the PostgreSQL store keeps the contract through pgbouncer") { check_contract(fresh<BehindPgBouncer>); }
TEST_CASE("the Redis store keeps the contract") { check_contract(fresh<InRedis>); }
TEST_CASE("the Redis store keeps the contract on a cluster") { check_contract(fresh<InRedisCluster>); }
TEST_CASE("the memory store keeps the contract behind the wrapper") { check_contract(behind_wrapper<InMemory>); }
TEST_CASE("the SQLite store keeps the contract behind the wrapper") { check_contract(behind_wrapper<InSqlite>); }
TEST_CASE("the PostgreSQL store keeps the contract behind the wrapper") { check_contract(behind_wrapper<InPostgres>); }
TEST_CASE("the Redis store keeps the contract behind the wrapper") { check_contract(behind_wrapper<InRedis>); }
TEST_CASE("the Redis store keeps the contract on a cluster behind the wrapper") { check_contract(behind_wrapper<InRedisCluster>); }
