// One node of a store, without threads: its shards and its lease keeper, wired together.
//
// Node (node.h) runs one on threads; the simulator runs many in one thread. Destroying a member at any moment is a
// crash: nothing is written or released any more, and its leases run out.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/lease_keeper.h"
#include "engine/shard.h"

namespace mapflow::engine {

struct MemberContext {
  std::string node;
  Duration ttl = std::chrono::seconds(5);
  bool share = true;
  std::shared_ptr<Executor> control;                 ///< the lease keeper's
  std::vector<std::shared_ptr<Executor>> executors;  ///< one per shard
  std::shared_ptr<const Clock> clock;
  std::shared_ptr<Random> random;
  std::shared_ptr<persistence::Store> store;
  std::shared_ptr<ProgramCache> programs;
  std::shared_ptr<EventSink> events;                 ///< may be null
  DispatchParts dispatch;
  LogLine log;                                       ///< may be empty
  ShardOptions options;
};

/// Thread safety: every call may come from any thread.
class Member {
 public:
  explicit Member(MemberContext context);

  /// Begins to take leases and to run what they give. `done` is told the member's own partition.
  void start(std::move_only_function<void(Result<persistence::Partition>)> done) { keeper_->start(std::move(done)); }
  /// Gives everything back in good order. `done` is called when the last commit is through and no message is on its
  /// way any more.
  void stop(std::move_only_function<void()> done);

  /// The shard that runs the partition whenever this member holds its lease.
  Shard& shard_of(persistence::Partition partition) { return *shards_[partition.value % shards_.size()]; }
  LeaseKeeper& leases() { return *keeper_; }
  /// Adds what its shards have to do now. Waits for nothing.
  void add_to(Load& load) const;

 private:
  std::vector<std::shared_ptr<Shard>> shards_;
  std::shared_ptr<LeaseKeeper> keeper_;
};

/// The shared partition of an instance that has no other.
persistence::Partition shared_partition_of(std::string_view instance, std::uint32_t shared_partitions);
/// The shared partition that a new instance of the workflow is started in. Those of a workflow with `concurrency` are all in
/// one, so that whoever runs it knows them all.
persistence::Partition start_partition_of(const Definition& workflow, std::string_view instance, std::uint32_t shared_partitions);

}  // namespace mapflow::engine
