// Random scenarios: every step kind, every policy, nested at random, all from one seed.
//
// A scenario is only worth running when its outcome can be told beforehand, so the generator keeps to a few rules:
//   * a template names only what is there whatever happened before: nothing out of a branch that may not have run;
//   * a variable is set by one step only, and by none that may run more than once at the same time;
//   * agents' limits, budgets and turns come only where no step has a time limit, so that waiting changes no outcome;
//   * who never answers has a time limit, well above anything that faults can add to a call.
// What slips through (two branches that fail with different errors, say) the oracle finds ambiguous, and the generator
// tries again.
#pragma once

#include <cstdint>

#include "sim/oracle.h"
#include "sim/scenario.h"

namespace mapflow::sim {

struct Generated {
  Scenario scenario;
  Expectation expected;
  bool limited = false;  ///< agents have limits, the workflow a budget and turns: all of which can only delay it
};

struct Taste {
  unsigned most_steps = 24;
  Duration longest = std::chrono::minutes(15);  ///< of virtual time
  bool for_cancel = false;  ///< expect that somebody cancels it at any time
};

Generated generate(std::uint64_t seed, const Taste& taste = {});

}  // namespace mapflow::sim
