#include "engine/stored_instance.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/batch.h"
#include "engine/member.h"
#include "engine/replay.h"
#include "engine/snapshot.h"
#include "kernel/codec.h"
#include "kernel/machine.h"

namespace mapflow::engine {

using persistence::InstanceRow;
using persistence::Partition;

namespace {

constexpr std::size_t kLogBytesAtATime = 4u << 20;
constexpr int kTries = 20;

/// The row and log of one instance as they were at one moment.
struct Stored {
  std::optional<InstanceRow> row;
  std::uint64_t first_seq = 0;  ///< of `records`
  std::string records;
};

/// Appends the records after `covered` that the partition's log has of the instance.
Status gather(persistence::Store& store, Partition partition, std::string_view id, std::uint64_t covered, Stored& found) {
  std::uint64_t last = covered;
  persistence::LogPosition from{1};
  while (true) {
    MAPFLOW_ASSIGN(const auto entries, store.read_log(partition, from, kLogBytesAtATime));
    if (entries.empty()) return {};
    for (const persistence::LogEntry& entry : entries) {
      MAPFLOW_TRY(read_batch(entry.bytes, [&](const RecordGroup& group) -> Status {
        if (group.instance != id || group.first_seq + group.count - 1 <= last) return {};
        if (group.first_seq != last + 1)
          return fail(code::corrupt, fmt::format("instance '{}': records {} to {} are missing", id, last + 1, group.first_seq - 1));
        found.records += group.records;
        last = group.first_seq + group.count - 1;
        return {};
      }));
      from.value = entry.position.value + 1;
    }
  }
}

Result<std::optional<InstanceRow>> find_row(persistence::Store& store, std::string_view id) {
  auto row = store.instance(id);
  if (row) return std::optional(*std::move(row));
  if (row.error().is(code::not_found)) return std::nullopt;
  return fail(std::move(row).error());
}

/// The owner may put a new snapshot into the row and drop the log behind it between our two looks. So the row is
/// looked at before and after: while it stays the same, the log has everything behind it.
Result<Stored> read_stored(persistence::Store& store, std::string_view id) {
  for (int attempt = 0; attempt < kTries; ++attempt) {
    Stored found;
    MAPFLOW_ASSIGN(found.row, find_row(store, id));
    const Partition partition = found.row ? found.row->partition : shared_partition_of(id, store.shared_partitions());
    const std::uint64_t covered = found.row ? found.row->seq : 0;
    found.first_seq = covered + 1;
    Status gathered = found.row && found.row->finished ? Status{} : gather(store, partition, id, covered, found);
    MAPFLOW_ASSIGN(const std::optional<InstanceRow> again, find_row(store, id));
    if (again.has_value() != found.row.has_value() || (again && again->seq != covered)) continue;
    MAPFLOW_TRY(gathered);
    if (!found.row && found.records.empty()) return fail(code::not_found, fmt::format("no instance '{}'", id));
    return found;
  }
  return fail(code::unavailable, fmt::format("instance '{}' changes faster than it can be read", id));
}

/// Appends the events of records, which begin at `state`; leaves the state behind them.
Status describe_records(const kernel::Program& program, kernel::State& state, std::string_view records,
                        std::vector<kernel::Event>& events) {
  return replay(program, state, records, [&](const kernel::State& before, const kernel::Record& record) {
    events.push_back(kernel::describe(program, before, record));
  });
}

/// The records that left the log.
Status describe_history(persistence::Store& store, const kernel::Program& program, const InstanceRow& row,
                        std::vector<kernel::Event>& events) {
  MAPFLOW_ASSIGN(const auto chunks, store.history(row.id));
  for (const persistence::HistoryChunk& stored : chunks) {
    if (stored.first_seq > row.seq) break;  // newer than the row we hold
    MAPFLOW_ASSIGN(const ChunkView chunk, decode_chunk(stored.records));
    if (chunk.dropped) continue;
    kernel::State state;
    if (!chunk.base.empty()) {
      MAPFLOW_ASSIGN(state, kernel::decode_state(chunk.base));
    }
    MAPFLOW_TRY(describe_records(program, state, chunk.records, events));
  }
  return {};
}

Result<ProgramPtr> program_of(const Stored& stored, ProgramCache& programs) {
  if (stored.row) return programs.find(stored.row->definition);
  MAPFLOW_ASSIGN(const std::string hash, definition_of(stored.records));
  return programs.find(hash);
}

Status decode_all(std::string_view bytes, std::vector<kernel::Record>& records) {
  for (kernel::RecordReader reader(bytes); !reader.done();) {
    MAPFLOW_ASSIGN(auto record, reader.next());
    records.push_back(std::move(record));
  }
  return {};
}

}  // namespace

Result<Journal> read_journal(persistence::Store& store, ProgramCache& programs, std::string_view id) {
  MAPFLOW_ASSIGN(const Stored stored, read_stored(store, id));
  Journal journal;
  MAPFLOW_ASSIGN(journal.program, program_of(stored, programs));
  if (stored.row && stored.row->seq > 0) {
    MAPFLOW_ASSIGN(const auto chunks, store.history(id));
    for (const persistence::HistoryChunk& chunk : chunks) {
      if (chunk.first_seq > stored.row->seq) break;
      MAPFLOW_ASSIGN(const ChunkView view, decode_chunk(chunk.records));
      if (view.dropped) continue;
      if (chunk.first_seq != journal.records.size() + 1) break;
      MAPFLOW_TRY(decode_all(view.records, journal.records));
    }
  }
  if (stored.first_seq != journal.records.size() + 1)
    return fail(code::not_found, fmt::format("the journal of instance '{}' is not kept from its start", id),
                "its history is longer than the store keeps of one instance");
  MAPFLOW_TRY(decode_all(stored.records, journal.records));
  return journal;
}

Result<kernel::ChildEnded> read_child_end(persistence::Store& store, ProgramCache& programs, std::string_view id) {
  MAPFLOW_ASSIGN(const Journal journal, read_journal(store, programs, id));
  kernel::State state;
  for (const kernel::Record& record : journal.records) {
    kernel::apply(*journal.program, state, record);
    if (is_terminal(state.state)) return kernel::child_ended(*journal.program, state);
  }
  return fail(code::not_found, fmt::format("instance '{}' is not over", id));
}

Result<StoredInstance> read_stored_instance(persistence::Store& store, ProgramCache& programs, std::string_view id,
                                            bool events) {
  MAPFLOW_ASSIGN(Stored stored, read_stored(store, id));
  StoredInstance instance;
  MAPFLOW_ASSIGN(instance.program, program_of(stored, programs));
  if (stored.row && !stored.row->snapshot.empty()) {
    MAPFLOW_ASSIGN(Snapshot snapshot, decode_snapshot(stored.row->snapshot));
    instance.state = std::move(snapshot.state);
    if (events) MAPFLOW_TRY(describe_history(store, *instance.program, *stored.row, instance.events));
  }
  if (events)
    MAPFLOW_TRY(describe_records(*instance.program, instance.state, stored.records, instance.events));
  else
    MAPFLOW_TRY(replay(*instance.program, instance.state, stored.records));
  return instance;
}

}  // namespace mapflow::engine

namespace mapflow {

Result<StoredInstance> read_instance(persistence::Store& store, std::string_view id, const kernel::KindRegistry& kinds,
                                     bool events) {
  engine::ProgramCache programs(kinds, store);
  return engine::read_stored_instance(store, programs, id, events);
}

}  // namespace mapflow
