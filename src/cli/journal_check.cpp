#include "cli/journal_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "engine/batch.h"
#include "engine/engine.h"
#include "engine/replay.h"
#include "engine/snapshot.h"
#include "kernel/codec.h"

namespace mapflow::cli {

namespace {

constexpr std::size_t kRowsAtATime = 500;
constexpr std::size_t kLogBytesAtATime = 4u << 20;
constexpr int kTries = 3;

/// One instance's chunks of history, replayed one after the other.
class Chain {
 public:
  Chain(const kernel::Program& program, JournalReport& report) : program_(program), report_(report) {}

  Status add(const engine::ChunkInfo& info, const persistence::HistoryChunk& chunk) {
    MAPFLOW_ASSIGN(const engine::ChunkView view, engine::decode_chunk(chunk.records));
    if (view.dropped) {  // to keep the history within its bound
      reached_.reset();
      return {};
    }
    kernel::State state;
    if (!view.base.empty()) {
      MAPFLOW_ASSIGN(state, kernel::decode_state(view.base));
    }
    if (state.seq + 1 != info.first_seq) return broken(info.first_seq, "it does not begin where it says");
    if (reached_ && kernel::encode_state(*reached_) != kernel::encode_state(state))
      return broken(info.first_seq, "the records before it lead to another state than it begins with");
    MAPFLOW_TRY(engine::replay(program_, state, view.records));
    if (state.seq != info.last_seq) return broken(info.first_seq, "it does not end where it says");
    report_.records += info.last_seq - info.first_seq + 1;
    reached_ = std::move(state);
    return {};
  }

  Status leads_to(const kernel::State& snapshot) const {
    if (reached_ && kernel::encode_state(*reached_) != kernel::encode_state(snapshot))
      return fail(code::corrupt, fmt::format("its journal up to record {} leads to another state than its snapshot", snapshot.seq));
    return {};
  }

 private:
  static Status broken(std::uint64_t first_seq, std::string_view why) {
    return fail(code::corrupt, fmt::format("the history from record {} on: {}", first_seq, why));
  }

  const kernel::Program& program_;
  JournalReport& report_;
  std::optional<kernel::State> reached_ = kernel::State{};
};

class Checker {
 public:
  Checker(persistence::Store& store, const kernel::KindRegistry& kinds) : store_(store), kinds_(kinds) {}

  Result<JournalReport> run() {
    MAPFLOW_TRY(gather_rows());
    MAPFLOW_TRY(read_logs());
    for (const std::string& id : ids_) {
      if (auto sound = check(id); !sound) report_.problems.push_back({"instance " + id, sound.error()});
      ++report_.instances;
    }
    return std::move(report_);
  }

 private:
  Status gather_rows() {
    persistence::ListQuery query{.limit = kRowsAtATime};
    do {
      MAPFLOW_ASSIGN(const auto page, store_.list(query));
      for (const auto& row : page.rows) ids_.insert(row.id);
      query.cursor = page.next_cursor;
    } while (!query.cursor.empty());
    return {};
  }

  Status read_logs() {
    std::set<persistence::Partition> partitions;
    for (std::uint32_t i = 0; i < store_.shared_partitions(); ++i) partitions.insert(persistence::Partition(i));
    MAPFLOW_ASSIGN(const auto leases, store_.leases());
    for (const auto& lease : leases) partitions.insert(lease.partition);
    for (const auto partition : partitions) MAPFLOW_TRY(read_log(partition));
    return {};
  }

  Status read_log(persistence::Partition partition) {
    for (persistence::LogPosition from{1};;) {
      MAPFLOW_ASSIGN(const auto entries, store_.read_log(partition, from, kLogBytesAtATime));
      if (entries.empty()) return {};
      for (const auto& entry : entries) {
        ++report_.log_entries;
        const auto read = engine::read_batch(entry.bytes, [this](const engine::RecordGroup& group) {
          ids_.emplace(group.instance);
          return Status();
        });
        if (!read)
          report_.problems.push_back({fmt::format("partition {}, log entry {}", partition.value, entry.position.value), read.error()});
        from.value = entry.position.value + 1;
      }
    }
  }

  /// Whoever runs the instance may write a new snapshot between two reads: then it is looked at again.
  Status check(const std::string& id) {
    Status sound;
    for (int tries = 0; tries < kTries; ++tries) {
      const std::uint64_t replayed = report_.records;
      sound = check_once(id);
      if (sound) return sound;
      report_.records = replayed;
    }
    return sound;
  }

  Status check_once(const std::string& id) {
    MAPFLOW_ASSIGN(const StoredInstance whole, read_instance(store_, id, kinds_, true));
    const auto row = store_.instance(id);
    if (!row && !row.error().is(code::not_found)) return fail(row.error());
    std::uint64_t covered = 0;
    if (row && !row->snapshot.empty()) {
      covered = row->seq;
      MAPFLOW_TRY(check_snapshot(*row, *whole.program));
    }
    if (whole.state.seq < covered) return fail(code::corrupt, "it reads back older than its snapshot");
    report_.records += whole.state.seq - covered;  // replayed from the log by read_instance
    return {};
  }

  Status check_snapshot(const persistence::InstanceRow& row, const kernel::Program& program) {
    MAPFLOW_ASSIGN(const engine::Snapshot snapshot, engine::decode_snapshot(row.snapshot));
    if (snapshot.state.seq != row.seq || snapshot.state.id != row.id)
      return fail(code::corrupt, "its row and its snapshot disagree");
    MAPFLOW_ASSIGN(const auto chunks, store_.history(row.id));
    Chain chain(program, report_);
    for (const engine::ChunkInfo& info : snapshot.chunks) {
      const auto found = std::ranges::find(chunks, info.first_seq, &persistence::HistoryChunk::first_seq);
      if (found == chunks.end())
        return fail(code::corrupt, fmt::format("its history from record {} on is missing", info.first_seq));
      MAPFLOW_TRY(chain.add(info, *found));
    }
    return snapshot.chunks.empty() ? Status() : chain.leads_to(snapshot.state);
  }

  persistence::Store& store_;
  const kernel::KindRegistry& kinds_;
  std::set<std::string> ids_;
  JournalReport report_;
};

}  // namespace

Result<JournalReport> check_journals(persistence::Store& store, const kernel::KindRegistry& kinds) {
  return Checker(store, kinds).run();
}

}  // namespace mapflow::cli
