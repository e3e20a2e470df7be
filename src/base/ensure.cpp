#include "base/ensure.h"

#include <cstdio>
#include <cstdlib>

namespace mapflow {

void ensure_failed(const char* why, const std::source_location& at) {
  std::fprintf(stderr, "mapflow: internal error: %s\n  at %s:%u (%s)\n", why, at.file_name(), at.line(),
               at.function_name());
  std::abort();
}

}  // namespace mapflow
