// Scenarios whose end nobody can foresee: limits bite, and there are steps that the oracle does not know.
#pragma once

#include <cstdint>

#include "sim/generator.h"

namespace mapflow::sim {

Generated make_unforeseen(std::uint64_t seed, const Taste& taste);

}  // namespace mapflow::sim
