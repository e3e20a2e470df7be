// Compares how an instance ended with what the oracle foresaw.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "kernel/state.h"
#include "sim/oracle.h"

namespace mapflow::sim {

/// Calls that agents and handlers got: by call_name, the idempotency keys under which.
using Calls = std::map<std::string, std::set<std::string>>;

/// One line per difference; empty when everything is as foreseen. `rewinds`: how often the instance was taken back, and
/// so may have made each call once more.
std::vector<std::string> judge(const Expectation& expected, const kernel::State& ended, const Calls& calls, std::uint32_t rewinds = 0);

}  // namespace mapflow::sim
