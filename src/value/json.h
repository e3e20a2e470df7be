// JSON text to Values and back. The only place that knows the JSON library.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"
#include "value/value.h"

namespace mapflow {

/// Bounds on text that comes from outside. Going past one is a resource_exhausted error.
struct JsonLimits {
  std::size_t max_bytes = 64u << 20;
  std::size_t max_depth = 512;
};

/// Parses exactly one JSON document (RFC 8259, UTF-8 checked; duplicate keys: the last one wins). Integers that do
/// not fit 64 bits become doubles. Errors: invalid_input with line and column in `where` (file left empty),
/// resource_exhausted past a limit.
Result<Value> parse_json(std::string_view text, const JsonLimits& limits = {});

/// Compact JSON, keys in object order; doubles print the shortest text that reads back the same, with ".0" when
/// whole; not-a-number and infinities print as null; bytes that are not UTF-8 print as U+FFFD.
std::string to_json(const Value& value);
void append_json(std::string& out, const Value& value);
/// A text alone, with its quotes.
void append_json_text(std::string& out, std::string_view text);

/// The same, indented by two spaces, for people.
std::string to_json_pretty(const Value& value);

/// Compact JSON with keys sorted by bytes: equal values give equal bytes, so this is what content hashes are over.
std::string to_canonical_json(const Value& value);

}  // namespace mapflow
