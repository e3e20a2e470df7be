#include "persistence/redis_claims.h"

#include <fmt/format.h>

#include <charconv>

#include "persistence/redis_leases.h"
#include "persistence/redis_scripts.h"

namespace mapflow::persistence::redis {
namespace {

/// More are forgotten, and claimed again when they come again.
constexpr std::size_t kMaxKnown = 100'000;

/// A claim, as it stands in the server.
struct Claim {
  Partition partition;
  Epoch epoch;
};

std::string claim_of(const Lease& lease) { return fmt::format("{} {}", lease.partition.value, lease.epoch.value); }

Claim parse_claim(const std::string& text) {
  std::uint32_t partition = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), partition);
  const std::uint64_t epoch = end < text.data() + text.size() ? std::strtoull(end + 1, nullptr, 10) : 0;
  return {Partition(partition), Epoch(epoch)};
}

}  // namespace

Status take_back_claim(Access& access, const Keys& keys, std::string_view instance, Partition partition) {
  const std::string key = keys.owners(instance);
  MAPFLOW_ASSIGN(const Reply found, access.read(key, Command{"HGET", key, instance}));
  if (!found.is(Reply::Kind::text)) return {};
  const Claim claim = parse_claim(found.text);
  MAPFLOW_ASSIGN(const Lane now, lane(access, keys, partition));
  if (claim.partition != partition || claim.epoch >= now.lease.epoch) return {};
  Command command(Scripts::all().unclaim, {key});
  command.view(instance).view(found.text);
  MAPFLOW_TRY(access.rewrite(key, command));
  return {};
}

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
  const auto [other, epoch] = parse_claim(found);
  MAPFLOW_ASSIGN(const Reply row, access_.read(keys_.rows(other), Command{"HEXISTS", keys_.rows(other), wish.row->id}));
  if (row.number == 0) {
    const auto now = lane(access_, keys_, other);
    if (!now && !now.error().is(code::not_found)) return fail(now.error());
    if (!now || now->lease.epoch > epoch) {
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
