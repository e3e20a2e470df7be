#include "persistence/commit_queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/ensure.h"

namespace mapflow::persistence {

CommitQueue::CommitQueue() : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { ensure(wake_ >= 0, "no file descriptor is left"); }
CommitQueue::~CommitQueue() { close(wake_); }

void CommitQueue::push(Commit commit, CommitDone done) {
  auto item = std::make_unique<QueuedCommit>(QueuedCommit{pack(std::move(commit)), std::move(done), 0, {}, {}, 0});
  item->size_bytes = item->packed.size_bytes();
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(item));
    ++queued_;
  }
  eventfd_write(wake_, 1);
}

void CommitQueue::flush() {
  std::unique_lock lock(mutex_);
  ensure(std::this_thread::get_id() != writer_, "a done callback may not wait for the store");
  answered_.wait(lock, [this, before = queued_] { return answers_ >= before; });
}

void CommitQueue::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  eventfd_write(wake_, 1);
}

void CommitQueue::take(std::deque<Pointer>& pending) {
  eventfd_t ignored = 0;
  eventfd_read(wake_, &ignored);
  const std::lock_guard lock(mutex_);
  writer_ = std::this_thread::get_id();
  std::ranges::move(queue_, std::back_inserter(pending));
  queue_.clear();
}

bool CommitQueue::stopping() {
  const std::lock_guard lock(mutex_);
  return stopping_ && queue_.empty();
}

void CommitQueue::answer(QueuedCommit& item, Result<LogPosition> outcome) {
  item.done(std::move(outcome));
  const std::lock_guard lock(mutex_);
  ++answers_;
  answered_.notify_all();
}

}  // namespace mapflow::persistence
