// One entry of a partition's log: the records of many instances, decided in one turn.
//
//   block header │ group │ group │ …        group: instance id, first seq, count, length, records
//
// A group can be skipped without reading its records, so finding one instance's records in a log is cheap.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "kernel/record.h"

namespace mapflow::engine {

/// Writes log entries one after the other.
class BatchWriter {
 public:
  /// Appends records of one instance, the first of which is number `first_seq`. Gives their encoding, good until the
  /// next call.
  std::string_view add(std::string_view instance, std::uint64_t first_seq, std::span<const kernel::Record> records);
  bool empty() const { return bytes_.empty(); }
  std::size_t size() const { return bytes_.size(); }
  /// The finished entry; the writer is empty again. Empty when nothing was added.
  std::string take();

 private:
  std::string bytes_;
};

struct RecordGroup {
  std::string_view instance;
  std::uint64_t first_seq = 0;
  std::uint64_t count = 0;
  std::string_view records;  ///< encoded one after the other
};

/// Calls `visit` for every group, in order. The views point into `entry`. Errors: corrupt (nothing of the entry can
/// be trusted then), invalid_state when a newer version wrote it, and what `visit` gives.
Status read_batch(std::string_view entry, const std::function<Status(const RecordGroup&)>& visit);

}  // namespace mapflow::engine
