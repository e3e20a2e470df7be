// What the validator and the readers have to say about a text, like a compiler.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace mapflow {

enum class Severity : std::uint8_t { error, warning };

struct Diagnostic {
  Severity severity = Severity::error;
  std::string code;      ///< stable, "MF0102"; docs/diagnostics.md has a section for each
  Location where;
  std::string message;   ///< "unknown agent 'inventry'"
  std::string hint;      ///< "did you mean 'inventory'?"; may be empty

  /// "orders.yaml:14:9: error: unknown agent 'inventry' (did you mean 'inventory'?) [MF0301]"
  std::string to_string() const;
};

using Diagnostics = std::vector<Diagnostic>;

bool has_errors(const Diagnostics& diagnostics);

/// The nearest of `known` to `name` by edit distance, when near enough to be a slip of the keyboard; else "".
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);
/// "did you mean 'x'?", or "" when nothing is near.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& known);

}  // namespace mapflow
