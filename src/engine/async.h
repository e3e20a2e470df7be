// Handlers as coroutines: written as one story, holding no thread while they wait.
//
//   engine.handler("poll", [](AsyncInput in) -> Async<Result<Value>> {
//     while (!in.cancelled()) {
//       if (auto done = look()) co_return *done;
//       co_await in.sleep(std::chrono::seconds(5));
//     }
//     co_return fail(code::cancelled, "nobody waits any more");
//   });
//
// A coroutine may await in.sleep() and other Asyncs, nothing else. It is not kept: after a crash of the process the call
// is made again, from the beginning.
#pragma once

#include <coroutine>
#include <exception>
#include <functional>
#include <optional>
#include <utility>

#include "base/ensure.h"
#include "base/error.h"
#include "base/time.h"
#include "engine/handler.h"

namespace mapflow {

/// What a coroutine will have made of it. Begins when it is awaited; what it throws is thrown there.
template <class T>
class [[nodiscard]] Async {
 public:
  struct promise_type {
    std::optional<T> value;
    std::exception_ptr thrown;
    std::coroutine_handle<> awaiting = std::noop_coroutine();

    /// Goes on with whoever awaits it.
    struct Handover {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> ended) noexcept { return ended.promise().awaiting; }
      void await_resume() noexcept {}
    };
    Async get_return_object() { return Async(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    Handover final_suspend() noexcept { return {}; }
    void return_value(T result) { value = std::move(result); }
    void unhandled_exception() { thrown = std::current_exception(); }
  };

  Async(Async&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Async& operator=(Async&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Async() { if (handle_) handle_.destroy(); }

  bool await_ready() const noexcept { return handle_.done(); }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
    handle_.promise().awaiting = awaiting;
    return handle_;
  }
  T await_resume() { return take(); }

  /// For whoever drives it: the coroutine itself, and its outcome once that is done.
  std::coroutine_handle<> handle() const { return handle_; }
  T take() {
    promise_type& promise = handle_.promise();
    if (promise.thrown) std::rethrow_exception(std::exchange(promise.thrown, nullptr));
    ensure(promise.value.has_value(), "a coroutine's outcome is taken once it is done");
    return *std::move(promise.value);
  }

 private:
  explicit Async(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

/// What a handler that is a coroutine is given. Taken by value: it must live as long as the coroutine.
struct AsyncInput : StepInput {
  /// Awaited: goes on after `span`, on some worker. The coroutine holds no thread meanwhile.
  struct Sleep {
    const std::function<void(Duration, std::coroutine_handle<>)>& park;
    Duration span;
    bool await_ready() const noexcept { return span <= Duration::zero(); }
    void await_suspend(std::coroutine_handle<> sleeper) const { park(span, sleeper); }
    void await_resume() const noexcept {}
  };
  Sleep sleep(Duration span) const { return {park, span}; }

  std::function<void(Duration, std::coroutine_handle<>)> park;  ///< the engine's: resumes the coroutine after the span
};

}  // namespace mapflow
