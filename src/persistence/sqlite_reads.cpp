#include "persistence/sqlite_reads.h"

#include <fmt/format.h>

#include <limits>

#include "persistence/listing.h"
#include "persistence/packed_commit.h"
#include "persistence/sqlite_log_sweep.h"
#include "persistence/sqlite_rows.h"
#include "persistence/sqlite_schema.h"

namespace mapflow::persistence::sqlite {
namespace {

std::uint64_t unsigned_number(const Query& row, int column) { return static_cast<std::uint64_t>(row.integer(column)); }

/// SQL's LIMIT is signed.
std::int64_t sql_limit(std::size_t limit) {
  return static_cast<std::int64_t>(std::min<std::size_t>(limit, std::numeric_limits<std::int32_t>::max()));
}

template <class Row, class Read>
Result<std::vector<Row>> read_all(Query& query, const Read& read) {
  std::vector<Row> rows;
  for (;;) {
    MAPFLOW_ASSIGN(const bool more, query.next());
    if (!more) return rows;
    Result<Row> row = read(query);
    if (!row) return fail(std::move(row).error());
    rows.push_back(*std::move(row));
  }
}

/// The statement with the conditions that this query needs, so that SQLite can choose an index for them.
std::string list_statement(const ListQuery& query) {
  std::string sql = "SELECT " MAPFLOW_ROW_COLUMNS ", NULL FROM instances WHERE 1";
  if (!query.workflow.empty()) sql += " AND workflow = ?";
  if (!query.state.empty()) sql += " AND state = ?";
  if (!query.tag.empty()) sql += " AND EXISTS (SELECT 1 FROM json_each(tags) WHERE json_each.value = ?)";
  if (!query.text.empty()) sql += " AND (instr(id, ?) > 0 OR instr(correlation_id, ?) > 0)";
  if (!query.cursor.empty()) sql += " AND (created, id) < (?, ?)";
  sql += " ORDER BY created DESC, id DESC LIMIT ?";
  return sql;
}

}  // namespace

Result<std::uint32_t> shared_partitions(Database& db) {
  Query query = db.query("SELECT count(*) FROM partitions WHERE shared = 1");
  MAPFLOW_TRY(query.next());
  return static_cast<std::uint32_t>(query.integer(0));
}

Result<std::vector<Lease>> leases(Database& db) {
  Query query = db.query("SELECT partition, epoch, node, expires, notice FROM partitions WHERE epoch > 0 ORDER BY partition");
  return read_all<Lease>(query, [](const Query& row) -> Result<Lease> {
    return Lease{Partition(static_cast<std::uint32_t>(row.integer(0))), Epoch(unsigned_number(row, 1)),
                 std::string(row.text(2)), from_micros(row.integer(3)), std::string(row.text(4))};
  });
}

Result<std::vector<LogEntry>> read_log(Database& db, Partition partition, LogPosition from, std::size_t max_bytes) {
  // One statement, so that the log's start and its entries are of one moment.
  Query query = db.query(
      "SELECT id, epoch, bytes FROM log WHERE id < ? AND id >= max(?, ? | (SELECT log_start FROM partitions"
      " WHERE partition = ?)) ORDER BY id",
      log_key(Partition(partition.value + 1), LogPosition(0)), log_key(partition, from),
      log_key(partition, LogPosition(0)), partition.value);
  std::vector<LogEntry> entries;
  for (std::size_t bytes = 0;;) {
    MAPFLOW_ASSIGN(const bool row, query.next());
    if (!row) return entries;
    bytes += query.text(2).size();
    if (!entries.empty() && bytes > max_bytes) return entries;
    entries.push_back({log_position(query.integer(0)), Epoch(unsigned_number(query, 1)), std::string(query.text(2))});
  }
}

Result<InstanceRow> instance(Database& db, std::string_view id) {
  Query query = db.query("SELECT " MAPFLOW_ROW_COLUMNS ", snapshot FROM instances WHERE id = ?", id);
  MAPFLOW_ASSIGN(const bool row, query.next());
  if (!row) return fail(code::not_found, fmt::format("no instance '{}'", id));
  return read_row(query, db);
}

Result<std::vector<InstanceRow>> unfinished(Database& db, Partition partition, std::string_view after_id,
                                            std::size_t limit) {
  Query query = db.query("SELECT " MAPFLOW_ROW_COLUMNS ", snapshot FROM instances"
                         " WHERE finished = 0 AND partition = ? AND id > ? ORDER BY id LIMIT ?",
                         partition.value, after_id, sql_limit(limit));
  return read_all<InstanceRow>(query, [&](const Query& row) { return read_row(row, db); });
}

Result<InstancePage> list(Database& db, const ListQuery& query) {
  ListCursor cursor;
  if (!query.cursor.empty()) {
    MAPFLOW_ASSIGN(cursor, parse_cursor(query.cursor));
  }
  Query select = db.query_once(list_statement(query));
  for (const std::string* filter : {&query.workflow, &query.state, &query.tag, &query.text, &query.text})
    if (!filter->empty()) select.bind(*filter);
  if (!query.cursor.empty()) {
    select.bind(to_micros(cursor.created));
    select.bind(cursor.id);
  }
  select.bind(sql_limit(query.limit) + 1);  // one more tells whether there is another page
  InstancePage page;
  MAPFLOW_ASSIGN(page.rows, read_all<InstanceRow>(select, [&](const Query& row) { return read_row(row, db); }));
  if (page.rows.size() > query.limit) {
    page.rows.resize(query.limit);
    if (!page.rows.empty()) page.next_cursor = format_cursor(page.rows.back());
  }
  return page;
}

Result<std::vector<HistoryChunk>> history(Database& db, std::string_view instance) {
  Query query = db.query("SELECT first_seq, last_seq, encoding, records FROM history WHERE instance = ? ORDER BY first_seq",
                         instance);
  return read_all<HistoryChunk>(query, [&](const Query& row) -> Result<HistoryChunk> {
    HistoryChunk chunk{std::string(instance), unsigned_number(row, 0), unsigned_number(row, 1), {}};
    auto records = unpack_records(row.text(2), row.text(3));
    if (!records)
      return fail(code::corrupt,
                  fmt::format("sqlite:{}: the history of instance '{}' from record {} does not read back: {}", db.path(),
                              instance, chunk.first_seq, records.error().message));
    chunk.records = *std::move(records);
    return chunk;
  });
}

Result<DefinitionRow> definition(Database& db, std::string_view hash) {
  Query query = db.query("SELECT hash, workflow, version, document FROM definitions WHERE hash = ?", hash);
  MAPFLOW_ASSIGN(const bool row, query.next());
  if (!row) return fail(code::not_found, fmt::format("no definition with hash '{}'", hash));
  return DefinitionRow{std::string(query.text(0)), std::string(query.text(1)), std::string(query.text(2)),
                       std::string(query.text(3))};
}

Result<std::vector<DefinitionRow>> definitions(Database& db, std::string_view after_hash, std::size_t limit) {
  Query query = db.query("SELECT hash, workflow, version, document FROM definitions WHERE hash > ? ORDER BY hash LIMIT ?", after_hash,
                         sql_limit(limit));
  return read_all<DefinitionRow>(query, [](const Query& row) -> Result<DefinitionRow> {
    return DefinitionRow{std::string(row.text(0)), std::string(row.text(1)), std::string(row.text(2)), std::string(row.text(3))};
  });
}

Result<std::vector<InboxEntry>> inbox(Database& db, Partition partition, InboxPosition after, std::size_t limit) {
  Query query = db.query("SELECT position, command FROM inbox WHERE partition = ? AND position > ? ORDER BY position LIMIT ?",
                         partition.value, after.value, sql_limit(limit));
  return read_all<InboxEntry>(query, [](const Query& row) -> Result<InboxEntry> {
    return InboxEntry{InboxPosition(unsigned_number(row, 0)), std::string(row.text(1))};
  });
}

Result<std::unique_ptr<Database>> ReadPool::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto db = std::move(idle_.back());
      idle_.pop_back();
      return db;
    }
  }
  MAPFLOW_ASSIGN(auto db, Database::open(path_, options_));
  MAPFLOW_TRY(configure_reader(*db));
  return db;
}

void ReadPool::give_back(std::unique_ptr<Database> db) {
  constexpr std::size_t kMaxIdle = 4;
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kMaxIdle) idle_.push_back(std::move(db));
}

}  // namespace mapflow::persistence::sqlite
