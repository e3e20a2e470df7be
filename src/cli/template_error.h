// What is wrong with a template, with the line of its text and a caret.
#pragma once

#include "cli/console.h"

namespace mapflow::cli {

/// To standard error. `place`: also says file, line and column.
void print_template_error(Console& console, const Error& error, bool place);

}  // namespace mapflow::cli
