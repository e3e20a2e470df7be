// What each write of the store does inside a transaction: first every check, then the writing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "persistence/sqlite_database.h"
#include "persistence/store.h"

namespace mapflow::persistence::sqlite {

Result<Partition> create_private_partition(Database& db);
Result<Lease> acquire(Database& db, Partition partition, std::string_view node, Duration ttl, Timestamp now);
Result<Lease> renew(Database& db, const Lease& lease, Duration ttl, Timestamp now);
Status release(Database& db, const Lease& lease);
Result<InboxPosition> post(Database& db, Partition partition, std::string_view command);

/// A commit made ready for the writer: what is long is compressed, on the thread that asks and not on the one writer.
struct PreparedCommit {
  Commit commit;
  std::vector<bool> compressed;  ///< by history chunk: whether its records are
};
PreparedCommit prepare(Commit commit);
Result<LogPosition> write(Database& db, const PreparedCommit& prepared);

}  // namespace mapflow::persistence::sqlite
