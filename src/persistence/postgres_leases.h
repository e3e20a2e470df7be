// Leases, partitions, the inbox and dropping instances: what is written outside of commits, each in a transaction of its own.
#pragma once

#include <string_view>
#include <vector>

#include "persistence/lease_rules.h"
#include "persistence/postgres_schema.h"
#include "persistence/store.h"

namespace mapflow::persistence::postgres {

/// The channel on which a partition's number is notified when something was posted to it.
std::string inbox_channel(const Schema& schema);

Result<Partition> create_private_partition(Connection& db, const Schema& schema);
Result<Lease> acquire(Connection& db, const Schema& schema, Partition partition, std::string_view node, Duration ttl,
                      Timestamp now);
Result<Lease> renew(Connection& db, const Schema& schema, const Lease& lease, Duration ttl, Timestamp now);
Status release(Connection& db, const Schema& schema, const Lease& lease);
Result<std::vector<Lease>> leases(Connection& db, const Schema& schema);

Result<InboxPosition> post(Connection& db, const Schema& schema, Partition partition, std::string_view command);
Result<std::vector<InboxEntry>> inbox(Connection& db, const Schema& schema, Partition partition, InboxPosition after,
                                      std::size_t limit);

Result<std::size_t> erase(Connection& db, const Schema& schema, const std::vector<InstanceRow>& rows);

/// What a writer must know of a partition before it commits to it.
struct Lane {
  LeaseRecord lease;
  std::int64_t sender = 0;
  std::int64_t written = 0;
  LogPosition log_end;
};
/// Errors: not_found.
Result<Lane> lane(Connection& db, const Schema& schema, Partition partition);

/// Shuts out what a lost connection may still send under this lease, and tells what it did before: waits for the
/// transaction that it may be in. Nothing when the lease is not the partition's current one any more.
Result<std::optional<Lane>> settle(Connection& db, const Schema& schema, const Lease& lease);

}  // namespace mapflow::persistence::postgres
