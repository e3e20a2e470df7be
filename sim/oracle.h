// What must come of a scenario, found out in the plainest way: one step after the other, each container by recursion.
//
// The oracle shares no code with the kernel. It knows no records, no time and no crashes; it walks the definition as
// semantics say and asks the script what the agents answer. Where timing decides (which branch of `any` wins, how far
// the others had come when one failed) it walks everything that might happen and says of each fact whether it must be
// or may be. Where timing would decide more than that, it says so (`ambiguous`), and nobody runs such a scenario.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/state.h"
#include "sim/scenario.h"
#include "value/value.h"

namespace mapflow::sim {

/// How often something happens.
struct Range {
  std::uint32_t least = 0;
  std::uint32_t most = 0;
};

/// What a result or variable may be in the end.
struct Alternatives {
  std::vector<Value> values;
  bool absent = false;  ///< it may also not be there
  bool any = false;     ///< whatever it is, timing decides it
};

/// A call, told apart by everything but the instance and the execution: "path attempt digest-of-data".
std::string call_name(const std::string& path, std::uint32_t attempt, const Value& data);

struct Expectation {
  std::set<WorkflowState> states;
  std::map<std::string, Alternatives> results;    ///< of the steps that are not inside a loop, by id
  std::map<std::string, Alternatives> variables;  ///< by dotted path, those that steps set
  std::map<std::string, Range> calls;             ///< by call_name: calls under different idempotency keys
  std::map<std::string, Range> errors;            ///< by code, in the instance's list
  std::map<std::string, Range> undone;            ///< by path of the compensated step
  std::map<std::string, std::uint32_t> signals;   ///< to be sent: how often each name is waited for
  Duration longest{};                             ///< from start to end, while nothing is down
  std::string ambiguous;                          ///< why this scenario cannot be judged; empty: it can
};

/// How much longer than planned anything may take because of faults. Time limits of a scenario are well above it, so
/// that they pass only where somebody is silent.
inline constexpr Duration kSlack = std::chrono::seconds(60);

/// `cancelled`: somebody may cancel the instance at any time, so that everything only may happen.
Expectation foresee(const Scenario& scenario, bool cancelled = false);

}  // namespace mapflow::sim
