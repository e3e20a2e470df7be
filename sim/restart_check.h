// A restart after every single record: whatever had been recorded, what follows leads to the foreseen end.
//
// One instance runs once without a break, its decisions cut as small as decisions can be, so that nearly every record is a
// commit of its own. (What a commit holds the store has as a whole or not at all: a restart never sees a part of it.) Then,
// for every one of these commits, an instance is read back from the records up to there, is told to recover, and runs to its
// end. At last one instance is read back after every decision of its whole life.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mapflow::sim {

struct RestartOutcome {
  std::size_t records = 0;            ///< of the run without a break
  std::size_t commits = 0;            ///< that they came in
  std::size_t restarts = 0;
  std::vector<std::string> problems;  ///< empty: passed
};

RestartOutcome check_restarts(std::uint64_t seed);

}  // namespace mapflow::sim
