#include "persistence/sqlite_flusher.h"

#include <utility>

namespace mapflow::persistence::sqlite {

Flusher::Flusher(Sync sync) : sync_(std::move(sync)), thread_([this] { run(); }) {}

Flusher::~Flusher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Flusher::hand_over(Group group) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !waiting_; });
  waiting_ = std::move(group);
  lock.unlock();
  changed_.notify_all();
}

void Flusher::settle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !waiting_ && !at_it_; });
}

void Flusher::run() {
  for (std::unique_lock lock(mutex_);;) {
    changed_.wait(lock, [this] { return waiting_ || stopping_; });
    if (!waiting_) return;
    Group group = *std::exchange(waiting_, std::nullopt);
    at_it_ = true;
    lock.unlock();
    changed_.notify_all();
    finish(std::move(group));
    lock.lock();
    at_it_ = false;
    changed_.notify_all();
  }
}

std::optional<Error> Flusher::broken() {
  const std::lock_guard lock(mutex_);
  return broken_;
}

Status Flusher::sync() {
  if (auto before = broken()) return fail(*std::move(before));
  Status synced = sync_();
  if (synced) return {};
  const std::lock_guard lock(mutex_);
  broken_ = synced.error();
  return synced;
}

void Flusher::finish(Group group) {
  const Status synced = group.transactions > 0 ? sync() : Status();
  transactions_.fetch_add(group.transactions, std::memory_order_relaxed);
  for (Item& item : group.items) item.work->finish(item.outcome && !synced ? synced : std::move(item.outcome));
}

}  // namespace mapflow::persistence::sqlite
