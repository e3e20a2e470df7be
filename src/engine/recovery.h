// Reads a partition back: the snapshots of its unfinished instances and the log behind them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
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
  std::unique_ptr<kernel::State> state;  ///< null: it sleeps, for the snapshot in its row is all there is of it
  bool still = false;                    ///< it sleeps, and nothing is to be done for it before wake_at
  Timestamp wake_at = kNever;
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

struct RecoveryOptions {
  bool calls = true;             ///< false: nobody is going to be called, so timers and calls in flight are not looked into
  std::size_t memory_bytes = 0;  ///< what the states of instances that have something to do at once may take, estimated
};

/// Errors: those of the store; corrupt when an entry of the log does not read back, for then nobody can know whose
/// records are missing.
Result<RecoveredPartition> read_partition(persistence::Store& store, ProgramCache& programs, persistence::Partition partition,
                                          const RecoveryOptions& options);

using StateVisitor = std::function<void(const kernel::Program& program, const kernel::State& state)>;
/// Shows the unfinished instances of one workflow (of all, when it is empty), one at a time, whoever runs them. Gives the ids
/// of those that do not read back, perhaps only because their owner wrote meanwhile. Errors: those of read_partition.
Result<std::vector<std::string>> visit_unfinished(persistence::Store& store, ProgramCache& programs, persistence::Partition partition,
                                                  std::string_view workflow, const StateVisitor& visit);

}  // namespace mapflow::engine
