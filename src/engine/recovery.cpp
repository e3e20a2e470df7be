#include "engine/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "engine/batch.h"
#include "engine/replay.h"
#include "kernel/codec.h"

namespace mapflow::engine {
namespace {

using persistence::InstanceRow;
using persistence::LogPosition;
using persistence::Partition;

constexpr std::size_t kRowsAtATime = 256;
constexpr std::size_t kLogBytesAtATime = 4u << 20;

/// An instance while the log is being read.
struct Gathered {
  RecoveredInstance instance;
  std::uint64_t last_seq = 0;   ///< of the snapshot, then of the records gathered
  std::string definition;       ///< hash, when the row says it
  std::uint64_t log_offset = UINT64_MAX;  ///< of its first group in the log, covered or not
  Status fault;                 ///< the first thing that was wrong with it
};

class PartitionReader {
 public:
  PartitionReader(persistence::Store& store, ProgramCache& programs, Partition partition)
      : store_(store), programs_(programs), partition_(partition) {}

  Result<RecoveredPartition> read() {
    MAPFLOW_TRY(read_rows());
    MAPFLOW_TRY(read_log());
    for (auto& [id, gathered] : by_id_) MAPFLOW_TRY(settle(gathered));
    std::ranges::stable_sort(result_.instances, {}, [](const RecoveredInstance& instance) {
      return instance.records.empty() ? UINT64_MAX : instance.uncovered_since;
    });
    return std::move(result_);
  }

 private:
  Status read_rows() {
    std::string after;
    while (true) {
      MAPFLOW_ASSIGN(std::vector<InstanceRow> rows, store_.unfinished(partition_, after, kRowsAtATime));
      for (InstanceRow& row : rows) take_row(row);
      if (rows.size() < kRowsAtATime) return {};
      after = std::move(rows.back().id);
    }
  }

  void take_row(const InstanceRow& row) {
    Gathered& gathered = by_id_[row.id];
    RecoveredInstance& instance = gathered.instance;
    instance.id = row.id;
    instance.has_row = true;
    instance.listed = parse_workflow_state(row.state).value_or(WorkflowState::pending);
    gathered.definition = row.definition;
    if (row.snapshot.empty()) return;
    Result<Snapshot> snapshot = decode_snapshot(row.snapshot);
    if (!snapshot) {
      gathered.fault = fail(std::move(snapshot).error());
      return;
    }
    instance.state = std::move(snapshot->state);
    instance.chunks = std::move(snapshot->chunks);
    instance.covered_seq = gathered.last_seq = row.seq;
    instance.snapshot_bytes = row.snapshot.size();
    if (instance.state.seq != row.seq) gathered.fault = fail(code::corrupt, "its row and its snapshot disagree");
  }

  Status read_log() {
    LogPosition from{1};
    while (true) {
      MAPFLOW_ASSIGN(const auto entries, store_.read_log(partition_, from, kLogBytesAtATime));
      if (entries.empty()) return {};
      for (const persistence::LogEntry& entry : entries) {
        const std::uint64_t offset = result_.ledger.found(entry.position, entry.bytes.size());
        Status read = read_batch(entry.bytes, [&](const RecordGroup& group) {
          take_group(group, offset);
          return Status{};
        });
        if (!read) {
          read.error().message =
              fmt::format("partition {}, log entry {}: {}", partition_.value, entry.position.value, read.error().message);
          return read;
        }
        from.value = entry.position.value + 1;
      }
    }
  }

  void take_group(const RecordGroup& group, std::uint64_t offset) {
    Gathered& gathered = by_id_[std::string(group.instance)];
    RecoveredInstance& instance = gathered.instance;
    if (instance.id.empty()) instance.id = group.instance;
    gathered.log_offset = std::min(gathered.log_offset, offset);
    const std::uint64_t last = group.first_seq + group.count - 1;
    if (last <= gathered.last_seq) return;  // the snapshot has it
    if (group.first_seq != gathered.last_seq + 1 && gathered.fault)
      gathered.fault = fail(code::corrupt, fmt::format("its records {} to {} are missing", gathered.last_seq + 1,
                                                       group.first_seq - 1));
    if (instance.records.empty()) instance.uncovered_since = offset;
    instance.records += group.records;
    gathered.last_seq = last;
  }

  /// Errors: only those that concern the whole partition.
  Status settle(Gathered& gathered) {
    RecoveredInstance& instance = gathered.instance;
    if (!instance.has_row) {
      const auto row = store_.instance(instance.id);
      if (row && row->finished) return {};  // its last records are still in the log, but it is done with
      if (!row && !row.error().is(code::not_found)) return fail(row.error());
    }
    Status replayed = gathered.fault ? rebuild(gathered) : gathered.fault;
    if (!replayed && replayed.error().is(code::unavailable)) return replayed;
    if (replayed) {
      result_.instances.push_back(std::move(instance));
    } else {
      result_.unreadable.emplace(instance.id, std::move(replayed).error());
      result_.ledger.pin(gathered.log_offset);
    }
    return {};
  }

  Status rebuild(Gathered& gathered) {
    RecoveredInstance& instance = gathered.instance;
    if (gathered.definition.empty()) {
      MAPFLOW_ASSIGN(gathered.definition, definition_of(instance.records));
    }
    MAPFLOW_ASSIGN(instance.program, programs_.find(gathered.definition));
    if (!instance.records.empty() && instance.covered_seq > 0) instance.base = kernel::encode_state(instance.state);
    MAPFLOW_TRY(replay(*instance.program, instance.state, instance.records));
    if (instance.state.seq != gathered.last_seq || instance.state.id != instance.id)
      return fail(code::corrupt, fmt::format("its records make it record {} of '{}'", instance.state.seq, instance.state.id));
    return {};
  }

  persistence::Store& store_;
  ProgramCache& programs_;
  const Partition partition_;
  std::unordered_map<std::string, Gathered> by_id_;
  RecoveredPartition result_;
};

}  // namespace

Result<RecoveredPartition> read_partition(persistence::Store& store, ProgramCache& programs, Partition partition) {
  return PartitionReader(store, programs, partition).read();
}

}  // namespace mapflow::engine
