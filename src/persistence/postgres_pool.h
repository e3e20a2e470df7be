// Connections for the calls that wait for their answer: as many as there are callers at once, a few of them kept open.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "persistence/postgres_connection.h"

namespace mapflow::persistence::postgres {

/// How long a lost server is tried again, ever less often.
class BackOff {
 public:
  explicit BackOff(Duration patience) : until_(Connection::Clock::now() + patience) {}
  /// Waits a little; false, at once, when the patience is over.
  bool wait();

 private:
  Connection::Clock::time_point until_;
  Duration pause_ = std::chrono::milliseconds(10);
};

/// Opens a connection, trying again while that may help. Errors: unavailable.
Result<std::unique_ptr<Connection>> connect(const ConnectOptions& options, BackOff back_off);

/// Thread safety: every call from any thread.
class Pool {
 public:
  Pool(ConnectOptions options, Duration patience) : options_(std::move(options)), patience_(patience) {}

  /// Runs a call that changes nothing, or nothing twice: on a lost connection it runs again on another one.
  template <class Call>
  auto read(const Call& call) -> decltype(call(std::declval<Connection&>())) {
    for (BackOff back_off(patience_);;) {
      MAPFLOW_ASSIGN(auto db, take(back_off));
      auto outcome = call(*db);
      const bool whole = db->usable();
      if (whole) give_back(std::move(db));
      if (outcome || whole || !back_off.wait()) return outcome;
    }
  }
  /// Runs a call once, so that a lost connection leaves its outcome unknown. It runs again only when the server
  /// refused it for what another process did at the same moment.
  template <class Call>
  auto write(const Call& call) -> decltype(call(std::declval<Connection&>())) {
    BackOff back_off(patience_);
    MAPFLOW_ASSIGN(auto db, take(back_off));
    for (;;) {
      auto outcome = call(*db);
      const bool whole = db->usable();
      if (whole && !outcome && passing(outcome.error()) && back_off.wait()) continue;
      if (whole) give_back(std::move(db));
      return outcome;
    }
  }

  void give_back(std::unique_ptr<Connection> db);

 private:
  Result<std::unique_ptr<Connection>> take(const BackOff& back_off);

  const ConnectOptions options_;
  const Duration patience_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace mapflow::persistence::postgres
