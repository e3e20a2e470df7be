// A commit made ready for writing: what is long is compressed, on the thread that asks and not on the one writer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "persistence/store.h"

namespace mapflow::persistence {

struct PackedCommit {
  Commit commit;                          ///< its history as it is to be stored
  std::vector<std::string_view> encoding; ///< by history chunk: "raw" or "zstd"

  /// About how many bytes writing it takes.
  std::size_t size_bytes() const;
};

PackedCommit pack(Commit commit);

/// The records of a chunk again. Errors: corrupt, saying why.
Result<std::string> unpack_records(std::string_view encoding, std::string_view bytes);

}  // namespace mapflow::persistence
