// One call of a handler that is a coroutine.
#pragma once

#include <coroutine>
#include <functional>
#include <memory>
#include <optional>

#include "engine/async.h"
#include "engine/executor.h"

namespace mapflow::engine {

/// Lives as long as something will resume it. Thread safety: one thread at a time runs it; which, is up to `later`.
class AsyncCall : public std::enable_shared_from_this<AsyncCall> {
 public:
  /// Runs a task on a worker once the span has passed. A task that never runs is destroyed.
  using Later = std::function<void(Duration, Task)>;
  using Done = std::move_only_function<void(Result<Reply>)>;

  AsyncCall(Later later, Done done) : later_(std::move(later)), done_(std::move(done)) {}

  /// Runs the handler until it first sleeps or ends. `done` is called once, on the thread where it ends.
  void begin(const AsyncHandler& handler, StepInput input);

 private:
  void go_on(std::coroutine_handle<> where);
  void park(Duration span, std::coroutine_handle<> sleeper);
  void end();

  const Later later_;
  Done done_;
  std::optional<Async<Result<Value>>> body_;
  bool* parked_ = nullptr;  ///< of the go_on() that runs now: another thread may have it already
};

}  // namespace mapflow::engine
