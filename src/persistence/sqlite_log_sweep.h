// Deletes dropped log entries little by little: a commit only moves the log's start, and every transaction after it
// deletes a bounded share of what lies before, so that no commit waits for a long deletion.
#pragma once

#include <cstdint>
#include <set>

#include "persistence/sqlite_database.h"
#include "persistence/store.h"

namespace mapflow::persistence::sqlite {

/// The key of a log entry: all entries of a partition lie together, in order.
constexpr int kPositionBits = 40;
constexpr std::uint32_t kMaxPartitions = 1u << 22;
constexpr std::int64_t log_key(Partition partition, LogPosition position) {
  return (static_cast<std::int64_t>(partition.value) << kPositionBits) | static_cast<std::int64_t>(position.value);
}
constexpr LogPosition log_position(std::int64_t key) {
  return LogPosition(static_cast<std::uint64_t>(key) & ((std::uint64_t{1} << kPositionBits) - 1));
}

class LogSweep {
 public:
  /// Finds what an earlier process left undeleted.
  Status find_leftovers(Database& db);
  /// Entries of the partition were dropped: those before the log's start in the store may be deleted.
  void note(Partition partition) { pending_.insert(partition); }
  bool pending() const { return !pending_.empty(); }
  /// Deletes a share, inside the caller's transaction. After an error nothing is pending until the next note().
  Status step(Database& db);
  void forget() { pending_.clear(); }

 private:
  std::set<Partition> pending_;
};

}  // namespace mapflow::persistence::sqlite
