// Connections to a server for the calls that wait for their answer: as many as there are callers at once, a few of them
// kept open. Of a Connection it asks only `usable()`: false once the connection is lost.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/time.h"

namespace mapflow::persistence {

/// How long a lost server is tried again, ever less often.
class BackOff {
 public:
  using Clock = std::chrono::steady_clock;
  explicit BackOff(Duration patience) : until_(Clock::now() + patience) {}
  /// Waits a little; false, at once, when the patience is over.
  bool wait() {
    if (Clock::now() + pause_ > until_) return false;
    std::this_thread::sleep_for(pause_);
    pause_ = std::min(pause_ * 2, kLongestPause);
    return true;
  }

 private:
  static constexpr Duration kLongestPause = std::chrono::milliseconds(500);
  Clock::time_point until_;
  Duration pause_ = std::chrono::milliseconds(10);
};

/// Whether a server refused a call for a reason that passes: it certainly did not happen, and may be tried again.
inline bool passing(const Error& error) { return error.is(code::unavailable) && error.retryable == true; }

template <class Connection>
using Connect = std::function<Result<std::unique_ptr<Connection>>()>;

/// Connects, trying again while that may help. Errors: unavailable; with `retryable` false when it cannot help.
template <class Connection>
Result<std::unique_ptr<Connection>> connect_patiently(const Connect<Connection>& connect, BackOff back_off) {
  for (;;) {
    auto connection = connect();
    if (connection || connection.error().retryable == false || !back_off.wait()) return connection;
  }
}

/// Thread safety: every call from any thread.
template <class Connection>
class ServerPool {
 public:
  ServerPool(Connect<Connection> connect, Duration patience) : connect_(std::move(connect)), patience_(patience) {}

  /// Runs a call that changes nothing, or nothing twice: on a lost connection it runs again on another one.
  template <class Call>
  auto read(const Call& call) -> decltype(call(std::declval<Connection&>())) {
    for (BackOff back_off(patience_);;) {
      MAPFLOW_ASSIGN(auto connection, take(back_off));
      auto outcome = call(*connection);
      const bool whole = connection->usable();
      if (whole) give_back(std::move(connection));
      if (outcome || (whole && !passing(outcome.error())) || !back_off.wait()) return outcome;
    }
  }
  /// Runs a call once, so that a lost connection leaves its outcome unknown. It runs again only when the server
  /// refused it for what will pass.
  template <class Call>
  auto write(const Call& call) -> decltype(call(std::declval<Connection&>())) {
    BackOff back_off(patience_);
    for (;;) {
      MAPFLOW_ASSIGN(auto connection, take(back_off));
      auto outcome = call(*connection);
      if (connection->usable()) give_back(std::move(connection));
      if (outcome || !passing(outcome.error()) || !back_off.wait()) return outcome;
    }
  }

  void give_back(std::unique_ptr<Connection> connection) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kMaxIdle) idle_.push_back(std::move(connection));
  }

 private:
  static constexpr std::size_t kMaxIdle = 4;

  Result<std::unique_ptr<Connection>> take(const BackOff& back_off) {
    for (;;) {
      std::unique_ptr<Connection> connection;
      {
        const std::lock_guard lock(mutex_);
        if (idle_.empty()) break;
        connection = std::move(idle_.back());
        idle_.pop_back();
      }
      if (connection->usable()) return connection;  // the server may have closed it meanwhile
    }
    return connect_patiently(connect_, back_off);
  }

  const Connect<Connection> connect_;
  const Duration patience_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace mapflow::persistence
