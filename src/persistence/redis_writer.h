// The writer thread of a Redis store: everything queued while the server was busy becomes one call of its function.
//
//   commit() ─> queue ─> group ──send──> [ server: one call, one sync of its log ] ──answer──> every done(), in order
//                          └─ the next group goes out before the answer to this one is there
//
// In a cluster a group is a call for each partition, to the server that has it.
//
// The function tells for each lease how many of its commits it wrote. When it did not run, or the connection broke and
// nobody knows, the writer waits for all other answers, shuts out what the old connection may still send, and reads how
// many commits of each lease are there (see recover): those are answered, the others go out again. Only if the server
// stays away too long, or another node has the partition by now, the outcome is reported as unknown.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "persistence/commit_queue.h"
#include "persistence/lease_rules.h"
#include "persistence/redis_access.h"
#include "persistence/redis_batch.h"
#include "persistence/redis_claims.h"
#include "persistence/redis_leases.h"

namespace mapflow::persistence::redis {

class Writer {
 public:
  Writer(Access& access, const Keys& keys);
  /// Carries out what is queued, then ends the thread.
  ~Writer();

  void commit(Commit commit, CommitDone done) { queue_.push(std::move(commit), std::move(done)); }
  /// Waits until everything queued before has been answered. Not from a `done`.
  void flush() { queue_.flush(); }
  /// How many calls have written commits so far.
  std::uint64_t transactions() const { return transactions_.load(std::memory_order_relaxed); }

 private:
  using ItemPointer = CommitQueue::Pointer;

  /// One call of the server's function.
  struct Call {
    enum class Fate : std::uint8_t { sent, done, refused, passing, unsure };
    std::vector<LaneUse> lanes;
    Connection* connection = nullptr;
    std::optional<Result<Reply>> answer, replicas;  ///< to the call, and to the question how many have it
    Fate fate = Fate::sent;
    std::vector<LaneOutcome> outcomes;  ///< when it is done
    Error why;                          ///< when it is not

    bool troubled() const { return fate == Fate::passing || fate == Fate::unsure; }
  };
  /// Commits whose answers are given together. Those that were refused here only keep their place in the order.
  struct Group {
    std::vector<ItemPointer> items;
    std::vector<Call> calls;
  };
  /// What is there of a lease of which some call did not give an answer.
  struct Finding {
    std::uint64_t written = 0;     ///< commits
    std::optional<Error> unknown;  ///< why it is not known
    std::optional<Error> given_up; ///< why what is not there does not go out again
  };
  using Findings = std::map<std::pair<Partition, Epoch>, Finding>;

  void run();

  // The usual way.
  void fill_pipeline();
  Group next_group();
  Status claim_rows();
  bool admit(QueuedCommit& item, Group& group, const Status& claimed);
  std::optional<Error> wrong_row(const Commit& commit) const;
  Call& call_for(const Lease& lease, Group& group);
  void send(Group& group);
  bool collect();
  bool answered(Call& call);
  void judge(const LaneUse& lane, const LaneOutcome& outcome);
  void judge(Call& call, const Findings& findings);
  void finish(Group& group, const Findings& findings);
  void refuse(QueuedCommit& item, const Error& error);
  Error meaning(const LaneUse& lane, const LaneOutcome& outcome);

  // When something went wrong.
  void recover();
  void drain();
  Findings look_again(const std::deque<Group>& groups);
  Result<Finding> look_again(const Lease& lease, bool unsure);
  Error not_known(const Error& why) const;
  Result<Lane*> lane_of(const Lease& lease);
  Result<Connection*> connection_to(Partition partition);
  void wait(int wake);

  Access& access_;
  const Keys& keys_;

  // The thread's own.
  std::map<Endpoint, std::unique_ptr<Connection>> connections_;
  std::deque<ItemPointer> pending_;
  std::deque<Group> in_flight_;            ///< oldest first
  std::map<Partition, Lane> lanes_;        ///< as they are when everything sent is written
  BrokenLeases broken_;
  Claims claims_;                          ///< in a cluster
  std::optional<BackOff> refused_since_;   ///< for a reason that passes

  std::atomic<std::uint64_t> transactions_{0};
  CommitQueue queue_;
  std::thread thread_;
};

}  // namespace mapflow::persistence::redis
