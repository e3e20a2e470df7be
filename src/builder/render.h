// Diagnostics for people: one line as a compiler prints it, the line of source, and a caret below the place.
//
//   orders.yaml:14:18: error: unknown agent 'inventry' (did you mean 'inventory'?) [MF0301]
//      14 |     destination: inventry
//         |                  ^
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "model/diagnostic.h"
#include "value/value.h"

namespace mapflow::builder {

/// The text of a file that diagnostics speak of, or "" when it is not at hand.
using SourceText = std::function<std::string_view(const std::string& file)>;

/// One diagnostic with its line of `source`, the text of its file, and a caret; ends in a newline. Only the first line
/// when the source is empty or the place unknown.
std::string render(const Diagnostic& diagnostic, std::string_view source);
/// All of them, in order, and a last line that counts errors and warnings. "" when there are none.
std::string render(const Diagnostics& diagnostics, const SourceText& source);

/// `{"ok", "diagnostics": [{severity, code, file, line, column, message, hint}]}`: what `validate --json` prints.
Value to_value(const Diagnostics& diagnostics);

/// Sorts by file (in the order in which files first appear), line and column. Drops repetitions, and what follows from a
/// wrong type at the same place ("must be a text, not a list" makes "is missing" superfluous).
void sort_diagnostics(Diagnostics& diagnostics);

}  // namespace mapflow::builder
