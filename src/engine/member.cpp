#include "engine/member.h"

#include <atomic>
#include <utility>

#include "engine/checksum.h"
#include "engine/limits/shared_limits.h"

namespace mapflow::engine {

using persistence::Lease;
using persistence::Partition;

Member::Member(MemberContext context) {
  // The keeper tells the shards and they tell it; each holds the other weakly, so that both can go at any moment.
  auto keeper_slot = std::make_shared<std::weak_ptr<LeaseKeeper>>();
  std::vector<std::weak_ptr<Shard>> weak_shards;
  std::shared_ptr<SharedLimits> limits;
  if (!context.dispatch.gates && context.share) {
    limits = std::make_shared<SharedLimits>(context.node, context.ttl, context.control, context.clock, context.events);
    context.dispatch.gates =
        std::make_shared<Gatekeeper>([limits](const GateName& name, const AgentLimits& of) { return limits->make(name, of); });
  }
  if (!context.dispatch.gates)
    context.dispatch.gates = std::make_shared<Gatekeeper>(context.control, context.clock, context.events);
  for (const auto& executor : context.executors) {
    shards_.push_back(Shard::make({executor, context.clock, context.random, context.store, context.programs,
                                   context.events, context.dispatch, context.log, context.options,
                                   [keeper_slot](const Lease& lease, const Error&) {
                                     if (const auto keeper = keeper_slot->lock()) keeper->broken(lease);
                                   }}));
    weak_shards.push_back(shards_.back());
  }
  const auto shard_for = [weak_shards](Partition partition) {
    return weak_shards[partition.value % weak_shards.size()].lock();
  };
  LeaseKeeperContext leases{context.control, context.clock, context.random, context.store,
                            context.log,     context.node,  context.ttl,    context.share,
                            limits,          {},            {},             {}};
  leases.gained = [shard_for](const Lease& lease) {
    if (const auto shard = shard_for(lease.partition)) shard->adopt(lease);
  };
  leases.lost = [shard_for](Partition partition) {
    if (const auto shard = shard_for(partition)) shard->abandon(partition);
  };
  leases.hand_over = [shard_for](Partition partition, std::move_only_function<void()> done) {
    if (const auto shard = shard_for(partition)) shard->surrender(partition, std::move(done));
  };
  keeper_ = LeaseKeeper::make(std::move(leases));
  *keeper_slot = keeper_;
}

void Member::stop(std::move_only_function<void()> done) {
  struct Left {
    std::atomic<std::size_t> shards;
    std::move_only_function<void()> done;
  };
  const std::shared_ptr<Left> left(new Left{shards_.size(), std::move(done)});
  keeper_->stop([left, shards = shards_] {
    for (const auto& shard : shards)
      shard->drain([left] {
        if (--left->shards == 0) left->done();
      });
  });
}

void Member::add_to(Load& load) const {
  for (const auto& shard : shards_) shard->add_to(load);
}

Partition start_partition_of(const Definition& workflow, std::string_view instance, std::uint32_t shared_partitions) {
  return shared_partition_of(workflow.concurrency ? std::string_view(workflow.id) : instance, shared_partitions);
}

Partition shared_partition_of(std::string_view instance, std::uint32_t shared_partitions) {
  const std::uint64_t hash = fnv1a(instance);
  return Partition(static_cast<std::uint32_t>((hash ^ (hash >> 32)) % shared_partitions));
}

}  // namespace mapflow::engine
