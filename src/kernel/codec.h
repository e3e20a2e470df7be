// Records and states as bytes: compact, versioned, and safe to read from a damaged file.
//
// What is written follows from the `fields` of each struct. A state begins with the version of the format. A record begins
// with a byte: its kind, and two bits that say how it is written, so old logs stay readable:
//
//   │ bit 7: written in the second format │ bit 6: its time is that of the record before │ bits 0-5: kind │ time │ fields │
//
// In the first format a request was a Value, and a time that is never took as many bytes as any other.
// Decoding checks everything and trusts no length. Errors: corrupt; invalid_state for a version or kind that only a
// newer program knows.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "kernel/record.h"
#include "kernel/state.h"
#include "value/value.h"

namespace mapflow::kernel {

/// Appends the records to `out`. What was appended one after the other reads back one after the other.
void encode_records(std::string& out, std::span<const Record> records);

/// Takes one record after the other off the front of encoded ones.
class RecordReader {
 public:
  explicit RecordReader(std::string_view bytes) : rest_(bytes) {}
  bool done() const { return rest_.empty(); }
  /// The next record. After an error nothing that follows can be read.
  Result<Record> next();

 private:
  std::string_view rest_;
  std::optional<Timestamp> at_;  ///< of the record before
};

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
