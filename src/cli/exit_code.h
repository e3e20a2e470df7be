// What the program's exit status says to scripts.
#pragma once

#include <cstdint>

#include "base/error.h"

namespace mapflow::cli {

enum class ExitCode : std::uint8_t {
  success = 0,        ///< for `run`: the workflow completed
  failed = 1,         ///< the workflow ended any other way, or is suspended; a check found something wrong
  usage = 2,          ///< bad usage, definition or input
  store = 3,          ///< the store cannot be reached, read or written
  interrupted = 130,  ///< by Ctrl-C or SIGTERM; the instance stays
};

/// The exit code of a request that an engine or a store refused.
ExitCode exit_code_of(const Error& error);

}  // namespace mapflow::cli
