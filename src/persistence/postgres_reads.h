// What can be read from the tables, each call one statement and so one consistent view.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "persistence/postgres_schema.h"
#include "persistence/store.h"

namespace mapflow::persistence::postgres {

Result<std::vector<LogEntry>> read_log(Connection& db, const Schema& schema, Partition partition, LogPosition from,
                                       std::size_t max_bytes);
Result<InstanceRow> instance(Connection& db, const Schema& schema, std::string_view id);
Result<std::vector<InstanceRow>> unfinished(Connection& db, const Schema& schema, Partition partition,
                                            std::string_view after_id, std::size_t limit);
Result<InstancePage> list(Connection& db, const Schema& schema, const ListQuery& query);
Result<std::vector<HistoryChunk>> history(Connection& db, const Schema& schema, std::string_view instance);
Result<DefinitionRow> definition(Connection& db, const Schema& schema, std::string_view hash);
Result<std::vector<DefinitionRow>> definitions(Connection& db, const Schema& schema, std::string_view after_hash, std::size_t limit);

inline std::uint64_t unsigned_number(const Rows& rows, int row, int column) {
  return static_cast<std::uint64_t>(rows.number(row, column));
}
/// SQL's LIMIT is signed.
inline std::int64_t sql_limit(std::size_t limit) {
  return static_cast<std::int64_t>(std::min<std::size_t>(limit, std::numeric_limits<std::int32_t>::max()));
}

}  // namespace mapflow::persistence::postgres
