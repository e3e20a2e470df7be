#include "engine/row_writer.h"

#include <algorithm>
#include <utility>

#include "kernel/history.h"

namespace mapflow::engine {
namespace {

persistence::InstanceRow describe_row(persistence::Partition partition, const Instance& instance, Timestamp now) {
  const kernel::State& state = *instance.state;
  persistence::InstanceRow row;
  row.id = instance.id;
  row.partition = partition;
  row.workflow = state.workflow;
  row.version = state.version;
  row.definition = state.definition;
  row.state = to_string(state.state);
  row.finished = is_terminal(state.state);
  row.parent = state.parent_id;
  row.correlation_id = state.correlation_id;
  row.tags = state.tags;
  row.created = state.started;
  row.updated = now;
  row.wake_at = row.finished ? kNever : state.wake_at();
  return row;
}

void note_row(Instance& instance) {
  instance.has_row = true;
  instance.listed = instance.state->state;
  instance.row = Instance::Row::none;
  instance.tired = false;
}

bool holds_checkpoint(const kernel::State& state, const ChunkInfo& chunk) {
  return std::ranges::any_of(state.checkpoints, [&](const kernel::Checkpoint& each) {
    return chunk.first_seq <= each.seq && each.seq <= chunk.last_seq;
  });
}

/// The newest chunk always stays, and so do those with a checkpoint, for a rewind reads them.
void drop_old_chunks(persistence::Commit& commit, Instance& instance, std::size_t bound) {
  std::uint64_t newer = 0;
  std::vector<ChunkInfo> staying;
  for (auto chunk = instance.chunks.rbegin(); chunk != instance.chunks.rend(); ++chunk) {
    newer += chunk->bytes;
    if (chunk == instance.chunks.rbegin() || newer <= bound || holds_checkpoint(*instance.state, *chunk))
      staying.push_back(*chunk);
    else
      commit.history.push_back({instance.id, chunk->first_seq, chunk->last_seq, dropped_chunk()});
  }
  std::ranges::reverse(staying);
  instance.chunks = std::move(staying);
}

}  // namespace

void add_bare_row(persistence::Commit& commit, Instance& instance, Timestamp now) {
  commit.rows.push_back(describe_row(commit.lease.partition, instance, now));
  note_row(instance);
}

std::size_t add_checkpoint(persistence::Commit& commit, Instance& instance, Timestamp now, const ShardOptions& options) {
  if (!instance.records.empty()) {
    std::string chunk = encode_chunk(instance.base, instance.records);
    instance.chunks.push_back({instance.covered_seq + 1, instance.state->seq, chunk.size()});
    commit.history.push_back({instance.id, instance.covered_seq + 1, instance.state->seq, std::move(chunk)});
    drop_old_chunks(commit, instance, options.history_bytes);
  }
  persistence::InstanceRow row = describe_row(commit.lease.partition, instance, now);
  row.seq = instance.state->seq;
  row.snapshot = encode_snapshot(*instance.state, instance.chunks);
  if (options.details) row.details = kernel::details_json(*instance.program, *instance.state);
  instance.covered_seq = row.seq;
  instance.snapshot_bytes = row.snapshot.size();
  std::string().swap(instance.records);  // gives the memory back, which assigning an empty text would not
  std::string().swap(instance.base);
  commit.rows.push_back(std::move(row));
  note_row(instance);
  return instance.snapshot_bytes;
}

}  // namespace mapflow::engine
