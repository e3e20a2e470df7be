#include "engine/lease_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "engine/limits/shared_limits.h"

namespace mapflow::engine {

using persistence::Lease;
using persistence::Partition;

namespace {

constexpr Duration kFirstBackOff = std::chrono::milliseconds(50);
constexpr Duration kLongestBackOff = std::chrono::seconds(5);
constexpr Duration kTakeRetry = std::chrono::milliseconds(100);

/// How many of `partitions` are the node's by right.
std::size_t quota(std::size_t partitions, const std::set<std::string, std::less<>>& nodes, std::string_view node) {
  const auto rank = static_cast<std::size_t>(std::distance(nodes.begin(), nodes.find(node)));
  return partitions / nodes.size() + (rank < partitions % nodes.size() ? 1 : 0);
}

}  // namespace

std::shared_ptr<LeaseKeeper> LeaseKeeper::make(LeaseKeeperContext context) {
  return std::shared_ptr<LeaseKeeper>(new LeaseKeeper(std::move(context)));
}

template <class Work>
void LeaseKeeper::post(Work work) {
  context_.executor->post([keeper = weak_from_this(), work = std::move(work)]() mutable {
    if (const auto self = keeper.lock()) work(*self);
  });
}

template <class Work>
void LeaseKeeper::post_in(Duration span, Work work) {
  context_.executor->post_at(saturating_add(context_.clock->now(), span),
                             [keeper = weak_from_this(), work = std::move(work)]() mutable {
                               if (const auto self = keeper.lock()) work(*self);
                             });
}

void LeaseKeeper::say(const std::string& line) const {
  if (context_.log) context_.log("engine", line);
}

// --- requests ---------------------------------------------------------------------------------------------------------

void LeaseKeeper::start(std::move_only_function<void(Result<Partition>)> done) {
  post([done = std::move(done)](LeaseKeeper& self) mutable {
    auto own = self.take_own();
    const bool good = own.has_value();
    if (good) self.round();
    done(std::move(own));
  });
}

void LeaseKeeper::take(Partition partition, Timestamp until, std::move_only_function<void(Status)> done) {
  post([partition, until, done = std::move(done)](LeaseKeeper& self) mutable {
    self.try_take(partition, until, std::move(done));
  });
}

void LeaseKeeper::broken(const Lease& lease) {
  post([lease](LeaseKeeper& self) {
    const auto held = self.held_.find(lease.partition);
    if (held == self.held_.end() || held->second.lease.epoch != lease.epoch) return;
    if (held->second.standing != Held::Standing::running) return;
    held->second.standing = Held::Standing::broken;
    const Duration wait = held->second.back_off;
    held->second.back_off = std::clamp(wait * 2, kFirstBackOff, kLongestBackOff);
    self.post_in(wait, [partition = lease.partition](LeaseKeeper& keeper) { keeper.acquire_anew(partition); });
  });
}

void LeaseKeeper::stop(std::move_only_function<void()> done) {
  post([done = std::move(done)](LeaseKeeper& self) mutable {
    self.stopping_ = true;
    if (self.held_.empty()) return done();
    self.stopped_.push_back(std::move(done));
    std::vector<Partition> all;
    for (const auto& [partition, held] : self.held_) all.push_back(partition);
    for (const Partition partition : all) self.hand_over(partition);
  });
}

// --- taking -----------------------------------------------------------------------------------------------------------

Result<Lease> LeaseKeeper::acquire(Partition partition, bool for_good) {
  MAPFLOW_ASSIGN(Lease lease, context_.store->acquire(partition, context_.node, context_.ttl, context_.clock->now()));
  Held& held = held_[partition];
  held.lease = lease;
  held.standing = Held::Standing::running;
  held.for_good |= for_good;
  context_.gained(lease);
  return lease;
}

Result<Partition> LeaseKeeper::take_own() {
  if (context_.share) {
    // Back after a restart: the partition it had is taken up again, so that restarts leave nothing behind.
    MAPFLOW_ASSIGN(const std::vector<Lease> leases, context_.store->leases());
    for (const Lease& lease : leases)
      if (lease.node == context_.node && lease.partition.value >= context_.store->shared_partitions()) {
        MAPFLOW_TRY(acquire(lease.partition, true));
        own_ = lease.partition;
        return lease.partition;
      }
  }
  MAPFLOW_ASSIGN(const Partition created, context_.store->create_private_partition());
  MAPFLOW_TRY(acquire(created, true));
  own_ = created;
  return created;
}

void LeaseKeeper::try_take(Partition partition, Timestamp until, std::move_only_function<void(Status)> done) {
  if (held_.contains(partition)) {
    held_[partition].for_good = true;
    return done({});
  }
  if (stopping_) return done(fail(code::unavailable, "the node is stopping"));
  const auto lease = acquire(partition, true);
  if (lease) return done({});
  if (!lease.error().is(code::conflict) || context_.clock->now() >= until) return done(fail(lease.error()));
  post_in(kTakeRetry, [partition, until, done = std::move(done)](LeaseKeeper& self) mutable {
    self.try_take(partition, until, std::move(done));
  });
}

void LeaseKeeper::acquire_anew(Partition partition) {
  const auto found = held_.find(partition);
  if (found == held_.end() || found->second.standing != Held::Standing::broken) return;
  const auto lease = acquire(partition, false);
  if (lease) return;
  if (lease.error().is(code::conflict) && !found->second.for_good) {
    held_.erase(found);  // another node has it now, and may keep it
    return;
  }
  const Duration wait = found->second.back_off;
  found->second.back_off = std::clamp(wait * 2, kFirstBackOff, kLongestBackOff);
  post_in(wait, [partition](LeaseKeeper& self) { self.acquire_anew(partition); });
}

// --- the round --------------------------------------------------------------------------------------------------------

void LeaseKeeper::round() {
  renew_all();
  if (stopping_) return;
  if (context_.share) share();
  // A little early or late by chance, so that nodes started together do not always reach for the same thing at once.
  const auto third = static_cast<std::uint64_t>(context_.ttl.count() / 3);
  const auto spread = static_cast<std::int64_t>(context_.random->next() % (third / 5 + 1));
  post_in(Duration(static_cast<std::int64_t>(third) - spread), [](LeaseKeeper& self) { self.round(); });
}

Result<Lease> LeaseKeeper::renew(Lease lease) {
  if (lease.partition == own_) lease.notice = notice_;
  return context_.store->renew(lease, context_.ttl, context_.clock->now());
}

/// The second look tells whether the others leave room for what is claimed now and was not before.
void LeaseKeeper::share_limits(const std::vector<Lease>& leases) {
  if (!context_.limits || !own_) return;
  context_.limits->hear(leases, *own_);
  std::string notice = context_.limits->say();
  if (notice == notice_) return;
  notice_ = std::move(notice);
  const auto own = held_.find(*own_);
  if (own == held_.end() || own->second.standing != Held::Standing::running) return;
  const auto renewed = renew(own->second.lease);
  if (!renewed) return;  // the next round says why
  own->second.lease.expires = renewed->expires;
  if (const auto again = context_.store->leases()) context_.limits->hear(*again, *own_);
}

void LeaseKeeper::renew_all() {
  std::vector<Partition> lost;
  for (auto& [partition, held] : held_) {
    if (held.standing == Held::Standing::broken) continue;
    auto renewed = renew(held.lease);
    if (renewed) {
      held.lease.expires = renewed->expires;
      held.back_off = {};
    } else if (renewed.error().is(code::fenced)) {
      lost.push_back(partition);
    } else {
      say(fmt::format("partition {}: lease not renewed: {}", partition.value, renewed.error().to_string()));
    }
  }
  for (const Partition partition : lost) {
    say(fmt::format("partition {}: the lease went to another node", partition.value));
    context_.lost(partition);
    Held& held = held_[partition];
    if (!held.for_good || stopping_) {
      let_go(Lease(held.lease));
      continue;
    }
    held.standing = Held::Standing::broken;
    held.back_off = kFirstBackOff;
    post_in(kFirstBackOff, [partition](LeaseKeeper& self) { self.acquire_anew(partition); });
  }
}

void LeaseKeeper::share() {
  const auto leases = context_.store->leases();
  if (!leases) return say(fmt::format("leases not read: {}", leases.error().to_string()));
  const Timestamp now = context_.clock->now();
  const std::uint32_t count = context_.store->shared_partitions();
  share_limits(*leases);
  take_orphans(*leases, now);
  if (count == 0) return;
  std::set<std::string, std::less<>> nodes{context_.node};
  std::set<Partition> taken;
  for (const Lease& lease : *leases) {
    if (lease.expires <= now) continue;
    if (shares(lease.node)) nodes.insert(lease.node);
    if (lease.node != context_.node) taken.insert(lease.partition);
  }

  std::vector<Partition> mine;
  for (const auto& [partition, held] : held_)
    if (partition.value < count && !held.for_good && held.standing != Held::Standing::leaving) mine.push_back(partition);
  const std::size_t right = quota(count, nodes, context_.node);
  for (std::size_t surplus = right; surplus < mine.size(); ++surplus) hand_over(mine[surplus]);

  // Nodes begin at different places, so that they seldom reach for the same partition.
  const auto begin = static_cast<std::uint32_t>(context_.random->next() % count);
  std::size_t have = mine.size();
  for (std::uint32_t step = 0; step < count && have < right; ++step) {
    const Partition partition((begin + step) % count);
    if (taken.contains(partition) || held_.contains(partition)) continue;
    if (const auto lease = acquire(partition, false))
      ++have;
    else if (!lease.error().is(code::conflict))
      say(fmt::format("partition {} not acquired: {}", partition.value, lease.error().to_string()));
  }
}

/// A process that shares nothing goes on with nothing once it is gone, unless somebody starts it again.
void LeaseKeeper::take_orphans(const std::vector<Lease>& leases, Timestamp now) {
  for (const Lease& lease : leases) {
    const bool orphan = lease.partition.value >= context_.store->shared_partitions() && lease.expires <= now && !shares(lease.node);
    if (!orphan || held_.contains(lease.partition)) continue;
    const auto known = empty_.find(lease.partition);
    if (known != empty_.end() && known->second == lease.epoch) continue;
    const auto unfinished = context_.store->unfinished(lease.partition, {}, 1);
    if (unfinished && unfinished->empty()) {
      empty_[lease.partition] = lease.epoch;
      continue;
    }
    const Result<Lease> taken = unfinished ? acquire(lease.partition, false) : Result<Lease>(fail(unfinished.error()));
    if (!taken && !taken.error().is(code::conflict))
      say(fmt::format("partition {} not taken over: {}", lease.partition.value, taken.error().to_string()));
  }
}

// --- letting go -------------------------------------------------------------------------------------------------------

void LeaseKeeper::hand_over(Partition partition) {
  Held& held = held_[partition];
  if (held.standing == Held::Standing::leaving) return;
  held.standing = Held::Standing::leaving;
  context_.hand_over(partition, [keeper = weak_from_this(), lease = held.lease] {
    if (const auto self = keeper.lock()) self->post([lease](LeaseKeeper& here) { here.let_go(lease); });
  });
}

void LeaseKeeper::let_go(const Lease& lease) {
  const auto held = held_.find(lease.partition);
  if (held == held_.end() || held->second.lease.epoch != lease.epoch) return;
  if (const Status released = context_.store->release(lease); !released)
    say(fmt::format("partition {}: lease not released: {}", lease.partition.value, released.error().to_string()));
  held_.erase(held);
  if (stopping_ && held_.empty())
    for (auto& done : std::exchange(stopped_, {})) done();
}

}  // namespace mapflow::engine
