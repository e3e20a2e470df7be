// Whether a store holds together: every log entry reads back, every journal replays, and leads to its snapshot.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "kernel/step_kind.h"
#include "persistence/store.h"

namespace mapflow::cli {

struct JournalProblem {
  std::string where;  ///< "instance demo", "partition 3, log entry 17"
  Error error;
};

struct JournalReport {
  std::uint64_t instances = 0;
  std::uint64_t records = 0;      ///< replayed
  std::uint64_t log_entries = 0;
  std::vector<JournalProblem> problems;
};

/// Reads the whole store. Other processes may go on writing to it. Errors: what keeps it from being read at all.
Result<JournalReport> check_journals(persistence::Store& store, const kernel::KindRegistry& kinds);

}  // namespace mapflow::cli
