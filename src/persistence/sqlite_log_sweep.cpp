#include "persistence/sqlite_log_sweep.h"

namespace mapflow::persistence::sqlite {
namespace {

constexpr int kMaxEntriesPerStep = 256;
constexpr std::int64_t kMaxBytesPerStep = 4 << 20;

}  // namespace

Status LogSweep::find_leftovers(Database& db) {
  Query query = db.query(
      "SELECT partition FROM partitions WHERE EXISTS"
      " (SELECT 1 FROM log WHERE id >= partition << 40 AND id < (partition << 40 | log_start))");
  for (;;) {
    MAPFLOW_ASSIGN(const bool row, query.next());
    if (!row) return {};
    note(Partition(static_cast<std::uint32_t>(query.integer(0))));
  }
}

Status LogSweep::step(Database& db) {
  if (pending_.empty()) return {};
  const Partition partition = *pending_.begin();
  const std::int64_t first = log_key(partition, LogPosition(0));
  std::int64_t last = first;
  bool all = true;
  {
    Query dropped = db.query(
        "SELECT id, length(bytes) FROM log WHERE id >= ? AND id < ? | (SELECT log_start FROM partitions"
        " WHERE partition = ?) ORDER BY id",
        first, first, partition.value);
    std::int64_t bytes = 0;
    for (int entries = 0;; ++entries) {
      MAPFLOW_ASSIGN(const bool row, dropped.next());
      if (!row) break;
      if (entries == kMaxEntriesPerStep || bytes >= kMaxBytesPerStep) {
        all = false;
        break;
      }
      last = dropped.integer(0);
      bytes += dropped.integer(1);
    }
  }
  if (all) pending_.erase(pending_.begin());
  if (last == first) return {};
  return db.query("DELETE FROM log WHERE id >= ? AND id <= ?", first, last).run();
}

}  // namespace mapflow::persistence::sqlite
