// Records and states as bytes: compact, versioned, and safe to read from a damaged file.
//
// What is written follows from the `fields` of each struct. A state begins with the version of the format; a record
// begins with its kind, and a kind whose fields change gets a new number, so old logs stay readable.
// Decoding checks everything and trusts no length. Errors: corrupt; invalid_state for a version or kind that only a
// newer program knows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "kernel/record.h"
#include "kernel/state.h"
#include "value/value.h"

namespace mapflow::kernel {

/// Appends one record to `out`; records encoded one after the other read back one after the other.
void encode_record(std::string& out, const Record& record);
/// Takes one record off the front of `bytes`.
Result<Record> decode_record(std::string_view& bytes);

/// A whole state, without what is derived.
std::string encode_state(const State& state);
/// Reads it back and rebuilds what is derived.
Result<State> decode_state(std::string_view bytes);

// Primitives, for other encodings built on these: numbers as LEB128 varints, texts with their length before them.
void encode_number(std::string& out, std::uint64_t number);
void encode_text(std::string& out, std::string_view text);
Result<std::uint64_t> decode_number(std::string_view& bytes);
Result<std::string_view> decode_text(std::string_view& bytes);

}  // namespace mapflow::kernel
