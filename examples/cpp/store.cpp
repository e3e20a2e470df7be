// A store of the program's own: here one that keeps everything in memory and writes an audit line for every commit.
// A real one keeps the same contract, mapflow/persistence/store.h, on whatever the program stores things in.
#include <mapflow/mapflow.h>

#include <atomic>
#include <iostream>

namespace {

using namespace mapflow::persistence;
using mapflow::Duration;
using mapflow::Result;
using mapflow::Status;
using mapflow::Timestamp;

class AuditedStore final : public Store {
 public:
  explicit AuditedStore(std::unique_ptr<Store> inner) : inner_(std::move(inner)) {}
  std::uint64_t commits() const { return commits_; }
  std::uint64_t bytes() const { return bytes_; }

  void commit(Commit commit, CommitDone done) override {
    const std::size_t size = commit.log.size();
    inner_->commit(std::move(commit), [this, size, done = std::move(done)](Result<LogPosition> position) mutable {
      if (position) {
        ++commits_;
        bytes_ += size;
      }
      done(std::move(position));
    });
  }

  std::string name() const override { return "audited " + inner_->name(); }
  bool durable() const override { return inner_->durable(); }
  std::uint32_t shared_partitions() const override { return inner_->shared_partitions(); }
  Result<Partition> create_private_partition() override { return inner_->create_private_partition(); }
  Result<Lease> acquire(Partition partition, std::string_view node, Duration ttl, Timestamp now) override { return inner_->acquire(partition, node, ttl, now); }
  Result<Lease> renew(const Lease& lease, Duration ttl, Timestamp now) override { return inner_->renew(lease, ttl, now); }
  Status release(const Lease& lease) override { return inner_->release(lease); }
  Result<std::vector<Lease>> leases() override { return inner_->leases(); }
  Result<std::size_t> erase(const std::vector<InstanceRow>& rows) override { return inner_->erase(rows); }
  Result<std::vector<LogEntry>> read_log(Partition partition, LogPosition from, std::size_t most) override { return inner_->read_log(partition, from, most); }
  Result<InstanceRow> instance(std::string_view id) override { return inner_->instance(id); }
  Result<std::vector<InstanceRow>> unfinished(Partition partition, std::string_view after, std::size_t limit) override { return inner_->unfinished(partition, after, limit); }
  Result<InstancePage> list(const ListQuery& query) override { return inner_->list(query); }
  Result<std::vector<HistoryChunk>> history(std::string_view instance) override { return inner_->history(instance); }
  Result<DefinitionRow> definition(std::string_view hash) override { return inner_->definition(hash); }
  Result<std::vector<DefinitionRow>> definitions(std::string_view after, std::size_t limit) override { return inner_->definitions(after, limit); }
  Result<InboxPosition> post(Partition partition, std::string command) override { return inner_->post(partition, std::move(command)); }
  Result<std::vector<InboxEntry>> inbox(Partition partition, InboxPosition after, std::size_t limit) override { return inner_->inbox(partition, after, limit); }

 private:
  std::unique_ptr<Store> inner_;
  std::atomic<std::uint64_t> commits_ = 0, bytes_ = 0;
};

}  // namespace

int main() {
  auto inner = open("memory:");
  if (!inner) return 2;
  const auto store = std::make_shared<AuditedStore>(*std::move(inner));
  {
    mapflow::Engine engine({.store_object = store});
    const auto definition = mapflow::workflow("counted").transform({{"x", 1}}).transform({{"y", "{{ x + 1 }}"}}).build();
    if (const auto added = engine.add(definition.value()); !added) return 2;
    const auto end = engine.start("counted")->wait();
    std::cout << end->find("state")->as_text() << ", y is " << end->find_path("variables.y")->as_integer() << '\n';
  }
  std::cout << store->name() << ": " << (store->commits() > 0 && store->bytes() > 0 ? "every commit was counted" : "nothing was counted") << '\n';
}
