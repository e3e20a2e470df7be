#include "persistence/late.h"

#include <chrono>
#include <mutex>
#include <utility>
#include <vector>

#include "persistence/background.h"

namespace mapflow::persistence {
namespace {

constexpr auto kPause = std::chrono::seconds(1);

class LateStore final : public Store {
 public:
  using Open = std::function<Result<std::shared_ptr<Store>>()>;
  LateStore(std::string name, Open open, Error first)
      : name_(std::move(name)), open_(std::move(open)), error_(std::move(first)), next_try_(Clock::now() + kPause) {}

  std::string name() const override { return name_; }
  bool durable() const override { return false; }
  std::uint32_t shared_partitions() const override { return 0; }

  Result<Partition> create_private_partition() override {
    return with([&](Store& store) { return store.create_private_partition(); });
  }
  Result<Lease> acquire(Partition partition, std::string_view node, Duration ttl, Timestamp now) override {
    return with([&](Store& store) { return store.acquire(partition, node, ttl, now); });
  }
  Result<Lease> renew(const Lease& lease, Duration ttl, Timestamp now) override {
    return with([&](Store& store) { return store.renew(lease, ttl, now); });
  }
  Status release(const Lease& lease) override {
    return with([&](Store& store) { return store.release(lease); });
  }
  Result<std::vector<Lease>> leases() override {
    return with([&](Store& store) { return store.leases(); });
  }
  void commit(Commit commit, CommitDone done) override {
    const auto store = opened();
    if (!store) return done(fail(store.error()));
    (*store)->commit(std::move(commit), std::move(done));
  }
  Result<std::size_t> erase(const std::vector<InstanceRow>& rows) override {
    return with([&](Store& store) { return store.erase(rows); });
  }
  Result<std::vector<LogEntry>> read_log(Partition partition, LogPosition from, std::size_t max_bytes) override {
    return with([&](Store& store) { return store.read_log(partition, from, max_bytes); });
  }
  Result<InstanceRow> instance(std::string_view id) override {
    return with([&](Store& store) { return store.instance(id); });
  }
  Result<std::vector<InstanceRow>> unfinished(Partition partition, std::string_view after_id, std::size_t limit) override {
    return with([&](Store& store) { return store.unfinished(partition, after_id, limit); });
  }
  Result<InstancePage> list(const ListQuery& query) override {
    return with([&](Store& store) { return store.list(query); });
  }
  Result<std::vector<HistoryChunk>> history(std::string_view id) override {
    return with([&](Store& store) { return store.history(id); });
  }
  Result<DefinitionRow> definition(std::string_view hash) override {
    return with([&](Store& store) { return store.definition(hash); });
  }
  Result<std::vector<DefinitionRow>> definitions(std::string_view after_hash, std::size_t limit) override {
    return with([&](Store& store) { return store.definitions(after_hash, limit); });
  }
  Result<InboxPosition> post(Partition partition, std::string command) override {
    return with([&](Store& store) { return store.post(partition, std::move(command)); });
  }
  Result<std::vector<InboxEntry>> inbox(Partition partition, InboxPosition after, std::size_t limit) override {
    return with([&](Store& store) { return store.inbox(partition, after, limit); });
  }

 private:
  using Clock = std::chrono::steady_clock;

  template <class Call>
  auto with(Call call) -> decltype(call(std::declval<Store&>())) {
    const auto store = opened();
    if (!store) return fail(store.error());
    return call(**store);
  }

  /// The store, or why it is not there. A try that is due begins, and nobody waits for it.
  Result<std::shared_ptr<Store>> opened() {
    const std::lock_guard lock(mutex_);
    if (store_) return store_;
    if (error_.is(code::unavailable) && Clock::now() >= next_try_) {
      next_try_ = Clock::time_point::max();
      background_.give([this] { try_again(); });
    }
    return fail(error_);
  }

  void try_again() {
    auto found = open_();
    const std::lock_guard lock(mutex_);
    next_try_ = Clock::now() + kPause;
    if (found) {
      store_ = std::move(*found);
    } else {
      error_ = std::move(found).error();
    }
  }

  const std::string name_;
  const Open open_;
  std::mutex mutex_;
  std::shared_ptr<Store> store_;
  Error error_;
  Clock::time_point next_try_;
  Background background_;  ///< last, for it uses the rest
};

}  // namespace

Result<std::shared_ptr<Store>> open_late(std::string name, std::function<Result<std::shared_ptr<Store>>()> open) {
  auto opened = open();
  if (opened || !opened.error().is(code::unavailable)) return opened;
  return std::make_shared<LateStore>(std::move(name), std::move(open), std::move(opened).error());
}

}  // namespace mapflow::persistence
