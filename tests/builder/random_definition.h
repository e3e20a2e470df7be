// Definitions by chance, for properties that every definition must have.
#pragma once

#include <cstdint>

#include "model/definition.h"

namespace mapflow::test {

/// A sound definition of the test catalog's kinds; the same for the same seed.
Definition random_definition(std::uint32_t seed);

/// Member by member, places left aside.
bool same(const Definition& a, const Definition& b);

}  // namespace mapflow::test
