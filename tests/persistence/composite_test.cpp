// The contract over compositions of real backends.
#include <doctest/doctest.h>

#include "persistence/archived.h"
#include "persistence/backed_up.h"
#include "persistence/cached.h"
#include "persistence/contract.h"
#include "persistence/failing.h"
#include "persistence/helpers.h"
#include "persistence/memory.h"
#include "persistence/sqlite.h"
#include "support/postgres_server.h"
#include "support/redis_server.h"

using namespace mapflow;
using namespace mapflow::persistence;
using namespace mapflow::persistence::testing;
using mapflow::testing::shared_postgres;
using mapflow::testing::shared_redis;

namespace {

/// What one process has of a composite store.
struct Tiers {
  std::shared_ptr<BackedUpStore> backed_up;
  std::shared_ptr<CachedStore> cached;
  std::shared_ptr<ArchivedStore> archived;
};
struct Parts {
  StorePointer primary, cache, backup, archive;
};

/// `moves`: whatever is finished moves to the archive at once, again and again.
Tiers compose(const Parts& parts, bool moves) {
  Tiers tiers;
  tiers.backed_up = std::make_shared<BackedUpStore>(parts.primary, parts.backup);
  tiers.cached = std::make_shared<CachedStore>(tiers.backed_up, parts.cache);
  ArchiveOptions options;
  options.retention = Duration::zero();
  options.pause = moves ? Duration(1ms) : Duration::zero();
  options.now = [] { return kNow + 10'000h; };
  tiers.archived = std::make_shared<ArchivedStore>(tiers.cached, parts.archive, options);
  return tiers;
}

/// Two processes with the same primary, backup and archive, each with a cache of its own.
class Composite : public StoreUnderTest {
 public:
  Composite(const Parts& one, const Parts& two) : one_(compose(one, true)), two_(compose(two, false)) {}
  Store& store() override { return *one_.archived; }
  Store& other() override { return *two_.archived; }

 private:
  Tiers one_, two_;
};

class OverMemory final : public Composite {
 public:
  OverMemory() : OverMemory(make_memory_store(), make_memory_store(), make_memory_store()) {}

 private:
  OverMemory(const StorePointer& primary, const StorePointer& backup, const StorePointer& archive)
      : Composite({primary, make_memory_store(), backup, archive}, {primary, make_memory_store(), backup, archive}) {}
};

/// Each tier another kind of store, and every third call of the cache and of the backup fails.
class OverFailing final : public Composite {
 public:
  OverFailing() : OverFailing(std::make_shared<TemporaryFolder>(), make_memory_store(), make_memory_store()) {}

 private:
  OverFailing(const std::shared_ptr<TemporaryFolder>& folder, const StorePointer& backup, const StorePointer& archive)
      : Composite(parts(*folder, backup, archive), parts(*folder, backup, archive)), folder_(folder) {}
  static Parts parts(const TemporaryFolder& folder, const StorePointer& backup, const StorePointer& archive) {
    return {*open_sqlite(folder.path("p.db")), failing(make_memory_store(), 3), failing(backup, 3), archive};
  }
  std::shared_ptr<TemporaryFolder> folder_;
};

class OverPostgres final : public Composite {
 public:
  OverPostgres() : OverPostgres(std::make_shared<TemporaryFolder>(), next_schema()) {}

 private:
  OverPostgres(const std::shared_ptr<TemporaryFolder>& folder, const std::string& schema)
      : Composite(parts(*folder, schema), parts(*folder, schema)), folder_(folder) {}
  static std::string next_schema() {
    static int schemas = 0;
    return "tiers_" + std::to_string(++schemas);
  }
  static Parts parts(const TemporaryFolder& folder, const std::string& schema) {
    return {*open(shared_postgres().url("schema=" + schema)), *open_sqlite(folder.path("c.db")), *open_sqlite(folder.path("b.db")),
            *open_sqlite(folder.path("a.db"))};
  }
  std::shared_ptr<TemporaryFolder> folder_;
};

class OverRedis final : public Composite {
 public:
  OverRedis() : OverRedis(next_prefix()) {}

 private:
  explicit OverRedis(const std::string& prefix) : Composite(parts(prefix, "1"), parts(prefix, "2")) {}
  static std::string next_prefix() {
    static int prefixes = 0;
    return "prefix=tiers_" + std::to_string(++prefixes);
  }
  static Parts parts(const std::string& prefix, const std::string& process) {
    const auto tier = [&](const std::string& name) { return *open(shared_redis().url(prefix + name)); };
    return {tier("p"), tier("c" + process), tier("b"), tier("a")};
  }
};

template <class Tested>
std::unique_ptr<StoreUnderTest> fresh() {
  return std::make_unique<Tested>();
}

}  // namespace

TEST_CASE("a composite of memory stores keeps the contract") { check_contract(fresh<OverMemory>); }
TEST_CASE("a composite whose cache and backup fail now and then keeps the contract") { check_contract(fresh<OverFailing>); }
TEST_CASE("a composite of PostgreSQL and SQLite keeps the contract") { check_contract(fresh<OverPostgres>); }
TEST_CASE("a composite of Redis stores keeps the contract") { check_contract(fresh<OverRedis>); }
