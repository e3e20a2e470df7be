#include "persistence/postgres_leases.h"

#include <fmt/format.h>

#include <optional>

#include "persistence/postgres_reads.h"

namespace mapflow::persistence::postgres {
namespace {

Lane read_lane(const Rows& rows) {
  return Lane{{Epoch(unsigned_number(rows, 0, 0)), rows.text(0, 1), from_micros(rows.number(0, 2)), rows.number(0, 3) != 0},
              rows.number(0, 4), rows.number(0, 5), LogPosition(unsigned_number(rows, 0, 6))};
}

}  // namespace

std::string inbox_channel(const Schema& schema) { return "mapflow inbox " + schema.name(); }

Result<Partition> create_private_partition(Connection& db, const Schema& schema) {
  // Two processes may come to the same number; the key lets one of them try again.
  MAPFLOW_ASSIGN(const Rows made,
                 db.query(schema.sql("WITH made AS (INSERT INTO @.partitions (partition, shared)"
                                     " SELECT max(partition) + 1, false FROM @.partitions RETURNING partition)"
                                     " INSERT INTO @.inbox_ends SELECT partition, 0 FROM made RETURNING partition")));
  return Partition(static_cast<std::uint32_t>(made.number(0, 0)));
}

Result<Lease> acquire(Connection& db, const Schema& schema, Partition partition, std::string_view node, Duration ttl,
                      Timestamp now) {
  for (;;) {
    MAPFLOW_ASSIGN(const Lane current, lane(db, schema, partition));
    MAPFLOW_ASSIGN(Lease lease, next_lease(partition, current.lease, node, ttl, now));
    MAPFLOW_ASSIGN(const Rows taken,
                   db.query(schema.sql("UPDATE @.partitions SET epoch = $1, node = $2, expires = $3, released = false,"
                                       " written = 0, notice = CASE WHEN node = $2 THEN notice ELSE '' END"
                                       " WHERE partition = $4 AND epoch = $5 AND expires = $6"
                                       " AND released::int = $7 RETURNING epoch"),
                            Arguments().add(lease.epoch.value).add(lease.node).add(to_micros(lease.expires))
                                .add(partition.value).add(current.lease.epoch.value)
                                .add(to_micros(current.lease.expires)).add(current.lease.released)));
    if (taken.count() > 0) return lease;  // else it changed between our two looks
  }
}

Result<Lease> renew(Connection& db, const Schema& schema, const Lease& lease, Duration ttl, Timestamp now) {
  MAPFLOW_TRY(check_notice(lease));
  const Timestamp expires = saturating_add(now, ttl);
  MAPFLOW_ASSIGN(const Rows renewed,
                 db.query(schema.sql("UPDATE @.partitions SET expires = $1, notice = $4 WHERE partition = $2 AND epoch = $3"
                                     " AND NOT released RETURNING node"),
                          Arguments().add(to_micros(expires)).add(lease.partition.value).add(lease.epoch.value)
                              .add(Bytes{lease.notice})));
  if (renewed.count() > 0) return Lease{lease.partition, lease.epoch, renewed.text(0, 0), expires};
  MAPFLOW_ASSIGN(const Lane current, lane(db, schema, lease.partition));
  MAPFLOW_TRY(check_lease(current.lease, lease));
  return fail(code::unavailable, fmt::format("{}: partition {} changed hands in this moment", db.name(), lease.partition.value));
}

Status release(Connection& db, const Schema& schema, const Lease& lease) {
  MAPFLOW_TRY(db.query(schema.sql("UPDATE @.partitions SET released = true, expires = 0 WHERE partition = $1 AND epoch = $2"),
                       Arguments().add(lease.partition.value).add(lease.epoch.value)));
  return {};
}

Result<std::vector<Lease>> leases(Connection& db, const Schema& schema) {
  MAPFLOW_ASSIGN(const Rows rows, db.query(schema.sql("SELECT partition, epoch, node, expires, notice FROM @.partitions"
                                                      " WHERE epoch > 0 ORDER BY partition")));
  std::vector<Lease> all;
  for (int row = 0; row < rows.count(); ++row)
    all.push_back({Partition(static_cast<std::uint32_t>(rows.number(row, 0))), Epoch(unsigned_number(rows, row, 1)),
                   rows.text(row, 2), from_micros(rows.number(row, 3)), std::string(rows.bytes(row, 4))});
  return all;
}

// The update keeps others who post to this partition waiting until this one is durable: so positions appear in the
// order in which they were given, and a reader who has seen one has seen all before it.
Result<InboxPosition> post(Connection& db, const Schema& schema, Partition partition, std::string_view command) {
  MAPFLOW_ASSIGN(const Rows posted,
                 db.query(schema.sql("WITH next AS (UPDATE @.inbox_ends SET position = position + 1 WHERE partition = $1"
                                     " RETURNING position)"
                                     " INSERT INTO @.inbox (partition, position, command) SELECT $1, position, $2 FROM next"
                                     " RETURNING position, pg_notify($3, partition::text)"),
                          Arguments().add(partition.value).add(Bytes{command}).add(inbox_channel(schema))));
  if (posted.count() == 0) return fail(no_such_partition(partition));
  return InboxPosition(unsigned_number(posted, 0, 0));
}

Result<std::vector<InboxEntry>> inbox(Connection& db, const Schema& schema, Partition partition, InboxPosition after,
                                      std::size_t limit) {
  MAPFLOW_ASSIGN(const Rows rows, db.query(schema.sql("SELECT position, command FROM @.inbox WHERE partition = $1"
                                                      " AND position > $2 ORDER BY position LIMIT $3"),
                                           Arguments().add(partition.value).add(after.value).add(sql_limit(limit))));
  std::vector<InboxEntry> entries;
  for (int row = 0; row < rows.count(); ++row)
    entries.push_back({InboxPosition(unsigned_number(rows, row, 0)), std::string(rows.bytes(row, 1))});
  return entries;
}

Result<std::size_t> erase(Connection& db, const Schema& schema, const std::vector<InstanceRow>& rows) {
  Array id(Array::text), partition(Array::int4), seq(Array::int8), updated(Array::int8);
  for (const InstanceRow& row : rows) {
    id.add(row.id);
    partition.add(row.partition.value);
    seq.add(row.seq);
    updated.add(to_micros(row.updated));
  }
  MAPFLOW_ASSIGN(const Rows gone,
                 db.query(schema.sql("WITH known AS (SELECT * FROM unnest($1, $2, $3, $4) known(id, partition, seq, updated)),"
                                     " gone AS (DELETE FROM @.instances row USING known WHERE row.id = known.id AND row.finished"
                                     " AND row.partition = known.partition AND row.seq = known.seq"
                                     " AND row.updated = known.updated RETURNING row.id),"
                                     " history AS (DELETE FROM @.history chunk USING gone WHERE chunk.instance = gone.id)"
                                     " SELECT count(*) FROM gone"),
                          Arguments().add(std::move(id)).add(std::move(partition)).add(std::move(seq)).add(std::move(updated))));
  return static_cast<std::size_t>(gone.number(0, 0));
}

Result<Lane> lane(Connection& db, const Schema& schema, Partition partition) {
  MAPFLOW_ASSIGN(const Rows rows, db.query(schema.sql("SELECT epoch, node, expires, released, sender, written, log_end"
                                                      " FROM @.partitions WHERE partition = $1"),
                                           Arguments().add(partition.value)));
  if (rows.count() == 0) return fail(no_such_partition(partition));
  return read_lane(rows);
}

Result<std::optional<Lane>> settle(Connection& db, const Schema& schema, const Lease& lease) {
  MAPFLOW_ASSIGN(const Rows rows, db.query(schema.sql("UPDATE @.partitions SET sender = sender + 1"
                                                      " WHERE partition = $1 AND epoch = $2"
                                                      " RETURNING epoch, node, expires, released, sender, written, log_end"),
                                           Arguments().add(lease.partition.value).add(lease.epoch.value)));
  if (rows.count() == 0) return std::optional<Lane>();
  return std::optional(read_lane(rows));
}

}  // namespace mapflow::persistence::postgres
