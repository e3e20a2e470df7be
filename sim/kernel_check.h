// One instance through the kernel alone: no store, no nodes, but crashes after any decision, calls answered in any
// order, late, doubled or never, decisions cut short, and time that goes by in jumps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mapflow::sim {

struct KernelOutcome {
  std::uint64_t hash = 0;             ///< over all records, encoded
  std::vector<std::string> problems;  ///< empty: passed
};

/// `verbose`: prints what happens.
KernelOutcome check_kernel(std::uint64_t seed, bool verbose = false);

}  // namespace mapflow::sim
