// The version of this program.
#pragma once

#include <string>

namespace mapflow::cli {

/// "mapflow 0.1.0".
std::string version_line();

}  // namespace mapflow::cli
