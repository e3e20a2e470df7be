#include "persistence/sqlite_schema.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <thread>

namespace mapflow::persistence::sqlite {
namespace {

/// "MapF": tells a store from the databases of other programs.
constexpr std::int64_t kApplicationId = 0x4d617046;

struct Migration {
  int number;
  const char* what;
  const char* sql;
};

// Applied in order, each once, never edited after a release. Tables may change with any migration; the views named
// mapflow_… are what people may rely on.
constexpr std::array kMigrations = {
    Migration{1, "first schema", R"sql(
CREATE TABLE partitions (
  partition INTEGER PRIMARY KEY,
  shared    INTEGER NOT NULL,
  epoch     INTEGER NOT NULL DEFAULT 0,   -- 0: never taken
  node      TEXT    NOT NULL DEFAULT '',
  expires   INTEGER NOT NULL DEFAULT 0,
  released  INTEGER NOT NULL DEFAULT 0,
  log_start INTEGER NOT NULL DEFAULT 1,   -- entries before it are dropped, though their rows may wait to be deleted
  log_end   INTEGER NOT NULL DEFAULT 0    -- last position given when entries were last dropped
);

-- An ordinary table keyed by one number appends large blobs twice as fast as one WITHOUT ROWID on (partition, position).
CREATE TABLE log (
  id    INTEGER PRIMARY KEY,              -- partition << 40 | position
  epoch INTEGER NOT NULL,
  bytes BLOB    NOT NULL
);

CREATE TABLE instances (
  id             TEXT    NOT NULL UNIQUE,
  partition      INTEGER NOT NULL,
  workflow       TEXT    NOT NULL,
  version        TEXT    NOT NULL,
  definition     TEXT    NOT NULL,
  state          TEXT    NOT NULL,
  finished       INTEGER NOT NULL,
  parent         TEXT    NOT NULL,
  correlation_id TEXT    NOT NULL,
  tags           TEXT    NOT NULL,        -- JSON array of texts
  created        INTEGER NOT NULL,        -- times: microseconds since 1970, UTC
  updated        INTEGER NOT NULL,
  wake_at        INTEGER,                 -- NULL: never
  seq            INTEGER NOT NULL,
  snapshot       BLOB    NOT NULL
);
CREATE INDEX instances_by_age      ON instances (created, id);
CREATE INDEX instances_by_state    ON instances (state, created, id);
CREATE INDEX instances_by_workflow ON instances (workflow, created, id);
CREATE INDEX instances_unfinished  ON instances (partition, id) WHERE finished = 0;

CREATE TABLE history (
  instance  TEXT    NOT NULL,
  first_seq INTEGER NOT NULL,
  last_seq  INTEGER NOT NULL,
  encoding  TEXT    NOT NULL,             -- raw, zstd
  records   BLOB    NOT NULL,
  UNIQUE (instance, first_seq)
);

CREATE TABLE definitions (
  hash     TEXT NOT NULL UNIQUE,
  workflow TEXT NOT NULL,
  version  TEXT NOT NULL,
  document TEXT NOT NULL                  -- JSON
);

CREATE TABLE inbox (
  position  INTEGER PRIMARY KEY AUTOINCREMENT,
  partition INTEGER NOT NULL,
  command   BLOB    NOT NULL
);
CREATE INDEX inbox_by_partition ON inbox (partition, position);

CREATE VIEW mapflow_instances AS
SELECT id, workflow, version, state, finished, parent, correlation_id, tags, partition, definition,
       strftime('%Y-%m-%dT%H:%M:%fZ', created / 1e6, 'unixepoch') AS created,
       strftime('%Y-%m-%dT%H:%M:%fZ', updated / 1e6, 'unixepoch') AS updated,
       strftime('%Y-%m-%dT%H:%M:%fZ', wake_at / 1e6, 'unixepoch') AS wake_at
FROM instances;

CREATE VIEW mapflow_definitions AS SELECT hash, workflow, version, document FROM definitions;

CREATE VIEW mapflow_partitions AS
SELECT partition, shared, epoch, node, released,
       strftime('%Y-%m-%dT%H:%M:%fZ', expires / 1e6, 'unixepoch') AS expires
FROM partitions;
)sql"},
    // The last column, so that what a commit reads of the row stands before it.
    Migration{2, "notices of leases", "ALTER TABLE partitions ADD COLUMN notice BLOB NOT NULL DEFAULT x''"},
};
constexpr int kNewest = kMigrations.back().number;

Result<std::int64_t> number(Database& db, const char* sql) {
  Query query = db.query(sql);
  MAPFLOW_ASSIGN(const bool row, query.next());
  return row ? query.integer(0) : 0;
}

/// The schema version of the file, 0 for an empty one. Errors: invalid_state when it is not ours to touch.
Result<int> version(Database& db) {
  MAPFLOW_ASSIGN(const auto tables, number(db, "SELECT count(*) FROM sqlite_master"));
  if (tables == 0) return 0;
  MAPFLOW_ASSIGN(const auto owner, number(db, "PRAGMA application_id"));
  if (owner != kApplicationId)
    return fail(code::invalid_state, fmt::format("sqlite:{}: the file is the database of another program", db.path()),
                "name another file for the store");
  MAPFLOW_ASSIGN(const auto found, number(db, "SELECT max(number) FROM migrations"));
  if (found > kNewest)
    return fail(code::invalid_state,
                fmt::format("sqlite:{}: the store has schema version {}, this program knows versions up to {}",
                            db.path(), found, kNewest),
                "use the newer program that wrote the store, or name another file");
  return static_cast<int>(found);
}

/// The switch needs the file for itself for a moment, and SQLite does not always wait for that.
Status use_write_ahead_log(Database& db) {
  for (int tries = 0;; ++tries) {
    Query query = db.query("PRAGMA journal_mode = WAL");
    const auto row = query.next();
    if (row && *row && query.text(0) == "wal") return {};
    const Error problem = row ? Error(code::unavailable, fmt::format("sqlite:{}: the file system does not support "
                                                                     "write-ahead logging", db.path()))
                              : row.error();
    if (row || !problem.is(code::unavailable) || tries == 200) return fail(problem);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

Status migrate(Database& db, std::uint32_t shared_partitions) {
  MAPFLOW_ASSIGN(const int found, version(db));  // again, for another process may have been faster
  if (found == 0) {
    MAPFLOW_TRY(db.execute("CREATE TABLE migrations (number INTEGER PRIMARY KEY, what TEXT NOT NULL, applied_at TEXT NOT NULL)"));
    MAPFLOW_TRY(db.execute(fmt::format("PRAGMA application_id = {}", kApplicationId).c_str()));
  }
  for (const Migration& migration : kMigrations) {
    if (migration.number <= found) continue;
    MAPFLOW_TRY(db.execute(migration.sql));
    MAPFLOW_TRY(db.query("INSERT INTO migrations VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))",
                         migration.number, std::string_view(migration.what)).run());
  }
  if (found == 0)
    for (std::uint32_t partition = 0; partition < shared_partitions; ++partition)
      MAPFLOW_TRY(db.query("INSERT INTO partitions (partition, shared) VALUES (?, 1)", partition).run());
  return {};
}

}  // namespace

Status prepare_store(Database& db, std::uint32_t shared_partitions) {
  if (db.read_only())
    return fail(code::unavailable, fmt::format("sqlite:{}: the file is read-only", db.path()),
                "this user needs write permission on the file and on its folder");
  MAPFLOW_ASSIGN(const int found, version(db));
  MAPFLOW_TRY(use_write_ahead_log(db));
  if (found == kNewest) return {};
  MAPFLOW_TRY(db.execute("BEGIN IMMEDIATE"));
  Status migrated = migrate(db, shared_partitions);
  if (migrated) migrated = db.execute("COMMIT");
  if (!migrated && db.in_transaction()) (void)db.execute("ROLLBACK");  // the first error says more
  return migrated;
}

// Commits leave the syncing to the flusher (sqlite_flusher.h), which acknowledges nothing before the disk has it.
// Checkpoints run on the writer thread, every 4 MiB: measured against a thread of its own and against larger logs, a
// small log that is overwritten in place is synced twice as fast as one that grows, which outweighs a pause of some
// ten milliseconds now and then.
Status configure_writer(Database& db) {
  return db.execute(
      "PRAGMA synchronous = NORMAL;"
      "PRAGMA wal_autocheckpoint = 1000;"
      "PRAGMA foreign_keys = OFF;"
      "PRAGMA temp_store = MEMORY;"
      "PRAGMA cache_size = -16000;"
      "PRAGMA journal_size_limit = 67108864");
}

Status configure_reader(Database& db) { return db.execute("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY"); }

}  // namespace mapflow::persistence::sqlite
