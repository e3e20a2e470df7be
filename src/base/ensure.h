// Checks of the program's own logic, on in every build.
//
// `ensure(condition, "why it must hold")` ends the process with the place when the condition is false. It is for
// facts that only a bug in this code can break. Bad input, failing disks and late messages are Errors, not ensures.
#pragma once

#include <source_location>

namespace mapflow {

[[noreturn]] void ensure_failed(const char* why, const std::source_location& at);

inline void ensure(bool condition, const char* why,
                   const std::source_location& at = std::source_location::current()) {
  if (!condition) [[unlikely]]
    ensure_failed(why, at);
}

}  // namespace mapflow
