#include "persistence/postgres.h"

#include <utility>

#include "persistence/postgres_leases.h"
#include "persistence/postgres_listener.h"
#include "persistence/postgres_pool.h"
#include "persistence/postgres_reads.h"
#include "persistence/postgres_schema.h"
#include "persistence/postgres_writer.h"

namespace mapflow::persistence {
namespace {

using postgres::Connection;
using postgres::Schema;

class PostgresStore final : public Store {
 public:
  PostgresStore(const PostgresOptions& options, const postgres::Opened& opened, std::unique_ptr<Connection> reader,
                std::unique_ptr<Connection> writer)
      : name_(options.connect.name), schema_(options.schema), opened_(opened), pool_(postgres::opener(options.connect), options.patience),
        writer_(std::move(writer), options.connect, schema_, options.patience) {
    if (!options.pooled)
      hints_ = std::make_unique<PostHints>([connect = options.connect, this](int stop, const PostHints::Tell& tell) {
        postgres::listen(connect, schema_, stop, tell);
      });
    pool_.give_back(std::move(reader));
  }

  std::string name() const override { return name_; }
  bool durable() const override { return opened_.risk.empty(); }
  std::string durability_risk() const override { return opened_.risk; }
  bool shows_details() const override { return true; }
  std::uint64_t commit_transactions() const override { return writer_.transactions(); }
  std::uint32_t shared_partitions() const override { return opened_.shared_partitions; }

  Result<Partition> create_private_partition() override {
    return pool_.write([&](Connection& db) { return postgres::create_private_partition(db, schema_); });
  }
  Result<Lease> acquire(Partition partition, std::string_view node, Duration ttl, Timestamp now) override {
    return pool_.write([&](Connection& db) { return postgres::acquire(db, schema_, partition, node, ttl, now); });
  }
  Result<Lease> renew(const Lease& lease, Duration ttl, Timestamp now) override {
    return pool_.read([&](Connection& db) { return postgres::renew(db, schema_, lease, ttl, now); });
  }
  Status release(const Lease& lease) override {
    writer_.flush();
    return pool_.read([&](Connection& db) { return postgres::release(db, schema_, lease); });
  }
  Result<std::vector<Lease>> leases() override {
    return pool_.read([&](Connection& db) { return postgres::leases(db, schema_); });
  }

  void commit(Commit commit, CommitDone done) override { writer_.commit(std::move(commit), std::move(done)); }

  Result<std::size_t> erase(const std::vector<InstanceRow>& rows) override {
    return pool_.write([&](Connection& db) { return postgres::erase(db, schema_, rows); });
  }

  Result<std::vector<LogEntry>> read_log(Partition partition, LogPosition from, std::size_t max_bytes) override {
    return pool_.read([&](Connection& db) { return postgres::read_log(db, schema_, partition, from, max_bytes); });
  }
  Result<InstanceRow> instance(std::string_view id) override {
    return pool_.read([&](Connection& db) { return postgres::instance(db, schema_, id); });
  }
  Result<std::vector<InstanceRow>> unfinished(Partition partition, std::string_view after_id,
                                              std::size_t limit) override {
    return pool_.read([&](Connection& db) { return postgres::unfinished(db, schema_, partition, after_id, limit); });
  }
  Result<InstancePage> list(const ListQuery& query) override {
    return pool_.read([&](Connection& db) { return postgres::list(db, schema_, query); });
  }
  Result<std::vector<HistoryChunk>> history(std::string_view instance) override {
    return pool_.read([&](Connection& db) { return postgres::history(db, schema_, instance); });
  }
  Result<DefinitionRow> definition(std::string_view hash) override {
    return pool_.read([&](Connection& db) { return postgres::definition(db, schema_, hash); });
  }
  Result<std::vector<DefinitionRow>> definitions(std::string_view after_hash, std::size_t limit) override {
    return pool_.read([&](Connection& db) { return postgres::definitions(db, schema_, after_hash, limit); });
  }

  Result<InboxPosition> post(Partition partition, std::string command) override {
    return pool_.write([&](Connection& db) { return postgres::post(db, schema_, partition, command); });
  }
  Result<std::vector<InboxEntry>> inbox(Partition partition, InboxPosition after, std::size_t limit) override {
    return pool_.read([&](Connection& db) { return postgres::inbox(db, schema_, partition, after, limit); });
  }
  std::shared_ptr<void> on_post(std::function<void(Partition)> posted) override {
    return hints_ ? hints_->add(std::move(posted)) : nullptr;
  }

 private:
  const std::string name_;
  const Schema schema_;
  const postgres::Opened opened_;
  postgres::Pool pool_;
  std::unique_ptr<PostHints> hints_;  ///< none where connections are lent
  postgres::Writer writer_;  ///< last, so that it ends first: what its last callbacks read is still there
};

}  // namespace

Result<std::unique_ptr<Store>> open_postgres(const PostgresOptions& options) {
  MAPFLOW_ASSIGN(auto reader, Connection::open(options.connect));
  const Schema schema(options.schema);
  MAPFLOW_ASSIGN(const postgres::Opened opened, postgres::prepare_schema(*reader, schema, options.shared_partitions));
  MAPFLOW_ASSIGN(auto writer, Connection::open(options.connect));
  return std::make_unique<PostgresStore>(options, opened, std::move(reader), std::move(writer));
}

}  // namespace mapflow::persistence
