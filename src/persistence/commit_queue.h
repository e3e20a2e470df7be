// The way from the callers of commit() to the one thread of a store that writes, and back.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "persistence/packed_commit.h"

namespace mapflow::persistence {

/// A commit on its way.
struct QueuedCommit {
  PackedCommit packed;
  CommitDone done;
  std::size_t size_bytes = 0;
  std::optional<Error> refused;  ///< before it was sent
  LogPosition position;          ///< the log's end when it is written
  std::uint64_t ordinal = 0;     ///< its number among the commits of its lease

  const Lease& lease() const { return packed.commit.lease; }
};

/// Thread safety: push() and flush() from any thread, the rest is the writer's.
class CommitQueue {
 public:
  using Pointer = std::unique_ptr<QueuedCommit>;

  CommitQueue();
  ~CommitQueue();
  CommitQueue(const CommitQueue&) = delete;
  CommitQueue& operator=(const CommitQueue&) = delete;

  void push(Commit commit, CommitDone done);
  /// Waits until everything pushed before has been answered. Not from a `done`.
  void flush();
  /// From now on, stopping() says so.
  void stop();

  /// An eventfd, readable when there may be something to take, or to stop.
  int wake() const { return wake_; }
  /// Moves what was pushed behind `pending`.
  void take(std::deque<Pointer>& pending);
  /// Whether to stop, with nothing more to take.
  bool stopping();
  void answer(QueuedCommit& item, Result<LogPosition> outcome);

 private:
  const int wake_;
  std::mutex mutex_;
  std::condition_variable answered_;
  std::deque<Pointer> queue_;
  std::uint64_t queued_ = 0, answers_ = 0;  ///< how many commits ever
  bool stopping_ = false;
  std::thread::id writer_;
};

}  // namespace mapflow::persistence
