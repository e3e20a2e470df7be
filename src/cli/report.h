// What an instance came to, for people; read from its document, wherever that came from.
#pragma once

#include "cli/console.h"
#include "value/value.h"

namespace mapflow::cli {

/// "completed in 12.3s, 9 steps, 1 retry", its results, and the errors it met.
void print_outcome(Stream& stream, const Value& document);

/// The document of `show --json`: the outcome, times, tags and every step.
void print_instance(Stream& stream, const Value& document);

/// The errors of a document, each with its place, its cause and its hint.
void print_errors(Stream& stream, const Value& document);

}  // namespace mapflow::cli
