// Many calls, one thread: what the transports that wait for the outside world have in common.
//
//   any thread                       the loop's thread
//   submit ──┐                 ┌─ waiting (in order) ── start ──> running ── finish ──> done(reply)
//   cancel ──┼── orders ──────>│                                     ^
//   stop   ──┘   + wake()      └─ wait(): sockets, pipes, deadlines ──┘
//
// Everything about a call but its order happens on the loop's thread, so a transport needs no locks. A transport
// derives from CallLoop and says how a call starts, what is waited for, and how a call is given up.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "engine/agent.h"
#include "model/message.h"

namespace mapflow::agents {

/// One call. A transport derives from it and adds what the call holds while it runs.
struct Call {
  const void* owner = nullptr;  ///< the agent it belongs to
  std::string id;               ///< of its envelope
  engine::AgentDone done;
  std::uint64_t serial = 0;  ///< given by the loop, never used twice

  virtual ~Call() = default;
};

struct CallLimits {
  std::size_t max_running;           ///< more calls wait their turn
  std::size_t max_waiting = 10'000;  ///< more are refused: `unavailable`, to be tried again
};

class CallLoop {
 public:
  explicit CallLoop(CallLimits limits) : limits_(limits) {}
  virtual ~CallLoop() = default;
  CallLoop(const CallLoop&) = delete;
  CallLoop& operator=(const CallLoop&) = delete;

  // For every thread. `done` of each call is called once, on the loop's thread, and must not block.

  void submit(std::unique_ptr<Call> call);
  /// Gives up the owner's call with this envelope id; unknown ids are ignored.
  void cancel(const void* owner, std::string_view id);
  /// Ends all calls of the owner at once and returns when the last `done` has returned. May be used inside a `done`.
  void stop(const void* owner);

 protected:
  // For the transport; all but wake() on the loop's thread.

  /// Begins a call, or finishes it at once when that is impossible.
  virtual void start(Call& call) = 0;
  /// Begins to give up a running call; `finish` follows, now or later.
  virtual void give_up(Call& call) = 0;
  /// Lets go at once of all that a running call holds. The loop finishes it.
  virtual void abort(Call& call) = 0;
  /// Waits until something has happened or wake() was called, and handles it.
  virtual void wait() = 0;
  /// Ends a wait(), also one that is yet to begin. From any thread.
  virtual void wake() = 0;
  /// Called last, when no call is left.
  virtual void shut_down() {}

  /// Takes a call out of the running ones. It lives on until its `done` was called, later in this turn.
  void finish(Call& call, Result<Reply> result);
  Call* find_running(std::uint64_t serial) const;
  const std::unordered_map<std::uint64_t, std::unique_ptr<Call>>& running() const { return running_; }

 private:
  friend class CallThread;
  using Order = std::move_only_function<void()>;
  struct Finished {
    std::unique_ptr<Call> call;
    Result<Reply> result;
  };

  void run();
  void end();
  void order(Order order);
  void obey_orders();
  void start_waiting();
  void deliver();
  void cancel_now(const void* owner, std::string_view id);
  void stop_now(const void* owner);

  const CallLimits limits_;
  std::atomic<std::thread::id> thread_;

  std::mutex mutex_;
  std::vector<Order> orders_;  // under mutex_

  // The loop thread's own.
  std::deque<Order> obeying_;
  bool ending_ = false;
  std::uint64_t last_serial_ = 0;
  std::deque<std::unique_ptr<Call>> waiting_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Call>> running_;
  std::deque<Finished> finished_;
};

/// Runs a loop on a thread of its own until it is destroyed. Whoever submits calls holds it; the last holder may let
/// go of it anywhere, even inside a `done`.
class CallThread {
 public:
  /// `name`: at most 15 bytes, for ps and debuggers. Errors: resource_exhausted when there is no thread to be had.
  static Result<std::shared_ptr<CallThread>> start(std::shared_ptr<CallLoop> loop, const char* name);
  ~CallThread();

  CallLoop& loop() const { return *loop_; }

 private:
  explicit CallThread(std::shared_ptr<CallLoop> loop) : loop_(std::move(loop)) {}

  std::shared_ptr<CallLoop> loop_;
  std::thread thread_;
};

}  // namespace mapflow::agents
