// Reads a partition back: the snapshots of its unfinished instances and the log behind them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/log_ledger.h"
#include "engine/program_cache.h"
#include "engine/snapshot.h"
#include "kernel/state.h"
#include "persistence/store.h"

namespace mapflow::engine {

struct RecoveredInstance {
  std::string id;
  ProgramPtr program;
  std::unique_ptr<kernel::State> state;  ///< null: the snapshot in its row is all there is, and was not read
  bool has_row = false;
  WorkflowState listed = WorkflowState::pending;  ///< the state its row says
  std::uint64_t covered_seq = 0;
  std::size_t snapshot_bytes = 0;
  std::vector<ChunkInfo> chunks;
  std::string base;     ///< the encoded state at covered_seq, when there are records after it
  std::string records;  ///< after covered_seq
  std::uint64_t uncovered_since = 0;  ///< offset in the ledger where `records` begin
};

struct RecoveredPartition {
  std::vector<RecoveredInstance> instances;   ///< those with records by uncovered_since; then those without
  std::map<std::string, Error> unreadable;    ///< instances that do not read back, by id; their log is pinned
  LogLedger ledger;
};

/// Errors: those of the store; corrupt when an entry of the log does not read back, for then nobody can know whose
/// records are missing.
Result<RecoveredPartition> read_partition(persistence::Store& store, ProgramCache& programs,
                                          persistence::Partition partition);

}  // namespace mapflow::engine
