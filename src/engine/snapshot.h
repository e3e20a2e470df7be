// What an instance's row and its history chunks hold, as bytes.
//
// A snapshot is the state after record `seq` and the list of the history chunks that are kept. A chunk is a run of
// records together with the state before them, so that each can be told to people without the ones before it. Both
// begin with a format byte and a checksum.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "kernel/state.h"
#include "persistence/store.h"

namespace mapflow::engine {

/// Records first_seq … last_seq are in the store's history under first_seq.
struct ChunkInfo {
  std::uint64_t first_seq = 0;
  std::uint64_t last_seq = 0;
  std::uint64_t bytes = 0;
  bool operator==(const ChunkInfo&) const = default;
};

struct Snapshot {
  kernel::State state;
  std::vector<ChunkInfo> chunks;
};

std::string encode_snapshot(const kernel::State& state, const std::vector<ChunkInfo>& chunks);
/// Errors: corrupt; invalid_state when a newer version wrote it.
Result<Snapshot> decode_snapshot(std::string_view bytes);
/// The snapshot in a row. Errors: also corrupt when the two disagree.
Result<Snapshot> read_snapshot(const persistence::InstanceRow& row);

/// The parts of a history chunk; they point into its bytes.
struct ChunkView {
  std::string_view base;     ///< the encoded state before the records; empty when they begin the instance
  std::string_view records;  ///< encoded one after the other
  bool dropped = false;      ///< its records were dropped to keep the history within its bound
};

std::string encode_chunk(std::string_view base, std::string_view records);
/// What a chunk is replaced by when its records are dropped.
std::string dropped_chunk();
/// Errors: corrupt; invalid_state when a newer version wrote it.
Result<ChunkView> decode_chunk(std::string_view bytes);

}  // namespace mapflow::engine
