#include "engine/limits/shared_limits.h"

#include <algorithm>
#include <optional>

#include "engine/lease_keeper.h"

namespace mapflow::engine {

using persistence::Lease;

namespace {

/// A node counts as alive for this part of the ttl longer than its lease: so far may clocks differ.
constexpr int kMarginPart = 2;
/// What does not divide goes to somebody else after so many ttl: moving it takes about one, in which nobody has it.
constexpr int kTurn = 4;

}  // namespace

SharedLimits::SharedLimits(std::string node, Duration ttl, std::shared_ptr<Executor> executor, std::shared_ptr<const Clock> clock,
                           std::shared_ptr<EventSink> events)
    : node_(std::move(node)), ttl_(ttl), executor_(std::move(executor)), clock_(std::move(clock)), events_(std::move(events)) {}

std::shared_ptr<AgentGate> SharedLimits::make(const GateName& name, const AgentLimits& limits) {
  auto gate = std::make_shared<LocalGate>(name, limits, executor_, clock_, events_);
  const std::lock_guard lock(mutex_);
  const Amounts limit = gate->limit(), share = this->share(name.id, limit);
  // While nobody uses the gate every bucket is full. Who learnt of it only just now cannot know.
  std::optional<LocalGate::Before> before;
  if (const auto known = unused_.find(name.id); known != unused_.end())
    before = {known->second.least, known->second.since};
  else if (std::ranges::any_of(others_, [&](const auto& other) { return other.second.gates.contains(name.id); }))
    before = {0, clock_->now()};
  gate->begin(share, until_, before);
  gate->grow(share, until_, open_until(name.id));
  gates_[name.id] = gate;
  return gate;
}

void SharedLimits::hear(const std::vector<Lease>& leases, persistence::Partition own) {
  const Timestamp now = clock_->now();
  std::vector<std::shared_ptr<LocalGate>> growing;
  {
    const std::lock_guard lock(mutex_);
    // Without a lease it was counted out, and what it had may be with others now.
    if (until_ <= now)
      for (const auto& gate : gates()) gate->shrink({});
    bool stored = false;
    const OtherNotices former = std::exchange(others_, {});
    for (const Lease& lease : leases) {
      if (lease.partition == own && lease.node == node_ && !told_bytes_.empty() && lease.notice == told_bytes_) {
        stored = true;
        until_ = lease.expires;
      }
      if (lease.node == node_ || !shares(lease.node) || saturating_add(lease.expires, ttl_ / kMarginPart) <= now) continue;
      Notice& notice = others_[lease.node];
      if (!lease.notice.empty()) notice = Notice::decode(lease.notice);
    }
    if (!stored) return;
    learn(now, former);
    stored_ = told_;
    growing = gates();
  }
  for (const auto& gate : growing) {
    std::unique_lock lock(mutex_);
    const Amounts share = this->share(gate->name().id, gate->limit());
    const Timestamp open = open_until(gate->name().id), until = until_;
    lock.unlock();
    gate->grow(share, until, open);
  }
}

std::string SharedLimits::say() {
  const std::lock_guard lock(mutex_);
  const auto all = gates();
  std::map<GateId, GateWord> own;
  for (const auto& gate : all) own[gate->name().id] = gate->word();
  const auto turn = static_cast<std::uint64_t>(to_micros(clock_->now()) / (kTurn * std::max<std::int64_t>(1, ttl_.count())));
  Notice next = plan(node_, own, others_, turn);
  for (const auto& gate : all) {
    const GateId id = gate->name().id;
    const Amounts claim = next.claim(id, gate->limit());
    const auto going = static_cast<std::uint32_t>(gate->shrink(claim));
    if (claim.slots == 0 && gate->limit().slots == 0) continue;
    if (going <= claim.slots || (!next.gates.contains(id) && next.gates.size() >= kMostGates)) continue;
    GateWord& word = next.gates.try_emplace(id, own[id]).first->second;
    word.claim = {going, claim.tokens};
    word.busy = true;
  }
  told_ = std::move(next);
  told_bytes_ = told_.encode();
  return told_bytes_;
}

/// Keeps account of the tokens that the node has of gates which it does not use: when it begins to, they are there.
void SharedLimits::learn(Timestamp now, const OtherNotices& former) {
  std::map<GateId, Unused> unused;
  for (const auto& [id, word] : told_.gates) {
    const auto known = unused_.find(id);
    const std::uint32_t first = at_most(stored_.claim(id, word.limit), room(id, word.limit, former)).tokens;
    Unused next = known != unused_.end() ? known->second : Unused{first, first, now};
    const std::uint32_t tokens = at_most(word.claim, room(id, word.limit, others_)).tokens;
    if (tokens > next.tokens) next.since = now;
    next.least = std::min(next.least, tokens);
    next.tokens = tokens;
    unused.emplace(id, next);
  }
  unused_ = std::move(unused);
}

/// What is sure to be the node's: what it said it claims and still does, as far as the others leave room.
Amounts SharedLimits::share(GateId gate, const Amounts& limit) const {
  return at_most(at_most(stored_.claim(gate, limit), told_.claim(gate, limit)), room(gate, limit, others_));
}

Timestamp SharedLimits::open_until(GateId gate) const {
  Timestamp until{};
  for (const auto& [node, notice] : others_)
    if (const auto word = notice.gates.find(gate); word != notice.gates.end()) until = std::max(until, word->second.open_until);
  return until;
}

std::vector<std::shared_ptr<LocalGate>> SharedLimits::gates() {
  std::vector<std::shared_ptr<LocalGate>> all;
  std::erase_if(gates_, [&](const auto& each) {
    if (auto gate = each.second.lock()) all.push_back(std::move(gate));
    return each.second.expired();
  });
  return all;
}

}  // namespace mapflow::engine
