#include "persistence/faulty.h"

#include <fmt/format.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "base/ensure.h"
#include "persistence/lease_rules.h"

namespace mapflow::persistence {
namespace {

Error injected(const StoreOperation& operation) {
  return Error(code::unavailable, fmt::format("injected fault in store operation {}", operation.number));
}

/// The `done`s of one partition, called in the order of their commits however late each of them is.
class DoneQueue {
 public:
  struct Slot {
    CommitDone done;
    Result<LogPosition> outcome;
    bool due = false;
  };
  using SlotPointer = std::shared_ptr<Slot>;

  SlotPointer add(CommitDone done) {
    auto slot = std::make_shared<Slot>(std::move(done), Result<LogPosition>(), false);
    const std::lock_guard lock(mutex_);
    slots_.push_back(slot);
    return slot;
  }

  void settle(const SlotPointer& slot) {
    std::unique_lock lock(mutex_);
    slot->due = true;
    if (calling_) return;  // whoever is calling comes to this one too
    calling_ = true;
    while (!slots_.empty() && slots_.front()->due) {
      const SlotPointer front = std::move(slots_.front());
      slots_.pop_front();
      lock.unlock();
      front->done(std::move(front->outcome));
      lock.lock();
    }
    calling_ = false;
  }

  /// The first one that waits for its delay, if any.
  SlotPointer first() {
    const std::lock_guard lock(mutex_);
    return slots_.empty() ? nullptr : slots_.front();
  }

 private:
  std::mutex mutex_;
  std::deque<SlotPointer> slots_;
  bool calling_ = false;
};

class FaultyStore final : public Store {
 public:
  FaultyStore(std::shared_ptr<Store> inner, FaultyOptions options)
      : inner_(std::move(inner)), options_(std::move(options)) {}

  ~FaultyStore() override {
    std::unique_lock lock(mutex_);
    all_answered_.wait(lock, [this] { return in_flight_ == 0; });
    lock.unlock();
    // Nobody waits for a delay any more, but every `done` is owed a call.
    for (auto& [partition, queue] : dones_)
      while (const auto slot = queue->first()) queue->settle(slot);
  }

  std::string name() const override { return inner_->name(); }
  bool durable() const override { return inner_->durable(); }
  std::string durability_risk() const override { return inner_->durability_risk(); }
  bool shows_details() const override { return inner_->shows_details(); }
  std::uint64_t commit_transactions() const override { return inner_->commit_transactions(); }
  std::vector<TierReport> tiers() override { return inner_->tiers(); }
  std::uint32_t shared_partitions() const override { return inner_->shared_partitions(); }

  Result<Partition> create_private_partition() override {
    return run(StoreCall::create_private_partition, {}, [&] { return inner_->create_private_partition(); });
  }
  Result<Lease> acquire(Partition partition, std::string_view node, Duration ttl, Timestamp now) override {
    return run(StoreCall::acquire, partition, [&] { return inner_->acquire(partition, node, ttl, now); });
  }
  Result<Lease> renew(const Lease& lease, Duration ttl, Timestamp now) override {
    return run(StoreCall::renew, lease.partition, [&] { return inner_->renew(lease, ttl, now); });
  }
  Status release(const Lease& lease) override {
    return run(StoreCall::release, lease.partition, [&] { return inner_->release(lease); });
  }
  Result<std::vector<Lease>> leases() override {
    return run(StoreCall::leases, {}, [&] { return inner_->leases(); });
  }
  Result<std::size_t> erase(const std::vector<InstanceRow>& rows) override {
    return run(StoreCall::erase, {}, [&] { return inner_->erase(rows); });
  }
  Result<std::vector<LogEntry>> read_log(Partition partition, LogPosition from, std::size_t max_bytes) override {
    return run(StoreCall::read_log, partition, [&] { return inner_->read_log(partition, from, max_bytes); });
  }
  Result<InstanceRow> instance(std::string_view id) override {
    return run(StoreCall::instance, {}, [&] { return inner_->instance(id); });
  }
  Result<std::vector<InstanceRow>> unfinished(Partition partition, std::string_view after_id,
                                              std::size_t limit) override {
    return run(StoreCall::unfinished, partition, [&] { return inner_->unfinished(partition, after_id, limit); });
  }
  Result<InstancePage> list(const ListQuery& query) override {
    return run(StoreCall::list, {}, [&] { return inner_->list(query); });
  }
  Result<std::vector<HistoryChunk>> history(std::string_view instance) override {
    return run(StoreCall::history, {}, [&] { return inner_->history(instance); });
  }
  Result<DefinitionRow> definition(std::string_view hash) override {
    return run(StoreCall::definition, {}, [&] { return inner_->definition(hash); });
  }
  Result<std::vector<DefinitionRow>> definitions(std::string_view after_hash, std::size_t limit) override {
    return run(StoreCall::definitions, {}, [&] { return inner_->definitions(after_hash, limit); });
  }
  Result<InboxPosition> post(Partition partition, std::string command) override {
    return run(StoreCall::post, partition, [&] { return inner_->post(partition, std::move(command)); });
  }
  Result<std::vector<InboxEntry>> inbox(Partition partition, InboxPosition after, std::size_t limit) override {
    return run(StoreCall::inbox, partition, [&] { return inner_->inbox(partition, after, limit); });
  }

