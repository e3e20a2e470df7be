#include "persistence/postgres_schema.h"

#include <fmt/format.h>

#include <utility>

#include "persistence/postgres_migrations.h"

namespace mapflow::persistence::postgres {
namespace {

std::string quoted(std::string_view name) {
  std::string text = "\"";
  for (const char letter : name) text += letter == '"' ? std::string("\"\"") : std::string(1, letter);
  return text + '"';
}

struct Found {
  int version = 0;            ///< 0: no store yet
  bool schema_exists = false;
};

/// What is in the schema. Errors: invalid_state when it is not ours to touch.
Result<Found> look(Connection& db, const Schema& schema, const std::string& store) {
  MAPFLOW_ASSIGN(const Rows there,
                 db.query("SELECT count(DISTINCT n.oid), count(c.oid), count(c.oid) FILTER (WHERE c.relname = 'migrations')"
                          " FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid WHERE n.nspname = $1",
                          Arguments().add(schema.name())));
  Found found{0, there.number(0, 0) > 0};
  if (there.number(0, 1) == 0) return found;
  if (there.number(0, 2) == 0)
    return fail(code::invalid_state, fmt::format("{}: the schema '{}' belongs to another program", store, schema.name()),
                "name another one with ?schema=NAME");
  MAPFLOW_ASSIGN(const Rows newest, db.query(schema.sql("SELECT coalesce(max(number), 0) FROM @.migrations")));
  found.version = static_cast<int>(newest.number(0, 0));
  if (const int known = migrations().back().number; found.version > known)
    return fail(code::invalid_state,
                fmt::format("{}: the store has schema version {}, this program knows versions up to {}", store,
                            found.version, known),
                "use the newer program that wrote the store, or name another schema with ?schema=NAME");
  return found;
}

Status apply(Connection& db, const Schema& schema, const Found& found, std::uint32_t shared_partitions) {
  if (!found.schema_exists) MAPFLOW_TRY(db.query(fmt::format("CREATE SCHEMA {}", quoted(schema.name()))));
  if (found.version == 0)
    MAPFLOW_TRY(db.query(schema.sql("CREATE TABLE @.migrations (number integer PRIMARY KEY, what text NOT NULL,"
                                    " applied_at timestamptz NOT NULL DEFAULT now())")));
  for (const Migration& migration : migrations()) {
    if (migration.number <= found.version) continue;
    for (const std::string_view statement : migration.statements) MAPFLOW_TRY(db.query(schema.sql(statement)));
    MAPFLOW_TRY(db.query(schema.sql("INSERT INTO @.migrations (number, what) VALUES ($1, $2)"),
                         Arguments().add(migration.number).add(migration.what)));
  }
  if (found.version > 0) return {};
  MAPFLOW_TRY(db.query(schema.sql("WITH made AS (INSERT INTO @.partitions (partition, shared)"
                                  " SELECT number, true FROM generate_series(0, $1 - 1) number RETURNING partition)"
                                  " INSERT INTO @.inbox_ends SELECT partition, 0 FROM made"),
                       Arguments().add(shared_partitions)));
  return {};
}

/// One process at a time; the others find everything done.
Status migrate(Connection& db, const Schema& schema, std::uint32_t shared_partitions, const std::string& store) {
  MAPFLOW_TRY(db.query("BEGIN"));
  const auto changed = [&]() -> Status {
    MAPFLOW_TRY(db.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
                         Arguments().add("mapflow schema " + schema.name())));
    MAPFLOW_ASSIGN(const Found found, look(db, schema, store));
    return apply(db, schema, found, shared_partitions);
  }();
  if (!changed) {
    if (db.usable()) (void)db.query("ROLLBACK");  // the first error says more
    return changed;
  }
  MAPFLOW_TRY(db.query("COMMIT"));
  return {};
}

}  // namespace

Schema::Schema(std::string name) : name_(std::move(name)), quoted_(quoted(name_)) {}

std::string Schema::sql(std::string_view statement) const {
  std::string text;
  for (;;) {
    const std::size_t mark = statement.find("@.");
    text += statement.substr(0, mark);
    if (mark == statement.npos) return text;
    text += quoted_;
    statement.remove_prefix(mark + 1);
  }
}

Result<Opened> prepare_schema(Connection& db, const Schema& schema, std::uint32_t shared_partitions) {
  MAPFLOW_ASSIGN(const Rows settings,
                 db.query("SELECT current_setting('server_encoding'), current_setting('fsync'), current_setting('synchronous_commit'),"
                          " current_setting('full_page_writes')"));
  if (settings.text(0, 0) != "UTF8")
    return fail(code::invalid_state, fmt::format("{}: the database is in {}, not in UTF8", db.name(), settings.text(0, 0)),
                "create one with ENCODING 'UTF8' TEMPLATE template0");
  Opened opened;
  for (const auto& [column, name] : {std::pair(1, "fsync"), std::pair(2, "synchronous_commit"), std::pair(3, "full_page_writes")})
    if (settings.text(0, column) == "off") opened.risk += fmt::format("{}{} is 'off': set it to on", opened.risk.empty() ? "" : "; ", name);
  MAPFLOW_ASSIGN(const Found found, look(db, schema, db.name()));
  if (found.version < migrations().back().number) MAPFLOW_TRY(migrate(db, schema, shared_partitions, db.name()));
  MAPFLOW_ASSIGN(const Rows count, db.query(schema.sql("SELECT count(*) FROM @.partitions WHERE shared")));
  opened.shared_partitions = static_cast<std::uint32_t>(count.number(0, 0));
  return opened;
}

}  // namespace mapflow::persistence::postgres
