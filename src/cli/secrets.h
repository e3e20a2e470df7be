// Where `run` finds secrets: MAPFLOW_SECRET_<NAME> in the environment, and a dotenv file, which goes first.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/error.h"

namespace mapflow::cli {

/// Secrets by lower-case name.
using Secrets = std::map<std::string, std::string>;

/// Reads dotenv text: `NAME=VALUE` a line, `#` comments, `export` before the name; a value may stand in single quotes
/// (as it is) or double quotes (with \n \t \" \\ \$). Names may carry the MAPFLOW_SECRET_ prefix.
/// Errors: invalid_input with the place.
Result<Secrets> parse_secrets(std::string_view text, const std::string& file);

/// All of them; an empty path means there is no file. Errors: those of read_text and parse_secrets.
Result<Secrets> load_secrets(const std::string& path);

}  // namespace mapflow::cli
