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
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "persistence/lease_rules.h"
#include "persistence/packed_commit.h"
#include "persistence/postgres_batch.h"
#include "persistence/postgres_pool.h"

namespace mapflow::persistence::postgres {

class Writer {
 public:
  Writer(std::unique_ptr<Connection> db, ConnectOptions options, Schema schema, Duration patience);
  /// Carries out what is queued, then ends the thread.
  ~Writer();

  void commit(Commit commit, CommitDone done);
  /// Waits until everything queued before has been answered. Not from a `done`.
  void flush();
  /// How many transactions it has committed so far.
  std::uint64_t transactions() const { return transactions_.load(std::memory_order_relaxed); }

 private:
  struct Item {
    PackedCommit packed;
    CommitDone done;
    std::size_t size_bytes = 0;
    std::optional<Error> refused;  ///< before it was sent
    LogPosition position;          ///< the log's end when it is written

    const Lease& lease() const { return packed.commit.lease; }
  };
  using ItemPointer = std::unique_ptr<Item>;

  /// Commits that stand or fall together. Those that were refused here only keep their place in the order.
  struct Group {
    enum class Fate : std::uint8_t { sent, written, not_written, unknown };
    std::vector<ItemPointer> items;
    Batch batch;
    Fate fate = Fate::sent;
    bool answered = false;         ///< by the server, or nothing had to be sent
  };

  void run();
  bool stopped();
  void take_queue();

  // The usual way.
  void fill_pipeline();
  Group next_group();
  bool refuse_early(Item& item);
  bool collect();
  Group::Fate fate_by(const Result<Rows>& answer);
  void finish(Group& group);
  void answer(Item& item, Result<LogPosition> outcome);

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
  int wake_ = -1;                        ///< an eventfd: something was queued
  std::mutex mutex_;
  std::condition_variable answered_;
  std::deque<ItemPointer> queue_;
  std::uint64_t queued_ = 0, answers_ = 0;  ///< how many commits ever
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace mapflow::persistence::postgres
