#include "persistence/postgres_pool.h"

#include <algorithm>
#include <thread>

namespace mapflow::persistence::postgres {
namespace {

constexpr Duration kLongestPause = std::chrono::milliseconds(500);
constexpr std::size_t kMaxIdle = 4;

}  // namespace

bool BackOff::wait() {
  if (Connection::Clock::now() + pause_ > until_) return false;
  std::this_thread::sleep_for(pause_);
  pause_ = std::min(pause_ * 2, kLongestPause);
  return true;
}

Result<std::unique_ptr<Connection>> connect(const ConnectOptions& options, BackOff back_off) {
  for (;;) {
    auto db = Connection::open(options);
    if (db || db.error().retryable == false || !back_off.wait()) return db;
  }
}

Result<std::unique_ptr<Connection>> Pool::take(const BackOff& back_off) {
  for (;;) {
    std::unique_ptr<Connection> db;
    {
      const std::lock_guard lock(mutex_);
      if (idle_.empty()) break;
      db = std::move(idle_.back());
      idle_.pop_back();
    }
    if (db->usable()) return db;  // the server may have closed it meanwhile
  }
  return connect(options_, back_off);
}

void Pool::give_back(std::unique_ptr<Connection> db) {
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kMaxIdle) idle_.push_back(std::move(db));
}

}  // namespace mapflow::persistence::postgres
