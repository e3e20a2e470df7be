// The writer thread of a SQLite store: everything queued while the disk was busy becomes one transaction.
//
// What one Work does is undone alone when it is refused before it wrote anything, which is how a fenced commit fails.
// When one fails in the middle of its writing, the whole group is rolled back and each Work runs in a transaction of
// its own: the failing one harms nobody, and the usual case pays for no savepoints.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "base/ensure.h"
#include "persistence/lease_rules.h"
#include "persistence/sqlite_database.h"
#include "persistence/sqlite_log_sweep.h"

namespace mapflow::persistence::sqlite {

class Work {
 public:
  virtual ~Work() = default;
  /// Checks, then writes, inside a transaction. Runs again when that transaction was rolled back.
  virtual Status apply(Database& db) = 0;
  /// Called once: the outcome is durable, or why there is none.
  virtual void finish(Status outcome) = 0;
  /// The lease it writes under: after a failure nothing more happens under that lease.
  virtual const Lease* lease() const { return nullptr; }
  /// The partition whose log it shortens, if it does.
  virtual std::optional<Partition> shortens_log() const { return std::nullopt; }
  /// About how many bytes it writes.
  virtual std::size_t size_bytes() const { return 0; }
};

class Writer {
 public:
  explicit Writer(std::unique_ptr<Database> db);
  /// Carries out what is queued, then ends the thread.
  ~Writer();

  void push(std::unique_ptr<Work> work);
  /// How many transactions have been committed so far.
  std::uint64_t transactions() const { return transactions_.load(std::memory_order_relaxed); }

  /// Runs `write` inside a transaction of the writer and returns when the outcome is durable. It must check before it
  /// writes, and may run twice (see Work). Not from the writer's own thread.
  template <class T>
  Result<T> call(std::function<Result<T>(Database&)> write) {
    ensure(std::this_thread::get_id() != thread_.get_id(), "a done callback may not wait for the store");
    std::promise<Result<T>> promise;
    auto outcome = promise.get_future();
    push(std::make_unique<CallWork<T>>(std::move(write), std::move(promise)));
    return outcome.get();
  }

 private:
  template <class T>
  class CallWork final : public Work {
   public:
    CallWork(std::function<Result<T>(Database&)> write, std::promise<Result<T>> promise)
        : write_(std::move(write)), promise_(std::move(promise)) {}
    Status apply(Database& db) override {
      result_ = write_(db);
      if (!result_) return fail(result_.error());
      return {};
    }
    void finish(Status outcome) override {
      if (outcome) {
        promise_.set_value(std::move(result_));
      } else {
        promise_.set_value(fail(std::move(outcome).error()));
      }
    }

   private:
    std::function<Result<T>(Database&)> write_;
    std::promise<Result<T>> promise_;
    Result<T> result_;
  };

  struct Item {
    std::unique_ptr<Work> work;
    Status outcome;
  };
  enum class Ending { decided, rolled_back };

  void run();
  std::vector<Item> next_group();
  bool stopped();
  void write(std::span<Item> group);
  Ending attempt(std::span<Item> group);
  Status apply(Work& work, const BrokenLeases& broken_here);
  Status begin();
  void let_others_write() const;
  Ending roll_back();
  void note_failures(std::span<const Item> group);

  std::unique_ptr<Database> db_;
  std::atomic<std::uint64_t> transactions_{0};
  LogSweep sweep_;
  BrokenLeases broken_;
  std::int64_t data_version_ = 0;
  std::chrono::steady_clock::time_point others_wrote_{};  ///< when another process was last seen to have written

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Work>> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace mapflow::persistence::sqlite
