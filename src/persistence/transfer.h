// A whole store as a file of no particular backend, and back: every instance with its history, the log behind their
// snapshots, the definitions and the commands that wait. Nothing is interpreted, so nothing can be lost on the way.
//
//   magic line │ length, zstd frame │ length, zstd frame │ …        the last one counts what came before
#pragma once

#include <cstdint>
#include <iosfwd>

#include "persistence/store.h"

namespace mapflow::persistence {

struct TransferReport {
  std::uint64_t instances = 0;
  std::uint64_t definitions = 0;
  std::uint64_t log_entries = 0;
  std::uint64_t commands = 0;
};

/// Writes all of the store. `now` tells which leases run. Errors: conflict while a node runs any partition;
/// unavailable when `out` fails.
Result<TransferReport> export_store(Store& store, std::ostream& out, Timestamp now);

/// How many shared partitions a store for this file must have. Leaves `in` at its beginning. Errors: corrupt; invalid_state when
/// a newer program wrote it.
Result<std::uint32_t> exported_partitions(std::istream& in);

/// Fills an empty store. What does not end in an error is there completely; after one the store is to be thrown away.
/// Errors: conflict when the store is not empty; invalid_input when it has another number of shared partitions;
/// corrupt when the file was cut short, damaged, or is none; invalid_state when a newer program wrote it.
Result<TransferReport> import_store(Store& store, std::istream& in);

}  // namespace mapflow::persistence
