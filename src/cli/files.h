// Whole files as texts.
#pragma once

#include <cstddef>
#include <string>

#include "base/error.h"

namespace mapflow::cli {

inline constexpr std::size_t kLargestFile = 64u << 20;

/// The bytes of a file; "-" is standard input. Errors: not_found; invalid_input (a folder, not readable, or more than
/// `limit` bytes); each names the file.
Result<std::string> read_text(const std::string& path, std::size_t limit = kLargestFile);

/// Makes the file, or replaces its text, in one step: a crash leaves the old one or the new one. Of a link: the file that it
/// points to. Errors: unavailable, naming the file.
Status write_text(const std::string& path, const std::string& text);

}  // namespace mapflow::cli
