#include "engine/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/batch.h"
#include "engine/replay.h"
#include "engine/residence.h"
#include "kernel/codec.h"
#include "kernel/machine.h"

namespace mapflow::engine {
namespace {

using persistence::InstanceRow;
using persistence::LogPosition;
using persistence::Partition;

constexpr std::size_t kRowsAtATime = 256;
constexpr std::size_t kLogBytesAtATime = 4u << 20;

/// Records of one instance in one log entry.
struct Piece {
  std::uint64_t first_seq = 0;
  std::uint64_t last_seq = 0;
  std::uint64_t offset = 0;     ///< of the entry, in the ledger
  std::string records;
};

/// An instance while it is put together.
struct Gathered {
  std::vector<Piece> pieces;    ///< in the order of the log
  std::optional<InstanceRow> row;
};

/// What its row says of an instance.
RecoveredInstance listed(const InstanceRow& row) {
  RecoveredInstance instance;
  instance.id = row.id;
  instance.has_row = true;
  instance.listed = parse_workflow_state(row.state).value_or(WorkflowState::pending);
  if (row.snapshot.empty()) return instance;
  instance.covered_seq = row.seq;
  instance.snapshot_bytes = row.snapshot.size();
  return instance;
}

/// Takes an instance that only its row is about. False: it is to be rebuilt.
using TakeRow = std::function<Result<bool>(const InstanceRow& row)>;

/// The log comes first: it is bounded, and says which rows are not all there is of their instances.
class PartitionReader {
 public:
  PartitionReader(persistence::Store& store, ProgramCache& programs, Partition partition)
      : store_(store), programs_(programs), partition_(partition) {}

  /// Gives what was rebuilt. What `take` gave errors for is unreadable.
  Result<RecoveredPartition> read(const TakeRow& take) {
    MAPFLOW_TRY(read_log());
    MAPFLOW_TRY(read_rows(take));
    for (auto& [id, gathered] : by_id_) MAPFLOW_TRY(settle(id, gathered));
    return std::move(result_);
  }

