#include "persistence/redis.h"

#include <utility>

#include "persistence/post_hints.h"
#include "persistence/redis_access.h"
#include "persistence/redis_erase.h"
#include "persistence/redis_leases.h"
#include "persistence/redis_reads.h"
#include "persistence/redis_writer.h"

namespace mapflow::persistence {
namespace {

using redis::Access;
using redis::Command;
using redis::Keys;

/// Tells of what is posted until the connection is lost or `stop` is readable.
void listen(Access& access, const Keys& keys, int stop, const PostHints::Tell& tell) {
  auto connection = access.connect(keys.channel());
  if (!connection || !(*connection)->query(Command{"SUBSCRIBE", keys.channel()})) return;
  while ((*connection)->usable() && !PostHints::stopped(stop)) {
    while (const auto said = (*connection)->receive_unasked())
      if (said->elements.size() == 3 && said->elements[0].text == "message") tell(said->elements[2].text);
    (*connection)->wait(stop);
  }
}

class RedisStore final : public Store {
 public:
  RedisStore(const RedisOptions& options, std::unique_ptr<Access> access, const redis::Opened& opened)
      : keys_(options.prefix), opened_(opened), access_(std::move(access)),
        hints_([this](int stop, const PostHints::Tell& tell) { listen(*access_, keys_, stop, tell); }),
        writer_(*access_, keys_) {}

  std::string name() const override { return access_->name(); }
  bool durable() const override { return opened_.risk.empty(); }
  std::string durability_risk() const override { return opened_.risk; }
  std::uint64_t commit_transactions() const override { return writer_.transactions(); }
  std::uint32_t shared_partitions() const override { return opened_.shared_partitions; }

  Result<Partition> create_private_partition() override { return redis::create_private_partition(*access_, keys_); }
  Result<Lease> acquire(Partition partition, std::string_view node, Duration ttl, Timestamp now) override {
    return redis::acquire(*access_, keys_, partition, node, ttl, now);
  }
  Result<Lease> renew(const Lease& lease, Duration ttl, Timestamp now) override {
    return redis::renew(*access_, keys_, lease, ttl, now);
  }
  Status release(const Lease& lease) override {
    writer_.flush();
    return redis::release(*access_, keys_, lease);
  }
  Result<std::vector<Lease>> leases() override { return redis::leases(*access_, keys_); }

  void commit(Commit commit, CommitDone done) override { writer_.commit(std::move(commit), std::move(done)); }
  Result<std::size_t> erase(const std::vector<InstanceRow>& rows) override { return redis::erase(*access_, keys_, rows); }

  Result<std::vector<LogEntry>> read_log(Partition partition, LogPosition from, std::size_t max_bytes) override {
    return redis::read_log(*access_, keys_, partition, from, max_bytes);
  }
  Result<InstanceRow> instance(std::string_view id) override { return redis::instance(*access_, keys_, id); }
  Result<std::vector<InstanceRow>> unfinished(Partition partition, std::string_view after_id, std::size_t limit) override {
    return redis::unfinished(*access_, keys_, partition, after_id, limit);
  }
  Result<InstancePage> list(const ListQuery& query) override { return redis::list(*access_, keys_, query); }
  Result<std::vector<HistoryChunk>> history(std::string_view instance) override { return redis::history(*access_, keys_, instance); }
  Result<DefinitionRow> definition(std::string_view hash) override { return redis::definition(*access_, keys_, hash); }
  Result<std::vector<DefinitionRow>> definitions(std::string_view after_hash, std::size_t limit) override {
    return redis::definitions(*access_, keys_, after_hash, limit);
  }

  Result<InboxPosition> post(Partition partition, std::string command) override {
    return redis::post(*access_, keys_, partition, command);
  }
  Result<std::vector<InboxEntry>> inbox(Partition partition, InboxPosition after, std::size_t limit) override {
    return redis::inbox(*access_, keys_, partition, after, limit);
  }
  std::shared_ptr<void> on_post(std::function<void(Partition)> posted) override { return hints_.add(std::move(posted)); }

 private:
  const Keys keys_;
  const redis::Opened opened_;
  const std::unique_ptr<Access> access_;
  PostHints hints_;
  redis::Writer writer_;  ///< last, so that it ends first: what its last callbacks read is still there
};

}  // namespace

Result<std::unique_ptr<Store>> open_redis(const RedisOptions& options) {
  auto access = std::make_unique<Access>(options.access);
  const Keys keys(options.prefix);
  MAPFLOW_TRY(access->connect(keys.store()));  // at once, without patience: a wrong address should be told soon
  MAPFLOW_ASSIGN(const redis::Opened opened, redis::prepare_store(*access, keys, options.shared_partitions));
  return std::make_unique<RedisStore>(options, std::move(access), opened);
}

}  // namespace mapflow::persistence
