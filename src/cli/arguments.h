// The words of a command line to the command they ask for. arguments.cpp is the only place that knows the
// command-line library.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "cli/options.h"

namespace mapflow::cli {

/// Somebody asked for help (or the version): print the text to standard output and end well.
struct Help {
  std::string text;
};

/// The command line makes no sense: a message of one line, and what to do instead.
struct UsageError {
  std::string message;
  std::string hint;
};

using Parsed = std::variant<Command, Help, UsageError>;

/// `words` are those after the program's name.
Parsed parse_arguments(const std::vector<std::string>& words);

}  // namespace mapflow::cli
