#include "engine/thread_executor.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace mapflow::engine {

ThreadExecutor::ThreadExecutor(const std::string& name) {
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
}

ThreadExecutor::~ThreadExecutor() { stop(); }

void ThreadExecutor::post(Task task) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  ready_.push_back(std::move(task));
  if (waiting_) wake_.notify_one();
}

void ThreadExecutor::post_at(Timestamp at, Task task) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  timed_.push_back({at, posted_++, std::move(task)});
  std::push_heap(timed_.begin(), timed_.end());
  if (waiting_) wake_.notify_one();
}

void ThreadExecutor::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
  // What is left may own things that post when they are destroyed, so it is let go without the lock.
  std::vector<Task> ready;
  std::vector<Timed> timed;
  {
    const std::lock_guard lock(mutex_);
    ready.swap(ready_);
    timed.swap(timed_);
  }
}

void ThreadExecutor::run() {
  std::vector<Task> batch;
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    const Timestamp now = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
    while (!timed_.empty() && timed_.front().at <= now) {
      std::pop_heap(timed_.begin(), timed_.end());
      ready_.push_back(std::move(timed_.back().task));
      timed_.pop_back();
    }
    if (ready_.empty()) {
      waiting_ = true;
      const Timestamp next = timed_.empty() ? kNever : timed_.front().at;  // a copy: the heap changes while we wait
      if (next == kNever)
        wake_.wait(lock);
      else
        wake_.wait_until(lock, next);
      waiting_ = false;
      continue;
    }
    batch.swap(ready_);
    for (Task& task : batch) {
      if (stopped_) break;
      lock.unlock();
      task();
      task = nullptr;
      lock.lock();
    }
    lock.unlock();
    batch.clear();
    lock.lock();
  }
}

}  // namespace mapflow::engine
