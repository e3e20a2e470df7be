// An executor that is one thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/executor.h"

namespace mapflow::engine {

class ThreadExecutor final : public Executor {
 public:
  /// Starts the thread. `name` is what debuggers and `top` show; its first 15 characters count.
  explicit ThreadExecutor(const std::string& name);
  /// Stops.
  ~ThreadExecutor() override;

  void post(Task task) override;
  void post_at(Timestamp at, Task task) override;
  /// Lets the task that runs finish, ends the thread and drops what is left. Not for use in a task.
  void stop();

 private:
  struct Timed {
    Timestamp at;
    std::uint64_t order;  ///< of posting: equal times run in that order
    Task task;
    bool operator<(const Timed& other) const { return at != other.at ? at > other.at : order > other.order; }
  };
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Task> ready_;
  std::vector<Timed> timed_;  ///< a heap, earliest first
  std::uint64_t posted_ = 0;
  bool waiting_ = false;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace mapflow::engine
