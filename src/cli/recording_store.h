// A store that remembers what was committed to it, so that a bare loop can write the very same bytes again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "persistence/store.h"

namespace mapflow::cli {

/// Commits that became durable in one transaction of the backend.
using RecordedTransaction = std::vector<persistence::Commit>;

class RecordingStore final : public persistence::Store {
 public:
  /// `transactions` counts the backend's transactions so far; asked when a commit is done, on the backend's thread.
  RecordingStore(std::shared_ptr<persistence::Store> inner, std::function<std::uint64_t()> transactions)
      : inner_(std::move(inner)), transactions_(std::move(transactions)), recording_(std::make_shared<Recording>()) {}

  /// Ends the recording and gives it.
  std::vector<RecordedTransaction> take();

  std::string name() const override { return inner_->name(); }
  bool durable() const override { return inner_->durable(); }
  std::uint32_t shared_partitions() const override { return inner_->shared_partitions(); }
  Result<persistence::Partition> create_private_partition() override { return inner_->create_private_partition(); }
  Result<persistence::Lease> acquire(persistence::Partition partition, std::string_view node, Duration ttl,
                                     Timestamp now) override {
    return inner_->acquire(partition, node, ttl, now);
  }
  Result<persistence::Lease> renew(const persistence::Lease& lease, Duration ttl, Timestamp now) override {
    return inner_->renew(lease, ttl, now);
  }
  Status release(const persistence::Lease& lease) override { return inner_->release(lease); }
  Result<std::vector<persistence::Lease>> leases() override { return inner_->leases(); }
  void commit(persistence::Commit commit, persistence::CommitDone done) override;
  Result<std::vector<persistence::LogEntry>> read_log(persistence::Partition partition, persistence::LogPosition from,
                                                      std::size_t max_bytes) override {
    return inner_->read_log(partition, from, max_bytes);
  }
  Result<persistence::InstanceRow> instance(std::string_view id) override { return inner_->instance(id); }
  Result<std::vector<persistence::InstanceRow>> unfinished(persistence::Partition partition, std::string_view after_id,
                                                           std::size_t limit) override {
    return inner_->unfinished(partition, after_id, limit);
  }
  Result<persistence::InstancePage> list(const persistence::ListQuery& query) override { return inner_->list(query); }
  Result<std::vector<persistence::HistoryChunk>> history(std::string_view id) override { return inner_->history(id); }
  Result<persistence::DefinitionRow> definition(std::string_view hash) override { return inner_->definition(hash); }
  Result<persistence::InboxPosition> post(persistence::Partition partition, std::string command) override {
    return inner_->post(partition, std::move(command));
  }
  Result<std::vector<persistence::InboxEntry>> inbox(persistence::Partition partition, persistence::InboxPosition after,
                                                     std::size_t limit) override {
    return inner_->inbox(partition, after, limit);
  }

 private:
  struct Recording {
    std::mutex mutex;
    bool on = true;
    std::uint64_t last_transaction = 0;
    std::vector<RecordedTransaction> transactions;
  };

  std::shared_ptr<persistence::Store> inner_;
  std::function<std::uint64_t()> transactions_;
  std::shared_ptr<Recording> recording_;  // also held by commits whose end is still to come
};

}  // namespace mapflow::cli
