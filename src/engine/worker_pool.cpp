#include "engine/worker_pool.h"

#include <pthread.h>

#include <utility>

namespace mapflow::engine {

WorkerPool::WorkerPool(unsigned threads, std::size_t queue) : queue_(queue) {
  for (unsigned thread = 0; thread < threads; ++thread) {
    threads_.emplace_back([this] { run(); });
    ::pthread_setname_np(threads_.back().native_handle(), "worker");
  }
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool WorkerPool::try_post(Task& task) {
  const std::lock_guard lock(mutex_);
  if (stopped_ || tasks_.size() >= queue_) return false;
  tasks_.push_back(std::move(task));
  wake_.notify_one();
  return true;
}

std::size_t WorkerPool::waiting() const {
  const std::lock_guard lock(mutex_);
  return tasks_.size();
}

void WorkerPool::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopped_ || !tasks_.empty(); });
    if (stopped_) return;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
  }
}

}  // namespace mapflow::engine
