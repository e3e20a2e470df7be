#include "persistence/tier.h"

#include <future>
#include <memory>
#include <utility>

namespace mapflow::persistence {

Result<Lease> take_over(Store& store, Partition partition, std::string_view node) {
  for (;;) {
    // A lease of no length never keeps the next one out, and what expired still writes while nobody took it.
    auto lease = store.acquire(partition, node, Duration::zero(), Timestamp{});
    if (lease || !lease.error().is(code::not_found)) return lease;
    MAPFLOW_ASSIGN(const Partition made, store.create_private_partition());
    if (made > partition) return store.acquire(partition, node, Duration::zero(), Timestamp{});
  }
}

Result<LogPosition> commit_and_wait(Store& store, Commit commit) {
  const auto outcome = std::make_shared<std::promise<Result<LogPosition>>>();
  auto arrived = outcome->get_future();
  store.commit(std::move(commit), [outcome](Result<LogPosition> position) { outcome->set_value(std::move(position)); });
  return arrived.get();
}

Status add_definition(Commit& commit, Store& from, const std::string& hash) {
  auto definition = from.definition(hash);
  if (definition) {
    commit.definitions.push_back(std::move(*definition));
  } else if (!definition.error().is(code::not_found)) {
    return fail(std::move(definition).error());
  }
  return {};
}

void InFlight::begin() {
  const std::lock_guard lock(mutex_);
  ++count_;
}

void InFlight::end() {
  const std::lock_guard lock(mutex_);
  if (--count_ == 0) none_.notify_all();
}

void InFlight::wait() {
  std::unique_lock lock(mutex_);
  none_.wait(lock, [this] { return count_ == 0; });
}

void Trouble::note(const Error& error) {
  const std::lock_guard lock(mutex_);
  text_ = error.to_string();
}

void Trouble::over() {
  const std::lock_guard lock(mutex_);
  text_.clear();
}

std::string Trouble::text() const {
  const std::lock_guard lock(mutex_);
  return text_;
}

}  // namespace mapflow::persistence
