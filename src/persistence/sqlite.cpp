#include "persistence/sqlite.h"

#include <fmt/format.h>

#include "persistence/sqlite_log_file.h"
#include "persistence/sqlite_reads.h"
#include "persistence/sqlite_schema.h"
#include "persistence/sqlite_writer.h"
#include "persistence/sqlite_writes.h"

namespace mapflow::persistence {
namespace {

using sqlite::Database;

class CommitWork final : public sqlite::Work {
 public:
  CommitWork(Commit commit, CommitDone done)
      : packed_(pack(std::move(commit))), size_bytes_(packed_.size_bytes()), done_(std::move(done)) {}
  Status apply(Database& db) override {
    MAPFLOW_ASSIGN(position_, sqlite::write(db, packed_));
    return {};
  }
  void finish(Status outcome) override {
    if (outcome) {
      done_(position_);
    } else {
      done_(fail(std::move(outcome).error()));
    }
  }
  const Lease* lease() const override { return &packed_.commit.lease; }
  std::optional<Partition> shortens_log() const override {
    if (packed_.commit.truncate_before.value == 0) return std::nullopt;
    return packed_.commit.lease.partition;
  }
  std::size_t size_bytes() const override { return size_bytes_; }

 private:
  PackedCommit packed_;
  std::size_t size_bytes_;
  CommitDone done_;
  LogPosition position_;
};

class SqliteStore final : public Store {
 public:
  SqliteStore(std::unique_ptr<Database> db, sqlite::LogFile log, const Database::Options& options, std::uint32_t shared)
      : path_(db->path()), shared_(shared), readers_(path_, options),
        writer_(std::move(db), [log = std::move(log)]() mutable { return log.sync(); }) {}

  std::string name() const override { return "sqlite:" + path_; }
  bool durable() const override { return true; }
  std::uint64_t commit_transactions() const override { return writer_.transactions(); }
  std::uint32_t shared_partitions() const override { return shared_; }

  Result<Partition> create_private_partition() override {
    return writer_.call<Partition>([](Database& db) { return sqlite::create_private_partition(db); });
  }
  Result<Lease> acquire(Partition partition, std::string_view node, Duration ttl, Timestamp now) override {
    return writer_.call<Lease>([=](Database& db) { return sqlite::acquire(db, partition, node, ttl, now); });
  }
  Result<Lease> renew(const Lease& lease, Duration ttl, Timestamp now) override {
    return writer_.call<Lease>([&](Database& db) { return sqlite::renew(db, lease, ttl, now); });
  }
  Status release(const Lease& lease) override {
    return writer_.call<void>([&](Database& db) { return sqlite::release(db, lease); });
  }
  Result<std::vector<Lease>> leases() override {
    return read([](Database& db) { return sqlite::leases(db); });
  }

  void commit(Commit commit, CommitDone done) override {
    writer_.push(std::make_unique<CommitWork>(std::move(commit), std::move(done)));
  }

  Result<std::size_t> erase(const std::vector<InstanceRow>& rows) override {
    return writer_.call<std::size_t>([&](Database& db) { return sqlite::erase(db, rows); });
  }

  Result<std::vector<LogEntry>> read_log(Partition partition, LogPosition from, std::size_t max_bytes) override {
    return read([&](Database& db) { return sqlite::read_log(db, partition, from, max_bytes); });
  }
  Result<InstanceRow> instance(std::string_view id) override {
    return read([&](Database& db) { return sqlite::instance(db, id); });
  }
  Result<std::vector<InstanceRow>> unfinished(Partition partition, std::string_view after_id,
                                              std::size_t limit) override {
    return read([&](Database& db) { return sqlite::unfinished(db, partition, after_id, limit); });
  }
  Result<InstancePage> list(const ListQuery& query) override {
    return read([&](Database& db) { return sqlite::list(db, query); });
  }
  Result<std::vector<HistoryChunk>> history(std::string_view instance) override {
    return read([&](Database& db) { return sqlite::history(db, instance); });
  }
  Result<DefinitionRow> definition(std::string_view hash) override {
    return read([&](Database& db) { return sqlite::definition(db, hash); });
  }
  Result<std::vector<DefinitionRow>> definitions(std::string_view after_hash, std::size_t limit) override {
    return read([&](Database& db) { return sqlite::definitions(db, after_hash, limit); });
  }

  Result<InboxPosition> post(Partition partition, std::string command) override {
    return writer_.call<InboxPosition>([&](Database& db) { return sqlite::post(db, partition, command); });
  }
  Result<std::vector<InboxEntry>> inbox(Partition partition, InboxPosition after, std::size_t limit) override {
    return read([&](Database& db) { return sqlite::inbox(db, partition, after, limit); });
  }

 private:
  template <class Read>
  auto read(const Read& call) -> decltype(call(std::declval<Database&>())) {
    MAPFLOW_ASSIGN(auto db, readers_.take());
    auto result = call(*db);
    readers_.give_back(std::move(db));
    return result;
  }

  const std::string path_;
  const std::uint32_t shared_;
  sqlite::ReadPool readers_;
  sqlite::Writer writer_;  ///< last, so that it ends first: what its last callbacks read is still there
};

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite(const std::string& path, const SqliteOptions& options) {
  const Database::Options connection{options.busy_timeout};
  MAPFLOW_ASSIGN(auto db, Database::open(path, connection));
  MAPFLOW_TRY(sqlite::prepare_store(*db, options.shared_partitions));
  MAPFLOW_TRY(sqlite::configure_writer(*db));
  if (options.max_pages > 0)
    MAPFLOW_TRY(db->execute(fmt::format("PRAGMA max_page_count = {}", options.max_pages).c_str()));
  MAPFLOW_ASSIGN(const std::uint32_t shared, sqlite::shared_partitions(*db));
  MAPFLOW_ASSIGN(sqlite::LogFile log, sqlite::LogFile::open(path));
  return std::make_unique<SqliteStore>(std::move(db), std::move(log), connection, shared);
}

}  // namespace mapflow::persistence
