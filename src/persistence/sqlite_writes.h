// What each write of the store does inside a transaction: first every check, then the writing.
#pragma once

#include <string_view>

#include "persistence/packed_commit.h"
#include "persistence/sqlite_database.h"
#include "persistence/store.h"

namespace mapflow::persistence::sqlite {

Result<Partition> create_private_partition(Database& db);
Result<Lease> acquire(Database& db, Partition partition, std::string_view node, Duration ttl, Timestamp now);
Result<Lease> renew(Database& db, const Lease& lease, Duration ttl, Timestamp now);
Status release(Database& db, const Lease& lease);
Result<InboxPosition> post(Database& db, Partition partition, std::string_view command);

Result<std::size_t> erase(Database& db, const std::vector<InstanceRow>& rows);

Result<LogPosition> write(Database& db, const PackedCommit& packed);

}  // namespace mapflow::persistence::sqlite
