// The input of an instance from `--input FILE` and `-i key=value`.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/error.h"
#include "value/value.h"

namespace mapflow::cli {

/// Lays `key=value` over `input` in order: the value is JSON if it parses as JSON, else text; a dotted key reaches
/// into objects. Errors: invalid_input.
Status add_inputs(Value& input, const std::vector<std::string>& assignments);

/// A JSON object from a file, "-" for standard input. Errors: as read_text(); invalid_input with the place.
Result<Value> read_object(const std::string& path);

/// The whole input: null when nothing was given at all. Errors: those above; invalid_input past `most_bytes` as JSON.
Result<Value> read_input(const std::string& path, const std::vector<std::string>& assignments, std::size_t most_bytes);

/// A value of any type: from a word (JSON if it parses as JSON, else text), a file, or put together from `key=value`; null
/// when nothing was given. Errors: those above; invalid_input when several of the three were given.
Result<Value> read_payload(const std::string& word, const std::string& path, const std::vector<std::string>& assignments);

}  // namespace mapflow::cli
