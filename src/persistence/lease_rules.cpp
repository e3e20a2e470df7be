#include "persistence/lease_rules.h"

#include <fmt/format.h>

namespace mapflow::persistence {

Result<Lease> next_lease(Partition partition, const LeaseRecord& current, std::string_view node, Duration ttl,
                         Timestamp now) {
  if (!current.released && now < current.expires && current.node != node) {
    Error taken(code::conflict, fmt::format("partition {} is leased to node '{}' until {}", partition.value,
                                            current.node, format_timestamp(current.expires)));
    taken.retry_after_us = (current.expires - now).count();
    return fail(std::move(taken));
  }
  return Lease{partition, Epoch(current.epoch.value + 1), std::string(node), saturating_add(now, ttl)};
}

Status check_lease(const LeaseRecord& current, const Lease& lease) {
  if (lease.epoch != current.epoch)
    return fail(code::fenced, fmt::format("partition {}: epoch {} of node '{}' is over, the current one is {}",
                                          lease.partition.value, lease.epoch.value, lease.node, current.epoch.value));
  if (current.released)
    return fail(code::fenced, fmt::format("partition {}: epoch {} was released by node '{}'", lease.partition.value,
                                          lease.epoch.value, lease.node));
  return {};
}

Status check_notice(const Lease& lease) {
  if (lease.notice.size() <= kLongestNotice) return {};
  return fail(code::invalid_input, fmt::format("partition {}: a notice of {} bytes, at most {} are kept", lease.partition.value,
                                               lease.notice.size(), kLongestNotice));
}

Error no_such_partition(Partition partition) {
  return Error(code::not_found, fmt::format("the store has no partition {}", partition.value));
}

Status check_row(const InstanceRow& row, const Lease& lease) {
  if (row.partition != lease.partition) return fail(row_of_another_partition(row, row.partition));
  return {};
}

Error row_of_another_partition(const InstanceRow& row, Partition owner) {
  return Error(code::conflict, fmt::format("instance '{}' belongs to partition {}", row.id, owner.value));
}

bool may_erase(const InstanceRow& stored, const InstanceRow& known) {
  return stored.finished && stored.partition == known.partition && stored.seq == known.seq && stored.updated == known.updated;
}

std::optional<Error> BrokenLeases::refusal(const Lease& lease) const {
  if (failures_.empty()) return std::nullopt;
  const auto found = failures_.find(lease.partition);
  if (found == failures_.end() || lease.epoch != found->second.epoch) return std::nullopt;
  Error refused(code::fenced, fmt::format("partition {}: an earlier commit of epoch {} failed", lease.partition.value,
                                          lease.epoch.value),
                "acquire the partition anew and read what it holds");
  refused.cause = std::make_shared<const Error>(found->second.first);
  return refused;
}

void BrokenLeases::note_failure(const Lease& lease, const Error& first) {
  auto [entry, fresh] = failures_.try_emplace(lease.partition, Failure{lease.epoch, first});
  // A late commit of an older epoch must not make the newer one forget that it is broken.
  if (!fresh && entry->second.epoch < lease.epoch) entry->second = Failure{lease.epoch, first};
}

}  // namespace mapflow::persistence
