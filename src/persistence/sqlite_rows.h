// Instance rows to SQL and back.
#pragma once

#include "persistence/sqlite_database.h"
#include "persistence/store.h"

namespace mapflow::persistence::sqlite {

/// What a SELECT must name for read_row, in its order; the snapshot column comes last and is named by the caller.
#define MAPFLOW_ROW_COLUMNS                                                                                    \
  "id, partition, workflow, version, definition, state, finished, parent, correlation_id, tags, created, updated, " \
  "wake_at, seq"

/// Errors: corrupt when the tags are not a JSON list.
Result<InstanceRow> read_row(const Query& row, const Database& db);

/// Inserts the row or replaces the one with its id. Errors: conflict when that one is of another partition.
Status write_row(Database& db, const InstanceRow& row);

}  // namespace mapflow::persistence::sqlite
