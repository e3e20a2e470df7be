#include "persistence/packed_commit.h"

#include <fmt/format.h>

#include <utility>

#include "persistence/compression.h"

namespace mapflow::persistence {
namespace {

/// Shorter chunks are kept as they are.
constexpr std::size_t kCompressFrom = 1024;
/// What a row takes beside its snapshot, about.
constexpr std::size_t kRowBytes = 500;

}  // namespace

std::size_t PackedCommit::size_bytes() const {
  std::size_t bytes = commit.log.size();
  for (const InstanceRow& row : commit.rows) bytes += row.snapshot.size() + kRowBytes;
  for (const HistoryChunk& chunk : commit.history) bytes += chunk.records.size();
  return bytes;
}

PackedCommit pack(Commit commit) {
  PackedCommit packed{std::move(commit), {}};
  Compressor compressor;
  for (HistoryChunk& chunk : packed.commit.history) {
    std::string smaller = chunk.records.size() >= kCompressFrom ? compressor.compress(chunk.records) : std::string();
    const bool worth_it = !smaller.empty() && smaller.size() < chunk.records.size();
    if (worth_it) chunk.records = std::move(smaller);
    packed.encoding.push_back(worth_it ? "zstd" : "raw");
  }
  return packed;
}

Result<std::string> unpack_records(std::string_view encoding, std::string_view bytes) {
  if (encoding == "raw") return std::string(bytes);
  if (encoding == "zstd") return decompress(bytes);
  return fail(code::corrupt, fmt::format("unknown encoding '{}'", encoding));
}

}  // namespace mapflow::persistence
