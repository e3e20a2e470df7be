// What is wrong with a command line, in words that name the nearest right one.
#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <string>
#include <vector>

#include "cli/arguments.h"

namespace mapflow::cli {

/// The first word that stands where a verb must and is none.
std::optional<UsageError> unknown_verb(CLI::App& root, const std::vector<std::string>& words);

/// What the parser refused.
UsageError usage_error(const CLI::App& root, const CLI::ParseError& error);

}  // namespace mapflow::cli
