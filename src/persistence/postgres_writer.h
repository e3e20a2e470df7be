// The writer thread of a PostgreSQL store: everything queued while the server was busy becomes one transaction.
//
//   commit() ─> queue ─> batch ──send──> [ server: one call, one transaction ] ──answer──> every done(), in order
//                          └─ the next batch goes out before the answer to this one is there
//
// When the server refuses a batch, nothing of it happened; then each of its commits is written alone, so that the
// failing one harms nobody. When the connection is lost, nobody knows what happened: the writer connects again, shuts
// out what the old connection may still send, and reads how far each partition got (see settle). Only if the server
// stays away too long, or another node has the partition by now, the outcome is reported as unknown.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "persistence/commit_queue.h"
#include "persistence/lease_rules.h"
#include "persistence/postgres_batch.h"
#include "persistence/postgres_pool.h"

namespace mapflow::persistence::postgres {

class Writer {
 public:
  Writer(std::unique_ptr<Connection> db, ConnectOptions options, Schema schema, Duration patience);
  /// Carries out what is queued, then ends the thread.
  ~Writer();

  void commit(Commit commit, CommitDone done) { queue_.push(std::move(commit), std::move(done)); }
  /// Waits until everything queued before has been answered. Not from a `done`.
  void flush() { queue_.flush(); }
  /// How many transactions it has committed so far.
  std::uint64_t transactions() const { return transactions_.load(std::memory_order_relaxed); }

 private:
  using Item = QueuedCommit;
  using ItemPointer = CommitQueue::Pointer;

  /// Commits that stand or fall together. Those that were refused here only keep their place in the order.
  struct Group {
    enum class Fate : std::uint8_t { sent, written, not_written, unknown };
    std::vector<ItemPointer> items;
    Batch batch;
    Fate fate = Fate::sent;
    bool answered = false;         ///< by the server, or nothing had to be sent
  };

  void run();

  // The usual way.
  void fill_pipeline();
  Group next_group();
  bool refuse_early(Item& item);
  bool collect();
  Group::Fate fate_by(const Result<Rows>& answer);
  void finish(Group& group);

  // When something went wrong.
  void recover();
  void drain();
  Group::Fate fate_of(const Batch& batch);
  void answer_unknown(Group& group);
  Result<LogPosition> write_alone(Item& item);
  Error meaning(const Item& item, const Error& refused);

  Result<Lane*> lane_of(const Lease& lease);
  bool knows_lane(const Lease& lease) const;
  void forget(const Batch& batch);
  Status reconnect();

  const ConnectOptions options_;
  const Schema schema_;
  const Duration patience_;
  const std::string statement_;

  // The thread's own.
  std::unique_ptr<Connection> db_;
  std::deque<ItemPointer> pending_;
  std::deque<Group> in_flight_;          ///< oldest first
  std::map<Partition, Lane> lanes_;      ///< as they are when everything sent is written
  BrokenLeases broken_;
  Connection::Clock::time_point gave_up_{};

  std::atomic<std::uint64_t> transactions_{0};
  CommitQueue queue_;
  std::thread thread_;
};

}  // namespace mapflow::persistence::postgres
