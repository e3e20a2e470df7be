// Many commits as the arguments of one call in the database: each table's rows as arrays, one for each column.
#pragma once

#include <map>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "persistence/packed_commit.h"
#include "persistence/postgres_leases.h"

namespace mapflow::persistence::postgres {

/// Keeps pointers to the commits that it was given: they must outlive it.
class Batch {
 public:
  /// False: the commit cannot be in one batch with those before it, for it writes an instance that another partition
  /// writes in this batch; the database must see one after the other.
  bool fits(const Commit& commit) const;
  /// Adds the commit and moves the lane on; gives the end of the partition's log behind it.
  LogPosition add(const PackedCommit& packed, Lane& lane);
  bool empty() const { return lanes_.empty(); }
  /// The leases under which it writes, and what is written when the whole batch is.
  const std::map<Partition, Lane>& ends() const { return ends_; }

  static constexpr std::string_view kStatement =
      "SELECT @.write_commits($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,"
      " $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37)";
  Arguments arguments() const;

 private:
  struct LaneUse {
    Epoch epoch;
    std::int64_t sender = 0, written = 0, commits = 0;
    LogPosition log_end, log_start;
    InboxPosition inbox;
  };
  struct Entry {
    Partition partition;
    LogPosition position;
    Epoch epoch;
    std::string_view bytes;
  };
  struct Chunk {
    const HistoryChunk* chunk;
    std::string_view encoding;
  };
  void add_lanes(Arguments& arguments) const;
  void add_log(Arguments& arguments) const;
  void add_rows(Arguments& arguments) const;
  void add_history(Arguments& arguments) const;
  void add_definitions(Arguments& arguments) const;

  std::map<Partition, LaneUse> lanes_;
  std::map<Partition, Lane> ends_;
  std::vector<Entry> log_;
  // Of what is written twice, only the last counts. Ordered, so that batches of several nodes lock in one order.
  std::unordered_map<std::string_view, const InstanceRow*> rows_;
  std::map<std::pair<std::string_view, std::uint64_t>, Chunk> history_;
  std::map<std::string_view, const DefinitionRow*> definitions_;
};

}  // namespace mapflow::persistence::postgres
