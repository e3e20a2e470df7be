#include "engine/snapshot.h"

#include <fmt/format.h>

#include "engine/block.h"
#include "kernel/codec.h"

namespace mapflow::engine {
namespace {

constexpr char kSnapshotFormat = 1;
constexpr char kChunkFormat = 1;
constexpr std::uint64_t kKept = 0, kDropped = 1;

Result<ChunkInfo> decode_chunk_info(std::string_view& bytes) {
  ChunkInfo chunk;
  MAPFLOW_ASSIGN(chunk.first_seq, kernel::decode_number(bytes));
  MAPFLOW_ASSIGN(chunk.last_seq, kernel::decode_number(bytes));
  MAPFLOW_ASSIGN(chunk.bytes, kernel::decode_number(bytes));
  return chunk;
}

}  // namespace

std::string encode_snapshot(const kernel::State& state, const std::vector<ChunkInfo>& chunks) {
  std::string out;
  begin_block(out);
  kernel::encode_number(out, chunks.size());
  for (const ChunkInfo& chunk : chunks) {
    kernel::encode_number(out, chunk.first_seq);
    kernel::encode_number(out, chunk.last_seq);
    kernel::encode_number(out, chunk.bytes);
  }
  out += kernel::encode_state(state);
  seal_block(out, kSnapshotFormat);
  return out;
}

Result<Snapshot> decode_snapshot(std::string_view bytes) {
  MAPFLOW_ASSIGN(std::string_view inside, open_block(bytes, kSnapshotFormat, "snapshot"));
  Snapshot snapshot;
  MAPFLOW_ASSIGN(const std::uint64_t count, kernel::decode_number(inside));
  for (std::uint64_t chunk = 0; chunk < count; ++chunk) {
    MAPFLOW_ASSIGN(const ChunkInfo info, decode_chunk_info(inside));
    snapshot.chunks.push_back(info);
  }
  MAPFLOW_ASSIGN(snapshot.state, kernel::decode_state(inside));
  return snapshot;
}

Result<Snapshot> read_snapshot(const persistence::InstanceRow& row) {
  MAPFLOW_ASSIGN(Snapshot snapshot, decode_snapshot(row.snapshot));
  if (snapshot.state.seq != row.seq || snapshot.state.id != row.id)
    return fail(code::corrupt, fmt::format("its snapshot is record {} of '{}', not record {}", snapshot.state.seq,
                                           snapshot.state.id, row.seq));
  return snapshot;
}

std::string encode_chunk(std::string_view base, std::string_view records) {
  std::string out;
  out.reserve(kHeaderBytes + 8 + base.size() + records.size());
  begin_block(out);
  kernel::encode_number(out, kKept);
  kernel::encode_text(out, base);
  out += records;
  seal_block(out, kChunkFormat);
  return out;
}

std::string dropped_chunk() {
  std::string out;
  begin_block(out);
  kernel::encode_number(out, kDropped);
  seal_block(out, kChunkFormat);
  return out;
}

Result<ChunkView> decode_chunk(std::string_view bytes) {
  MAPFLOW_ASSIGN(std::string_view inside, open_block(bytes, kChunkFormat, "history chunk"));
  MAPFLOW_ASSIGN(const std::uint64_t kind, kernel::decode_number(inside));
  ChunkView chunk;
  chunk.dropped = kind == kDropped;
  if (chunk.dropped) return chunk;
  MAPFLOW_ASSIGN(chunk.base, kernel::decode_text(inside));
  chunk.records = inside;
  return chunk;
}

}  // namespace mapflow::engine
