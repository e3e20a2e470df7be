// Where work is done: a queue of tasks that run one at a time, in order.
//
// Shards and the lease keeper live on an executor each and do everything in its tasks, so they need no locks. In
// production an executor is a thread (thread_executor.h); tests and the simulator run many of them in one thread under
// virtual time (manual_executor.h).
#pragma once

#include <functional>

#include "base/time.h"

namespace mapflow::engine {

using Task = std::move_only_function<void()>;

/// Thread safety: every call may come from any thread. What a stopped executor is given never runs; it is destroyed.
class Executor {
 public:
  virtual ~Executor() = default;
  /// Runs `task` after all tasks posted before it.
  virtual void post(Task task) = 0;
  /// Runs `task` at `at` or as soon after as its turn comes; at once when `at` has passed.
  virtual void post_at(Timestamp at, Task task) = 0;
};

}  // namespace mapflow::engine
