// Failures as Errors: the place in the file, the source line, the caret.
#pragma once

#include "jinja/failure.h"
#include "jinja/program.h"

namespace mapflow::jinja::detail {

/// The Error for a failure; `program` is what was rendered, for failures that do not name another.
Error to_error(const Failure& failure, const Program& program);

/// Where the character at an offset of the program's source stands in the file it came from.
Location place_of(const Program& program, std::uint32_t at);

}  // namespace mapflow::jinja::detail
