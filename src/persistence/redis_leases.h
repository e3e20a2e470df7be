// Partitions, leases and the inbox: what is written outside of commits.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "persistence/lease_rules.h"
#include "persistence/redis_access.h"
#include "persistence/redis_keys.h"
#include "persistence/store.h"

namespace mapflow::persistence::redis {

struct Opened {
  std::uint32_t shared_partitions = 0;
  std::string risk;  ///< see Store::durability_risk
};
/// Makes what is missing of the store, and looks how safe the server keeps it. Errors: invalid_state when the keys
/// are of a newer program; unavailable.
Result<Opened> prepare_store(Access& access, const Keys& keys, std::uint32_t shared_partitions);

/// How many partitions there are, private ones among them; numbers in between may have none.
Result<std::uint32_t> partition_count(Access& access, const Keys& keys);
Result<Partition> create_private_partition(Access& access, const Keys& keys);
Result<Lease> acquire(Access& access, const Keys& keys, Partition partition, std::string_view node, Duration ttl, Timestamp now);
Result<Lease> renew(Access& access, const Keys& keys, const Lease& lease, Duration ttl, Timestamp now);
Status release(Access& access, const Keys& keys, const Lease& lease);
Result<std::vector<Lease>> leases(Access& access, const Keys& keys);

Result<InboxPosition> post(Access& access, const Keys& keys, Partition partition, std::string_view command);
Result<std::vector<InboxEntry>> inbox(Access& access, const Keys& keys, Partition partition, InboxPosition after, std::size_t limit);

/// What a writer must know of a partition before it commits to it.
struct Lane {
  LeaseRecord lease;
  std::uint64_t sender = 0;   ///< grows when a writer lost its connection: what that one still sends is late
  std::uint64_t written = 0;  ///< commits under the current epoch
  LogPosition log_end;
};
/// Errors: not_found.
Result<Lane> lane(Access& access, const Keys& keys, Partition partition);

/// Shuts out what a lost connection may still send under this lease, and tells what it did before. Nothing when the
/// lease is not the partition's current one any more.
Result<std::optional<Lane>> settle(Access& access, const Keys& keys, const Lease& lease);

/// N of a stream's id N-0.
std::uint64_t position_of(std::string_view stream_id);

}  // namespace mapflow::persistence::redis