  std::shared_ptr<void> on_post(std::function<void(Partition)> posted) override { return inner_->on_post(std::move(posted)); }

  void commit(Commit commit, CommitDone done) override {
    const Lease lease = commit.lease;
    StoreOperation operation;
    StoreDecision decision;
    std::shared_ptr<DoneQueue> queue;
    DoneQueue::SlotPointer slot;
    std::optional<Error> refused;
    {
      const std::lock_guard lock(mutex_);
      std::tie(operation, decision) = decide(StoreCall::commit, lease.partition);
      auto& dones = dones_[lease.partition];
      if (!dones) dones = std::make_shared<DoneQueue>();
      queue = dones;
      slot = queue->add(std::move(done));
      refused = broken_.refusal(lease);
      const bool fails = decision.fault == StoreFault::error_before || decision.fault == StoreFault::error_after;
      if (!refused && fails) broken_.note_failure(lease, injected(operation));
    }
    if (!refused && decision.fault == StoreFault::error_before) refused = injected(operation);
    if (refused) {
      finish(queue, slot, fail(std::move(*refused)), decision.delay);
      return;
    }
    if (decision.fault == StoreFault::lease_lost) intrude(lease.partition);
    {
      const std::lock_guard lock(mutex_);
      ++in_flight_;
    }
    inner_->commit(std::move(commit), [this, queue, slot, operation, decision](Result<LogPosition> outcome) {
      if (outcome && decision.fault == StoreFault::error_after) outcome = fail(injected(operation));
      finish(queue, slot, std::move(outcome), decision.delay);
      const std::lock_guard lock(mutex_);
      if (--in_flight_ == 0) all_answered_.notify_all();
    });
  }

 private:
  /// Under the lock, so that numbers and decisions come in one order.
  std::pair<StoreOperation, StoreDecision> decide(StoreCall call, Partition partition) {
    const StoreOperation operation{call, partition, ++operations_};
    return {operation, options_.decide ? options_.decide(operation) : StoreDecision{}};
  }

  template <class Call>
  auto run(StoreCall call, Partition partition, const Call& real) -> decltype(real()) {
    std::pair<StoreOperation, StoreDecision> decided;
    {
      const std::lock_guard lock(mutex_);
      decided = decide(call, partition);
    }
    const auto& [operation, decision] = decided;
    if (decision.fault == StoreFault::error_before) return fail(injected(operation));
    if (decision.fault == StoreFault::lease_lost && call == StoreCall::renew) intrude(partition);
    auto outcome = real();
    if (outcome && decision.fault == StoreFault::error_after) return fail(injected(operation));
    return outcome;
  }

  void finish(const std::shared_ptr<DoneQueue>& queue, const DoneQueue::SlotPointer& slot, Result<LogPosition> outcome,
              Duration delay) {
    slot->outcome = std::move(outcome);
    if (delay <= Duration::zero()) {
      queue->settle(slot);
      return;
    }
    ensure(static_cast<bool>(options_.schedule), "delays need a scheduler");
    options_.schedule(delay, [queue, slot] { queue->settle(slot); });
  }

  /// Another node takes the partition, whatever the time and the lease, and lets it go.
  void intrude(Partition partition) {
    const auto leases = inner_->leases();
    if (!leases) return;
    for (const Lease& lease : *leases) {
      if (lease.partition != partition) continue;
      if (const auto taken = inner_->acquire(partition, "intruder", Duration::zero(), lease.expires))
        (void)inner_->release(*taken);  // expired already, so nothing depends on this
    }
  }

  const std::shared_ptr<Store> inner_;
  const FaultyOptions options_;
  std::mutex mutex_;
  std::condition_variable all_answered_;
  std::uint64_t in_flight_ = 0;  ///< commits that the wrapped store has not answered
  std::uint64_t operations_ = 0;
  BrokenLeases broken_;
  std::unordered_map<Partition, std::shared_ptr<DoneQueue>> dones_;
};

}  // namespace

std::unique_ptr<Store> make_faulty_store(std::shared_ptr<Store> inner, FaultyOptions options) {
  return std::make_unique<FaultyStore>(std::move(inner), std::move(options));
}

}  // namespace mapflow::persistence
