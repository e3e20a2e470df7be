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

}  // namespace mapflow::sim