 private:
  Status read_log() {
    LogPosition from{1};
    while (true) {
      MAPFLOW_ASSIGN(const auto entries, store_.read_log(partition_, from, kLogBytesAtATime));
      if (entries.empty()) return {};
      for (const persistence::LogEntry& entry : entries) {
        const std::uint64_t offset = result_.ledger.found(entry.position, entry.bytes.size());
        Status read = read_batch(entry.bytes, [&](const RecordGroup& group) {
          by_id_[std::string(group.instance)].pieces.push_back(
              {group.first_seq, group.first_seq + group.count - 1, offset, std::string(group.records)});
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

  Status read_rows(const TakeRow& take) {
    std::string after;
    while (true) {
      MAPFLOW_ASSIGN(std::vector<InstanceRow> rows, store_.unfinished(partition_, after, kRowsAtATime));
      const bool last = rows.size() < kRowsAtATime;
      if (!rows.empty()) after = rows.back().id;
      for (InstanceRow& row : rows) MAPFLOW_TRY(take_row(std::move(row), take));
      if (last) return {};
    }
  }

  /// Errors: only those that concern the whole partition.
  Status take_row(InstanceRow row, const TakeRow& take) {
    if (!row.snapshot.empty() && !by_id_.contains(row.id)) {
      auto taken = take(row);
      if (!taken) return give_up(row.id, UINT64_MAX, std::move(taken).error());
      if (*taken) return {};
    }
    by_id_[row.id].row = std::move(row);
    return {};
  }

  /// Errors: only those that concern the whole partition.
  Status settle(const std::string& id, Gathered& gathered) {
    auto rebuilt = rebuild(id, gathered);
    if (rebuilt) {
      // Its end came with its row, so its last records may still be in the log, but it is done with.
      const bool over = !gathered.row && is_terminal(rebuilt->state->state);
      if (!over) result_.instances.push_back(*std::move(rebuilt));
      return {};
    }
    if (!gathered.row) {
      const auto row = store_.instance(id);
      if (row && row->finished) return {};  // as above, when the log does not go back to its beginning
      if (!row && !row.error().is(code::not_found)) return fail(row.error());
    }
    return give_up(id, gathered.pieces.empty() ? UINT64_MAX : gathered.pieces.front().offset, std::move(rebuilt).error());
  }

  /// Errors: only those that concern the whole partition.
  Status give_up(const std::string& id, std::uint64_t log_offset, Error why) {
    if (why.is(code::unavailable)) return fail(std::move(why));
    result_.unreadable.emplace(id, std::move(why));
    result_.ledger.pin(log_offset);
    return {};
  }

  Result<RecoveredInstance> rebuild(const std::string& id, Gathered& gathered) {
    RecoveredInstance instance = gathered.row ? listed(*gathered.row) : RecoveredInstance{};
    instance.id = id;
    instance.state = std::make_unique<kernel::State>();
    std::string definition;
    if (gathered.row) {
      definition = gathered.row->definition;
      if (!gathered.row->snapshot.empty()) {
        MAPFLOW_ASSIGN(Snapshot snapshot, read_snapshot(*gathered.row));
        *instance.state = std::move(snapshot.state);
        instance.chunks = std::move(snapshot.chunks);
      }
    }
    MAPFLOW_ASSIGN(const std::uint64_t last_seq, add_records(instance, gathered.pieces));
    if (definition.empty()) {
      MAPFLOW_ASSIGN(definition, definition_of(instance.records));
    }
    MAPFLOW_ASSIGN(instance.program, programs_.find(definition));
    if (!instance.records.empty() && instance.covered_seq > 0) instance.base = kernel::encode_state(*instance.state);
    MAPFLOW_TRY(replay(*instance.program, *instance.state, instance.records));
    if (instance.state->seq != last_seq || instance.state->id != id)
      return fail(code::corrupt, fmt::format("its records make it record {} of '{}'", instance.state->seq, instance.state->id));
    return instance;
  }

  /// Appends the records that the snapshot does not have. Gives the number of the last one.
  static Result<std::uint64_t> add_records(RecoveredInstance& instance, const std::vector<Piece>& pieces) {
    std::uint64_t last = instance.covered_seq;
    for (const Piece& piece : pieces) {
      if (piece.last_seq <= last) continue;
      if (piece.first_seq != last + 1)
        return fail(code::corrupt, fmt::format("its records {} to {} are missing", last + 1, piece.first_seq - 1));
      if (instance.records.empty()) instance.uncovered_since = piece.offset;
      instance.records += piece.records;
      last = piece.last_seq;
    }
    return last;
  }

  persistence::Store& store_;
  ProgramCache& programs_;
  const Partition partition_;
  std::unordered_map<std::string, Gathered> by_id_;
  RecoveredPartition result_;
};

/// Whether nothing is to be done for an instance that was read back, before its timer is due.
bool is_still(const kernel::Program& program, kernel::State state) {
  const kernel::Commit commit = kernel::decide(program, state, kernel::Recover{}, Timestamp{});
  return commit.records.empty() && commit.effects.empty() && !commit.more;
}

}  // namespace

Result<RecoveredPartition> read_partition(persistence::Store& store, ProgramCache& programs, Partition partition,
                                          const RecoveryOptions& options) {
  std::vector<RecoveredInstance> asleep;
  std::size_t taken = 0;
  // Children and those that take turns do not sleep (see Tenure::could_sleep).
  const TakeRow leave_asleep = [&](const InstanceRow& row) -> Result<bool> {
    if (!row.parent.empty()) return false;
    MAPFLOW_ASSIGN(ProgramPtr program, programs.find(row.definition));
    if (program->definition().concurrency) return false;
    RecoveredInstance instance = listed(row);
    if (options.calls) {
      MAPFLOW_ASSIGN(Snapshot snapshot, read_snapshot(row));
      instance.wake_at = snapshot.state.wake_at();
      instance.still = is_still(*program, std::move(snapshot.state));
      const std::size_t bytes = footprint_of(row.snapshot.size());
      if (!instance.still && taken + bytes <= options.memory_bytes) {
        taken += bytes;
        return false;
      }
    }
    instance.program = std::move(program);
    asleep.push_back(std::move(instance));
    return true;
  };
  MAPFLOW_ASSIGN(RecoveredPartition found, PartitionReader(store, programs, partition).read(leave_asleep));
  std::ranges::move(asleep, std::back_inserter(found.instances));
  std::ranges::stable_sort(found.instances, {}, [](const RecoveredInstance& instance) {
    return instance.records.empty() ? UINT64_MAX : instance.uncovered_since;
  });
  return found;
}

Result<std::vector<std::string>> visit_unfinished(persistence::Store& store, ProgramCache& programs, Partition partition,
                                                  std::string_view workflow, const StateVisitor& visit) {
  const auto wanted = [workflow](const std::string& name) { return workflow.empty() || name == workflow; };
  const TakeRow show = [&](const InstanceRow& row) -> Result<bool> {
    if (!wanted(row.workflow)) return true;
    MAPFLOW_ASSIGN(const ProgramPtr program, programs.find(row.definition));
    MAPFLOW_ASSIGN(const Snapshot snapshot, read_snapshot(row));
    visit(*program, snapshot.state);
    return true;
  };
  MAPFLOW_ASSIGN(const RecoveredPartition found, PartitionReader(store, programs, partition).read(show));
  for (const RecoveredInstance& instance : found.instances)
    if (wanted(instance.state->workflow)) visit(*instance.program, *instance.state);
  std::vector<std::string> unreadable;
  for (const auto& [id, error] : found.unreadable) unreadable.push_back(id);
  return unreadable;
}

}  // namespace mapflow::engine
