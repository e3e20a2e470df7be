// The second half of a commit: written is not durable yet. A thread of its own asks the disk to keep what the writer wrote,
// while the writer writes the next group; then it tells who waits.
//
//   writer    write 1 │ write 2 │ write 3 ...          each COMMIT leaves its frames in the write-ahead log, unsynced
//   flusher           │ sync 1, finish 1 │ sync 2, finish 2 ...
//
// The log is written from front to back and a sync covers all of it, so what is durable is always a prefix of what was
// committed, whichever process committed it. SQLite itself syncs the log before it copies it into the database
// (https://sqlite.org/wal.html, "synchronous=NORMAL"), so that a crash never damages the file.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "base/error.h"
#include "persistence/sqlite_work.h"

namespace mapflow::persistence::sqlite {

class Flusher {
 public:
  /// Returns when the disk has whatever was committed before. Called from one thread.
  using Sync = std::move_only_function<Status()>;
  explicit Flusher(Sync sync);
  /// Finishes what it was handed, then ends the thread.
  ~Flusher();

  /// Takes a written group. Waits while the one before it still waits for the disk, so that the writer is ahead by one
  /// group, and groups grow with the disk's delay.
  void hand_over(Group group);
  /// Returns when everything that was handed over is finished.
  void settle();
  /// Once the disk refused a sync, nobody knows what it kept (https://lwn.net/Articles/752063/): nothing may be written any
  /// more until the store is opened anew.
  std::optional<Error> broken();
  /// How many transactions have become durable so far, those of the group that is being finished included.
  std::uint64_t transactions() const { return transactions_.load(std::memory_order_relaxed); }
  /// Whether this is the thread that finishes.
  bool here() const { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  void run();
  Status sync();
  void finish(Group group);

  Sync sync_;
  std::atomic<std::uint64_t> transactions_{0};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Group> waiting_;
  std::optional<Error> broken_;
  bool at_it_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace mapflow::persistence::sqlite
