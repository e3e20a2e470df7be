// What is to be written to a SQLite store, on its way from the writer to the flusher.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "persistence/sqlite_database.h"
#include "persistence/store.h"

namespace mapflow::persistence::sqlite {

class Work {
 public:
  virtual ~Work() = default;
  /// Checks, then writes, inside a transaction. Runs again when that transaction was rolled back.
  virtual Status apply(Database& db) = 0;
  /// Called once: the outcome is durable, or why there is none.
  virtual void finish(Status outcome) = 0;
  /// The lease it writes under: after a failure nothing more happens under that lease.
  virtual const Lease* lease() const { return nullptr; }
  /// The partition whose log it shortens, if it does.
  virtual std::optional<Partition> shortens_log() const { return std::nullopt; }
  /// About how many bytes it writes.
  virtual std::size_t size_bytes() const { return 0; }
};

struct Item {
  std::unique_ptr<Work> work;
  Status outcome;
};

/// What was queued while the disk was busy, and what came of it.
struct Group {
  std::vector<Item> items;
  std::uint64_t transactions = 0;  ///< committed for it, but perhaps not durable yet
};

}  // namespace mapflow::persistence::sqlite
