// A workflow to be run, the agents it will meet, and what must come of it.
#pragma once

#include <cstdint>
#include <string>

#include "model/definition.h"
#include "sim/script.h"
#include "value/value.h"

namespace mapflow::sim {

struct Scenario {
  std::uint64_t seed = 0;
  Definition definition;
  Value input;
  Script script;
};

}  // namespace mapflow::sim
