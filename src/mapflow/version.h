// The version of the library. Semantic: before 1.0 a new minor version may change the interface.
#pragma once

#include <string_view>

namespace mapflow {

/// "0.1.0": of the library that the program runs with.
std::string_view version();

}  // namespace mapflow
