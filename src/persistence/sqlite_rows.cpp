#include "persistence/sqlite_rows.h"

#include <fmt/format.h>

#include "persistence/lease_rules.h"
#include "value/json.h"

namespace mapflow::persistence::sqlite {
namespace {

std::string tags_to_json(const std::vector<std::string>& tags) {
  if (tags.empty()) return "[]";
  Array texts;
  for (const std::string& tag : tags) texts.emplace_back(tag);
  return to_json(Value(std::move(texts)));
}

Result<std::vector<std::string>> tags_from_json(std::string_view json) {
  std::vector<std::string> tags;
  if (json == "[]") return tags;
  MAPFLOW_ASSIGN(const Value list, parse_json(json));
  if (list.type() != ValueType::array) return fail(code::corrupt, "not a list");
  for (const Value& tag : list.as_array()) {
    if (tag.type() != ValueType::text) return fail(code::corrupt, "not a text");
    tags.emplace_back(tag.as_text());
  }
  return tags;
}

Result<Partition> partition_of(Database& db, const std::string& id) {
  Query query = db.query("SELECT partition FROM instances WHERE id = ?", id);
  MAPFLOW_TRY(query.next());
  return Partition(static_cast<std::uint32_t>(query.integer(0)));
}

}  // namespace

Result<InstanceRow> read_row(const Query& row, const Database& db) {
  auto tags = tags_from_json(row.text(9));
  if (!tags)
    return fail(code::corrupt, fmt::format("sqlite:{}: the tags of instance '{}' do not read back: {}", db.path(),
                                           row.text(0), tags.error().message));
  const auto text = [&](int column) { return std::string(row.text(column)); };
  return InstanceRow{.id = text(0),
                     .partition = Partition(static_cast<std::uint32_t>(row.integer(1))),
                     .workflow = text(2),
                     .version = text(3),
                     .definition = text(4),
                     .state = text(5),
                     .finished = row.integer(6) != 0,
                     .parent = text(7),
                     .correlation_id = text(8),
                     .tags = *std::move(tags),
                     .created = from_micros(row.integer(10)),
                     .updated = from_micros(row.integer(11)),
                     .wake_at = row.null(12) ? kNever : from_micros(row.integer(12)),
                     .seq = static_cast<std::uint64_t>(row.integer(13)),
                     .snapshot = text(14)};
}

Status write_row(Database& db, const InstanceRow& row) {
  const std::string tags = tags_to_json(row.tags);
  const std::int64_t before = db.changes();
  Query query = db.query(
      "INSERT INTO instances (" MAPFLOW_ROW_COLUMNS ", snapshot) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
      " ON CONFLICT (id) DO UPDATE SET workflow = excluded.workflow,"
      " version = excluded.version, definition = excluded.definition, state = excluded.state,"
      " finished = excluded.finished, parent = excluded.parent, correlation_id = excluded.correlation_id,"
      " tags = excluded.tags, created = excluded.created, updated = excluded.updated, wake_at = excluded.wake_at,"
      " seq = excluded.seq, snapshot = excluded.snapshot WHERE partition = excluded.partition",
      row.id, row.partition.value, row.workflow, row.version, row.definition, row.state, row.finished, row.parent,
      row.correlation_id, tags, to_micros(row.created), to_micros(row.updated));
  if (row.wake_at == kNever) {
    query.bind_null();
  } else {
    query.bind(to_micros(row.wake_at));
  }
  query.bind(row.seq);
  query.bind(Blob{row.snapshot});
  MAPFLOW_TRY(query.run());
  if (db.changes() != before) return {};
  MAPFLOW_ASSIGN(const Partition owner, partition_of(db, row.id));
  return fail(row_of_another_partition(row, owner));
}

}  // namespace mapflow::persistence::sqlite
