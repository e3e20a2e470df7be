#include "persistence/sqlite_writes.h"

#include <fmt/format.h>

#include "persistence/lease_rules.h"
#include "persistence/sqlite_log_sweep.h"
#include "persistence/sqlite_rows.h"

namespace mapflow::persistence::sqlite {
namespace {

/// Errors: not_found.
Result<LeaseRecord> lease_record(Database& db, Partition partition) {
  Query query = db.query("SELECT epoch, node, expires, released FROM partitions WHERE partition = ?", partition.value);
  MAPFLOW_ASSIGN(const bool row, query.next());
  if (!row) return fail(no_such_partition(partition));
  return LeaseRecord{Epoch(static_cast<std::uint64_t>(query.integer(0))), std::string(query.text(1)),
                     from_micros(query.integer(2)), query.integer(3) != 0};
}

Status check_rows(const Commit& commit) {
  for (const InstanceRow& row : commit.rows) MAPFLOW_TRY(check_row(row, commit.lease));
  return {};
}

Status write_history(Database& db, const PackedCommit& packed) {
  for (std::size_t index = 0; index < packed.commit.history.size(); ++index) {
    const HistoryChunk& chunk = packed.commit.history[index];
    MAPFLOW_TRY(db.query("INSERT OR REPLACE INTO history (instance, first_seq, last_seq, encoding, records)"
                         " VALUES (?, ?, ?, ?, ?)",
                         chunk.instance, chunk.first_seq, chunk.last_seq, packed.encoding[index], Blob{chunk.records})
                    .run());
  }
  return {};
}

Status write_definitions(Database& db, const std::vector<DefinitionRow>& definitions) {
  for (const DefinitionRow& definition : definitions)
    MAPFLOW_TRY(db.query("INSERT INTO definitions (hash, workflow, version, document) VALUES (?, ?, ?, ?)"
                         " ON CONFLICT DO NOTHING",
                         definition.hash, definition.workflow, definition.version, definition.document)
                    .run());
  return {};
}

/// The position of the last entry ever appended. Entries may be gone, so what the partition remembers counts too.
Result<LogPosition> log_end(Database& db, Partition partition) {
  Query query = db.query("SELECT log_end, (SELECT max(id) FROM log WHERE id BETWEEN ? AND ?)"
                         " FROM partitions WHERE partition = ?",
                         log_key(partition, LogPosition(0)), log_key(Partition(partition.value + 1), LogPosition(0)) - 1,
                         partition.value);
  MAPFLOW_ASSIGN(const bool row, query.next());
  if (!row) return fail(no_such_partition(partition));
  const LogPosition remembered(static_cast<std::uint64_t>(query.integer(0)));
  return query.null(1) ? remembered : std::max(remembered, log_position(query.integer(1)));
}

}  // namespace

Result<Partition> create_private_partition(Database& db) {
  std::int64_t number = 0;
  {
    Query query = db.query("SELECT coalesce(max(partition) + 1, 0) FROM partitions");
    MAPFLOW_TRY(query.next());
    number = query.integer(0);
  }
  if (number >= kMaxPartitions)
    return fail(code::resource_exhausted, fmt::format("sqlite:{}: the store has no partition left", db.path()),
                "start a new store");
  MAPFLOW_TRY(db.query("INSERT INTO partitions (partition, shared) VALUES (?, 0)", number).run());
  return Partition(static_cast<std::uint32_t>(number));
}

Result<Lease> acquire(Database& db, Partition partition, std::string_view node, Duration ttl, Timestamp now) {
  MAPFLOW_ASSIGN(const LeaseRecord current, lease_record(db, partition));
  MAPFLOW_ASSIGN(Lease lease, next_lease(partition, current, node, ttl, now));
  MAPFLOW_TRY(db.query("UPDATE partitions SET epoch = ?, node = ?, expires = ?, released = 0,"
                       " notice = CASE WHEN ? THEN notice ELSE x'' END WHERE partition = ?",
                       lease.epoch.value, lease.node, to_micros(lease.expires), keeps_notice(current, node), partition.value)
                  .run());
  return lease;
}

Result<Lease> renew(Database& db, const Lease& lease, Duration ttl, Timestamp now) {
  MAPFLOW_ASSIGN(LeaseRecord current, lease_record(db, lease.partition));
  MAPFLOW_TRY(check_lease(current, lease));
  MAPFLOW_TRY(check_notice(lease));
  const Timestamp expires = saturating_add(now, ttl);
  MAPFLOW_TRY(db.query("UPDATE partitions SET expires = ?, notice = ? WHERE partition = ?", to_micros(expires),
                       Blob{lease.notice}, lease.partition.value)
                  .run());
  return Lease{lease.partition, lease.epoch, std::move(current.node), expires};
}

Status release(Database& db, const Lease& lease) {
  return db.query("UPDATE partitions SET released = 1, expires = 0 WHERE partition = ? AND epoch = ?",
                  lease.partition.value, lease.epoch.value)
      .run();
}

Result<InboxPosition> post(Database& db, Partition partition, std::string_view command) {
  MAPFLOW_TRY(lease_record(db, partition));
  Query query = db.query("INSERT INTO inbox (partition, command) VALUES (?, ?) RETURNING position", partition.value,
                         Blob{command});
  MAPFLOW_TRY(query.next());
  const InboxPosition position(static_cast<std::uint64_t>(query.integer(0)));
  MAPFLOW_TRY(query.run());
  return position;
}

Result<std::size_t> erase(Database& db, const std::vector<InstanceRow>& rows) {
  std::size_t erased = 0;
  for (const InstanceRow& row : rows) {
    const std::int64_t before = db.changes();
    MAPFLOW_TRY(db.query("DELETE FROM instances WHERE id = ? AND finished AND partition = ? AND seq = ? AND updated = ?",
                         row.id, row.partition.value, row.seq, to_micros(row.updated))
                    .run());
    if (db.changes() == before) continue;
    MAPFLOW_TRY(db.query("DELETE FROM history WHERE instance = ?", row.id).run());
    ++erased;
  }
  return erased;
}

Result<LogPosition> write(Database& db, const PackedCommit& packed) {
  const Commit& commit = packed.commit;
  const Partition partition = commit.lease.partition;
  MAPFLOW_ASSIGN(const LeaseRecord current, lease_record(db, partition));
  MAPFLOW_TRY(check_lease(current, commit.lease));
  MAPFLOW_TRY(check_rows(commit));
  MAPFLOW_ASSIGN(LogPosition end, log_end(db, partition));

  if (!commit.log.empty()) {
    ++end.value;
    MAPFLOW_TRY(db.query("INSERT INTO log (id, epoch, bytes) VALUES (?, ?, ?)", log_key(partition, end),
                         commit.lease.epoch.value, Blob{commit.log})
                    .run());
  }
  for (const InstanceRow& row : commit.rows) MAPFLOW_TRY(write_row(db, row));
  MAPFLOW_TRY(write_history(db, packed));
  MAPFLOW_TRY(write_definitions(db, commit.definitions));
  if (commit.truncate_before.value > 0)
    MAPFLOW_TRY(db.query("UPDATE partitions SET log_start = max(log_start, min(?, ? + 1)), log_end = ? WHERE partition = ?",
                         commit.truncate_before.value, end.value, end.value, partition.value)
                    .run());
  if (commit.inbox_through.value > 0)
    MAPFLOW_TRY(db.query("DELETE FROM inbox WHERE partition = ? AND position <= ?", partition.value,
                         commit.inbox_through.value)
                    .run());
  return end;
}

}  // namespace mapflow::persistence::sqlite
