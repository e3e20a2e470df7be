// The errors of a step's blocks, for the error of the step itself.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace mapflow::steps {

using BlockErrors = std::vector<std::pair<std::uint32_t, Error>>;  ///< by slot

/// An error's details when several blocks failed: JSON {"errors": [{block, code, message, …}]}, the first hundred of
/// them, each with the name its slot is known by. Empty when there is only one: the cause says all of it.
std::string list_of(const BlockErrors& errors, const std::function<std::string(std::uint32_t slot)>& name);

}  // namespace mapflow::steps
