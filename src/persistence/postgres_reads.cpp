#include "persistence/postgres_reads.h"

#include <fmt/format.h>

#include "persistence/listing.h"
#include "persistence/packed_commit.h"

namespace mapflow::persistence::postgres {
namespace {

#define MAPFLOW_ROW_COLUMNS                                                                                         \
  "id, partition, workflow, version, definition, state, finished, parent, correlation_id, tags, created, updated, " \
  "wake_at, seq"

InstanceRow read_row(const Rows& rows, int row) {
  return InstanceRow{.id = rows.text(row, 0),
                     .partition = Partition(static_cast<std::uint32_t>(rows.number(row, 1))),
                     .workflow = rows.text(row, 2),
                     .version = rows.text(row, 3),
                     .definition = rows.text(row, 4),
                     .state = rows.text(row, 5),
                     .finished = rows.number(row, 6) != 0,
                     .parent = rows.text(row, 7),
                     .correlation_id = rows.text(row, 8),
                     .tags = rows.texts(row, 9),
                     .created = from_micros(rows.number(row, 10)),
                     .updated = from_micros(rows.number(row, 11)),
                     .wake_at = rows.null(row, 12) ? kNever : from_micros(rows.number(row, 12)),
                     .seq = unsigned_number(rows, row, 13),
                     .snapshot = std::string(rows.bytes(row, 14))};
}

std::vector<InstanceRow> read_rows(const Rows& rows) {
  std::vector<InstanceRow> all;
  for (int row = 0; row < rows.count(); ++row) all.push_back(read_row(rows, row));
  return all;
}

/// How many entries a portion of the log has at most: their sizes are added up before any is read.
constexpr int kEntriesAtATime = 1024;

}  // namespace

Result<std::vector<LogEntry>> read_log(Connection& db, const Schema& schema, Partition partition, LogPosition from,
                                       std::size_t max_bytes) {
  MAPFLOW_ASSIGN(
      const Rows rows,
      db.query(schema.sql("SELECT position, epoch, bytes FROM"
                          " (SELECT *, sum(octet_length(bytes)) OVER (ORDER BY position) AS total FROM"
                          "  (SELECT * FROM @.log WHERE partition = $1 AND position >= greatest($2,"
                          "    (SELECT log_start FROM @.partitions WHERE partition = $1))"
                          "   ORDER BY position LIMIT $4) portion) summed"
                          " WHERE total <= $3 OR total = octet_length(bytes) ORDER BY position"),
               Arguments().add(partition.value).add(from.value).add(static_cast<std::int64_t>(max_bytes)).add(kEntriesAtATime)));
  std::vector<LogEntry> entries;
  for (int row = 0; row < rows.count(); ++row)
    entries.push_back({LogPosition(unsigned_number(rows, row, 0)), Epoch(unsigned_number(rows, row, 1)),
                       std::string(rows.bytes(row, 2))});
  return entries;
}

Result<InstanceRow> instance(Connection& db, const Schema& schema, std::string_view id) {
  MAPFLOW_ASSIGN(const Rows rows,
                 db.query(schema.sql("SELECT " MAPFLOW_ROW_COLUMNS ", snapshot FROM @.instances WHERE id = $1"), Arguments().add(id)));
  if (rows.count() == 0) return fail(code::not_found, fmt::format("no instance '{}'", id));
  return read_row(rows, 0);
}

Result<std::vector<InstanceRow>> unfinished(Connection& db, const Schema& schema, Partition partition,
                                            std::string_view after_id, std::size_t limit) {
  MAPFLOW_ASSIGN(const Rows rows,
                 db.query(schema.sql("SELECT " MAPFLOW_ROW_COLUMNS ", snapshot FROM @.instances"
                                     " WHERE NOT finished AND partition = $1 AND id > $2 ORDER BY id LIMIT $3"),
                          Arguments().add(partition.value).add(after_id).add(sql_limit(limit))));
  return read_rows(rows);
}

Result<InstancePage> list(Connection& db, const Schema& schema, const ListQuery& query) {
  std::string sql = "SELECT " MAPFLOW_ROW_COLUMNS ", ''::bytea FROM @.instances WHERE true";
  Arguments arguments;
  // Only the conditions that this query needs, so that PostgreSQL can choose an index for them.
  const auto where = [&](std::string_view value, std::string_view condition) {
    if (value.empty()) return;
    arguments.add(value);
    sql += " AND " + fmt::format(fmt::runtime(condition), arguments.count());
  };
  where(query.workflow, "workflow = ${}");
  where(query.state, "state = ${}");
  where(query.tag, "${} = ANY (tags)");
  where(query.text, "(strpos(id, ${0}) > 0 OR strpos(correlation_id, ${0}) > 0)");
  if (!query.cursor.empty()) {
    MAPFLOW_ASSIGN(const ListCursor cursor, parse_cursor(query.cursor));
    arguments.add(to_micros(cursor.created)).add(cursor.id);
    sql += fmt::format(" AND (created, id) < (${}, ${})", arguments.count() - 1, arguments.count());
  }
  arguments.add(sql_limit(query.limit) + 1);  // one more tells whether there is another page
  sql += fmt::format(" ORDER BY created DESC, id DESC LIMIT ${}", arguments.count());
  MAPFLOW_ASSIGN(const Rows rows, db.query(schema.sql(sql), arguments));
  InstancePage page;
  page.rows = read_rows(rows);
  if (page.rows.size() > query.limit) {
    page.rows.resize(query.limit);
    if (!page.rows.empty()) page.next_cursor = format_cursor(page.rows.back());
  }
  return page;
}

Result<std::vector<HistoryChunk>> history(Connection& db, const Schema& schema, std::string_view instance) {
  MAPFLOW_ASSIGN(const Rows rows, db.query(schema.sql("SELECT first_seq, last_seq, encoding, records FROM @.history"
                                                      " WHERE instance = $1 ORDER BY first_seq"),
                                           Arguments().add(instance)));
  std::vector<HistoryChunk> chunks;
  for (int row = 0; row < rows.count(); ++row) {
    HistoryChunk chunk{std::string(instance), unsigned_number(rows, row, 0), unsigned_number(rows, row, 1), {}};
    auto records = unpack_records(rows.bytes(row, 2), rows.bytes(row, 3));
    if (!records)
      return fail(code::corrupt, fmt::format("{}: the history of instance '{}' from record {} does not read back: {}",
                                             db.name(), instance, chunk.first_seq, records.error().message));
    chunk.records = *std::move(records);
    chunks.push_back(std::move(chunk));
  }
  return chunks;
}

Result<DefinitionRow> definition(Connection& db, const Schema& schema, std::string_view hash) {
  MAPFLOW_ASSIGN(const Rows rows, db.query(schema.sql("SELECT hash, workflow, version, document FROM @.definitions WHERE hash = $1"),
                                           Arguments().add(hash)));
  if (rows.count() == 0) return fail(code::not_found, fmt::format("no definition with hash '{}'", hash));
  return DefinitionRow{rows.text(0, 0), rows.text(0, 1), rows.text(0, 2), rows.text(0, 3)};
}

Result<std::vector<DefinitionRow>> definitions(Connection& db, const Schema& schema, std::string_view after_hash, std::size_t limit) {
  MAPFLOW_ASSIGN(const Rows rows, db.query(schema.sql("SELECT hash, workflow, version, document FROM @.definitions"
                                                      " WHERE hash > $1 ORDER BY hash LIMIT $2"),
                                           Arguments().add(after_hash).add(sql_limit(limit))));
  std::vector<DefinitionRow> page;
  for (int row = 0; row < rows.count(); ++row)
    page.push_back({rows.text(row, 0), rows.text(row, 1), rows.text(row, 2), rows.text(row, 3)});
  return page;
}

}  // namespace mapflow::persistence::postgres
