// A store that passes everything on to another one: the base of stores that look at, or change, a little of it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "persistence/store.h"

namespace mapflow::persistence {

class ForwardingStore : public Store {
 public:
  explicit ForwardingStore(std::shared_ptr<Store> inner) : inner_(std::move(inner)) {}

  std::string name() const override { return inner_->name(); }
  bool durable() const override { return inner_->durable(); }
  std::string durability_risk() const override { return inner_->durability_risk(); }
  bool shows_details() const override { return inner_->shows_details(); }
  std::uint64_t commit_transactions() const override { return inner_->commit_transactions(); }
  std::vector<TierReport> tiers() override { return inner_->tiers(); }
  std::uint32_t shared_partitions() const override { return inner_->shared_partitions(); }
  Result<Partition> create_private_partition() override { return inner_->create_private_partition(); }
  Result<Lease> acquire(Partition partition, std::string_view node, Duration ttl, Timestamp now) override {
    return inner_->acquire(partition, node, ttl, now);
  }
  Result<Lease> renew(const Lease& lease, Duration ttl, Timestamp now) override {
    return inner_->renew(lease, ttl, now);
  }
  Status release(const Lease& lease) override { return inner_->release(lease); }
  Result<std::vector<Lease>> leases() override { return inner_->leases(); }
  void commit(Commit commit, CommitDone done) override { inner_->commit(std::move(commit), std::move(done)); }
  Result<std::size_t> erase(const std::vector<InstanceRow>& rows) override { return inner_->erase(rows); }
  Result<std::vector<LogEntry>> read_log(Partition partition, LogPosition from, std::size_t max_bytes) override {
    return inner_->read_log(partition, from, max_bytes);
  }
  Result<InstanceRow> instance(std::string_view id) override { return inner_->instance(id); }
  Result<std::vector<InstanceRow>> unfinished(Partition partition, std::string_view after_id, std::size_t limit) override {
    return inner_->unfinished(partition, after_id, limit);
  }
  Result<InstancePage> list(const ListQuery& query) override { return inner_->list(query); }
  Result<std::vector<HistoryChunk>> history(std::string_view id) override { return inner_->history(id); }
  Result<DefinitionRow> definition(std::string_view hash) override { return inner_->definition(hash); }
  Result<std::vector<DefinitionRow>> definitions(std::string_view after_hash, std::size_t limit) override {
    return inner_->definitions(after_hash, limit);
  }
  Result<InboxPosition> post(Partition partition, std::string command) override {
    return inner_->post(partition, std::move(command));
  }
  Result<std::vector<InboxEntry>> inbox(Partition partition, InboxPosition after, std::size_t limit) override {
    return inner_->inbox(partition, after, limit);
  }
  std::shared_ptr<void> on_post(std::function<void(Partition)> posted) override { return inner_->on_post(std::move(posted)); }

 protected:
  Store& inner() { return *inner_; }

 private:
  const std::shared_ptr<Store> inner_;
};

}  // namespace mapflow::persistence
