// Threads for work that blocks: handlers of the embedding program.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/executor.h"

namespace mapflow::engine {

class Workers {
 public:
  virtual ~Workers() = default;
  /// Takes the task, to run it on some other thread; or leaves it and gives false when it has too much to do. Any thread.
  virtual bool try_post(Task& task) = 0;
};

class WorkerPool final : public Workers {
 public:
  /// Starts `threads` threads; at most `queue` tasks wait for one.
  WorkerPool(unsigned threads, std::size_t queue);
  /// Drops what waits and lets what runs come to its end.
  ~WorkerPool() override;

  bool try_post(Task& task) override;
  /// How many tasks wait for a thread. Any thread.
  std::size_t waiting() const;

 private:
  void run();

  const std::size_t queue_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace mapflow::engine
