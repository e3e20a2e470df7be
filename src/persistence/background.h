// A thread that carries out small errands in the order they were given, and perhaps something now and then.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/time.h"

namespace mapflow::persistence {

/// Thread safety: every call from any thread; not from an errand.
class Background {
 public:
  using Errand = std::move_only_function<void()>;

  /// `now_and_then`, if given, is called whenever `pause` has gone by without it.
  explicit Background(Errand now_and_then = {}, Duration pause = Duration::max())
      : now_and_then_(std::move(now_and_then)), pause_(pause), thread_([this] { run(); }) {}
  /// Carries out what was given before.
  ~Background() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  void give(Errand errand) {
    {
      const std::lock_guard lock(mutex_);
      errands_.push_back(std::move(errand));
    }
    wake_.notify_all();
  }
  std::size_t waiting() {
    const std::lock_guard lock(mutex_);
    return errands_.size();
  }
  /// Returns when everything given before has been carried out.
  void wait() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return errands_.empty() && !busy_; });
  }

 private:
  using Clock = std::chrono::steady_clock;

  void run() {
    std::unique_lock lock(mutex_);
    Clock::time_point due = next();
    for (;;) {
      const auto called = [this] { return stopping_ || !errands_.empty(); };
      if (now_and_then_) {
        wake_.wait_until(lock, due, called);
      } else {
        wake_.wait(lock, called);
      }
      if (!errands_.empty()) {
        Errand errand = std::move(errands_.front());
        errands_.pop_front();
        carry_out(lock, errand);
      } else if (stopping_) {
        return;
      }
      if (now_and_then_ && !stopping_ && Clock::now() >= due) {
        carry_out(lock, now_and_then_);
        due = next();
      }
    }
  }
  void carry_out(std::unique_lock<std::mutex>& lock, Errand& errand) {
    busy_ = true;
    lock.unlock();
    errand();
    lock.lock();
    busy_ = false;
    idle_.notify_all();
  }
  Clock::time_point next() const { return now_and_then_ ? Clock::now() + pause_ : Clock::time_point(); }

  Errand now_and_then_;
  const Duration pause_;
  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<Errand> errands_;
  bool busy_ = false;
  bool stopping_ = false;
  std::thread thread_;  ///< last, for it uses the rest
};

}  // namespace mapflow::persistence
