// The writer thread of a SQLite store: everything queued while the disk was busy becomes one transaction, which the flusher
// then makes durable, while the writer writes the next one.
//
// What one Work does is undone alone when it is refused before it wrote anything, which is how a fenced commit fails.
// When one fails in the middle of its writing, the whole group is rolled back and each Work runs in a transaction of
// its own: the failing one harms nobody, and the usual case pays for no savepoints.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <utility>

#include "base/ensure.h"
#include "persistence/lease_rules.h"
#include "persistence/sqlite_database.h"
#include "persistence/sqlite_flusher.h"
#include "persistence/sqlite_log_sweep.h"
#include "persistence/sqlite_work.h"

namespace mapflow::persistence::sqlite {

class Writer {
 public:
  Writer(std::unique_ptr<Database> db, Flusher::Sync sync);
  /// Carries out what is queued, then ends the thread.
  ~Writer();

  void push(std::unique_ptr<Work> work);
  /// How many transactions have become durable so far, as a Work's finish() sees it.
  std::uint64_t transactions() const { return flusher_.transactions(); }

  /// Runs `write` inside a transaction of the writer and returns when the outcome is durable. It must check before it
  /// writes, and may run twice (see Work). Not from a done callback.
  template <class T>
  Result<T> call(std::function<Result<T>(Database&)> write) {
    ensure(!flusher_.here(), "a done callback may not wait for the store");
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

  enum class Ending { decided, rolled_back };

  void run();
  Group next_group();
  bool stopped();
  void write(Group& group);
  void refuse(std::span<Item> items, const Error& why);
  Ending attempt(std::span<Item> items, std::uint64_t& transactions);
  Status apply(Work& work, const BrokenLeases& broken_here);
  Status begin();
  void let_others_write() const;
  Ending roll_back();
  void note_failures(std::span<const Item> items);

  std::unique_ptr<Database> db_;
  Flusher flusher_;
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
