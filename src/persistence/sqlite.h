// The embedded store: one SQLite file, for one process or several on one machine.
//
//   commit() ─┐                       ┌─ BEGIN IMMEDIATE
//   post()   ─┼─> queue ─> writer ────┤  one after another: check, write        ─> COMMIT = fsync ─> every done()
//   acquire()─┘            (1 thread) └─ a bounded share of dropped log entries
//   list(), read_log() … ─> read connections of their own, which never wait for the writer
//
// Read on: sqlite_writer.h (the group commit), sqlite_writes.cpp (what is written), sqlite_reads.cpp,
// sqlite_schema.cpp (tables).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "persistence/store.h"

namespace mapflow::persistence {

struct SqliteOptions {
  std::uint32_t shared_partitions = 4;               ///< for a new file; an old one keeps its count
  Duration busy_timeout = std::chrono::seconds(30);  ///< how long to wait while another process writes
  std::uint32_t max_pages = 0;                       ///< bound on the file's size in pages of 4 KiB; 0: none
};

/// Opens the store in the file, creating it when it is missing. Errors: as persistence::open.
Result<std::unique_ptr<Store>> open_sqlite(const std::string& path, const SqliteOptions& options = {});

}  // namespace mapflow::persistence
