#include "persistence/redis_claims.h"

#include <fmt/format.h>

#include <charconv>

#include "persistence/redis_leases.h"
#include "persistence/redis_scripts.h"

namespace mapflow::persistence::redis {
namespace {

/// More are forgotten, and claimed again when they come again.
constexpr std::size_t kMaxKnown = 100'000;

std::string claim_of(const Lease& lease) { return fmt::format("{} {}", lease.partition.value, lease.epoch.value); }

}  // namespace

Status Claims::claim(const std::vector<const QueuedCommit*>& items) {
  if (owners_.size() > kMaxKnown) owners_.clear();
  std::vector<Wish> wishes;
  Access::Calls calls;  // they say the same when they are repeated
  for (const QueuedCommit* item : items)
    for (const InstanceRow& row : item->packed.commit.rows) {
      const Lease& lease = item->lease();
      const auto [known, fresh] = owners_.try_emplace(row.id, Owner{lease.partition, lease.epoch});
      if (!fresh && known->second.partition == lease.partition && known->second.epoch == lease.epoch) continue;
      known->second = {lease.partition, lease.epoch};
      std::string key = keys_.owners(row.id);
      Command command(Scripts::all().claim, {key});
      command.view(row.id).add(claim_of(lease));
      calls.emplace_back(std::move(key), std::move(command));
      wishes.push_back({&row, lease});
    }
  if (wishes.empty()) return {};
  const auto replies = access_.rewrite_all(calls);
  for (std::size_t number = 0; number < wishes.size(); ++number) {
    Status settled = replies ? Status() : Status(fail(replies.error()));
    if (replies && (*replies)[number].is(Reply::Kind::text)) settled = settle(wishes[number], (*replies)[number].text);
    if (!settled) {
      owners_.clear();
      return settled;
    }
  }
  return {};
}

/// Another partition has claimed the instance. If that came to nothing, the claim passes to us.
Status Claims::settle(const Wish& wish, const std::string& found) {
  std::uint32_t partition = 0;
  const auto [end, bad] = std::from_chars(found.data(), found.data() + found.size(), partition);
  const std::uint64_t epoch = end < found.data() + found.size() ? std::strtoull(end + 1, nullptr, 10) : 0;
  const Partition other(partition);
  MAPFLOW_ASSIGN(const Reply row, access_.read(keys_.rows(other), Command{"HEXISTS", keys_.rows(other), wish.row->id}));
  if (row.number == 0) {
    const auto now = lane(access_, keys_, other);
    if (!now && !now.error().is(code::not_found)) return fail(now.error());
    if (!now || now->lease.epoch.value > epoch) {
      const std::string key = keys_.owners(wish.row->id);
      Command command(Scripts::all().claim, {key});
      command.view(wish.row->id).add(claim_of(wish.lease)).add(found);
      MAPFLOW_ASSIGN(const Reply reply, access_.rewrite(key, command));
      if (!reply.is(Reply::Kind::text)) return {};
    }
  }
  owners_[wish.row->id] = {other, Epoch()};
  return {};
}

std::optional<Claims::Taken> Claims::taken(const Commit& commit) const {
  for (const InstanceRow& row : commit.rows)
    if (const auto owner = owners_.find(row.id); owner != owners_.end() && owner->second.partition != commit.lease.partition)
      return Taken{owner->first, owner->second.partition};
  return std::nullopt;
}

}  // namespace mapflow::persistence::redis
