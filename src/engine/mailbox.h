// The door of a shard: letters come in from any thread, the shard takes them all at once.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/executor.h"
#include "engine/letters.h"

namespace mapflow::engine {

/// Whoever is to answer a shard later holds the mailbox, not the shard: when the shard is gone, letters are dropped.
/// Thread safety: post(), wake() and size() may come from any thread; the rest is the shard's.
class Mailbox : public std::enable_shared_from_this<Mailbox> {
 public:
  explicit Mailbox(std::shared_ptr<Executor> executor) : executor_(std::move(executor)) {}

  /// `turn` runs on the executor whenever there is something to do, as long as `owner` lives.
  void open(std::weak_ptr<void> owner, std::function<void()> turn) {
    const std::lock_guard lock(mutex_);
    owner_ = std::move(owner);
    turn_ = std::move(turn);
  }

  void post(Letter letter) {
    const std::lock_guard lock(mutex_);
    letters_.push_back(std::move(letter));
    wake_locked();
  }
  /// Delivers the letter at that time.
  void post_at(Timestamp at, Letter letter) {
    executor_->post_at(at, [mailbox = weak_from_this(), letter = std::move(letter)]() mutable {
      if (const auto self = mailbox.lock()) self->post(std::move(letter));
    });
  }
  void wake() {
    const std::lock_guard lock(mutex_);
    wake_locked();
  }
  void wake_at(Timestamp at) {
    executor_->post_at(at, [mailbox = weak_from_this()] {
      if (const auto self = mailbox.lock()) self->wake();
    });
  }

  /// Takes what has come. Gives false when that is nothing.
  bool take(std::vector<Letter>& letters) {
    letters.clear();
    const std::lock_guard lock(mutex_);
    letters.swap(letters_);
    return !letters.empty();
  }
  /// How many wait.
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return letters_.size();
  }
  /// The turn is over: the next letter wakes the shard again. Gives false when one has already come.
  bool sleep() {
    const std::lock_guard lock(mutex_);
    if (!letters_.empty()) return false;
    awake_ = false;
    return true;
  }
  /// The turn is over, but there is more to do: it goes on after other tasks of the executor.
  void yield() {
    const std::lock_guard lock(mutex_);
    awake_ = false;
    wake_locked();
  }

 private:
  void wake_locked() {
    if (awake_) return;
    awake_ = true;
    executor_->post([mailbox = weak_from_this()] {
      if (const auto self = mailbox.lock()) self->run();
    });
  }
  void run() {
    if (const auto owner = owner_.lock()) turn_();
  }

  const std::shared_ptr<Executor> executor_;
  std::weak_ptr<void> owner_;
  std::function<void()> turn_;
  mutable std::mutex mutex_;
  std::vector<Letter> letters_;
  bool awake_ = false;
};

}  // namespace mapflow::engine
