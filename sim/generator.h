// Random scenarios: every step kind, every policy, nested at random, all from one seed.
//
// A scenario is only worth running when its outcome can be told beforehand, so the generator keeps to a few rules:
//   * a template names only what is there whatever happened before: nothing out of a branch that may not have run;
//   * a variable is set by one step only, and by none that may run more than once at the same time;
//   * agents' limits, budgets and turns come only where no step has a time limit, so that waiting changes no outcome;
//   * who answers by token answers too late only where no other attempt may take it;
//   * who never answers has a time limit, well above anything that faults can add to a call.
// Where nobody needs to know the outcome beforehand (Taste::foreseen), the rules are broken: budgets run out, circuits open,
// and there are sub-workflows and waits for what people do, which the oracle does not know.
// What slips through (two branches that fail with different errors, say) the oracle finds ambiguous, and the generator
// tries again.
#pragma once

#include <cstdint>

#include "sim/oracle.h"
#include "sim/scenario.h"

namespace mapflow::sim {

/// What limits of agents, budgets and turns can do.
enum class Bite : std::uint8_t {
  none,    ///< there are none
  delays,  ///< they can only delay
  fails,   ///< budgets are used up, circuits open, lines overflow
};

struct Generated {
  Scenario scenario;
  Expectation expected;
  bool foreseen = true;  ///< false: what comes of it follows from when things happen
  Bite limits = Bite::none;
};

struct Taste {
  unsigned most_steps = 24;
  Duration longest = std::chrono::minutes(15);  ///< of virtual time
  bool for_cancel = false;  ///< expect that somebody cancels it at any time
  bool foreseen = true;     ///< false: anything goes, and the oracle is not asked
};

Generated generate(std::uint64_t seed, const Taste& taste = {});

}  // namespace mapflow::sim
