// A workflow to be run, the agents it will meet, and what must come of it.
#pragma once

#include <cstdint>
#include <string>

#include <vector>

#include "model/definition.h"
#include "sim/script.h"
#include "value/value.h"

namespace mapflow::sim {

struct Scenario {
  std::uint64_t seed = 0;
  Definition definition;
  std::vector<Definition> children;  ///< what its sub-workflows are
  Value input;
  Script script;
};

/// Calls `function` for every step in the block, parents last.
template <class Function>
void every_step(Block& block, const Function& function) {
  for (Step& step : block) {
    for (Branch& branch : step.branches) every_step(branch.steps, function);
    for (Branch& hook : step.hooks) every_step(hook.steps, function);
    function(step);
  }
}

}  // namespace mapflow::sim
