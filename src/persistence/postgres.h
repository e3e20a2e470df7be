// The store for many machines: one PostgreSQL database, shared by all nodes.
//
//   commit() ─> writer thread ─> one call for everything queued: check the leases, write ─> every done()
//   acquire(), post(), list() … ─> connections of their own, on the caller's thread
//
// Read on: postgres_writer.h (the group commit, and what happens when the connection breaks), postgres_batch.h (how a
// group is sent), postgres_migrations.cpp (tables, views, and the function that writes), postgres_leases.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "persistence/postgres_connection.h"
#include "persistence/store.h"

namespace mapflow::persistence {

struct PostgresOptions {
  postgres::ConnectOptions connect;
  std::string schema = "mapflow";
  std::uint32_t shared_partitions = 8;        ///< for a new schema; an old one keeps its count
  Duration patience = std::chrono::seconds(10);  ///< how long a server that is away is tried again
  bool pooled = false;                        ///< behind a pooler that lends connections by transaction
};

/// Reads what follows "postgres:" in a URL. Options that are not the store's own go to libpq. Errors: invalid_input.
Result<PostgresOptions> parse_postgres_url(std::string_view rest);

/// Opens the store, creating its schema when it is missing. Errors: as persistence::open.
Result<std::unique_ptr<Store>> open_postgres(const PostgresOptions& options);

}  // namespace mapflow::persistence
