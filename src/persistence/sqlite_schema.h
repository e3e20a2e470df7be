// The tables of the SQLite store and how a file gets them.
#pragma once

#include <cstdint>

#include "persistence/sqlite_database.h"

namespace mapflow::persistence::sqlite {

/// Makes the file a store of this program's schema: checks what it is before it changes anything, switches it to
/// write-ahead logging, and applies the migrations it lacks in one transaction. Several processes may do so at once.
/// Errors: invalid_state (a newer schema, or the database of another program), corrupt, unavailable,
/// resource_exhausted.
Status prepare_store(Database& db, std::uint32_t shared_partitions);

/// Settings that hold per connection. The store's connections all need them.
Status configure_writer(Database& db);
Status configure_reader(Database& db);

}  // namespace mapflow::persistence::sqlite
