// The outer shape of everything the engine stores: a format byte, a CRC-32C of what follows, and that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace mapflow::engine {

inline constexpr std::size_t kHeaderBytes = 5;

/// Starts a block: leaves room for the header.
void begin_block(std::string& out);
/// Fills the header in, once everything else is written.
void seal_block(std::string& out, char format);
/// What is inside. `what` names the thing in errors. Errors: corrupt; invalid_state for a larger format byte.
Result<std::string_view> open_block(std::string_view bytes, char format, std::string_view what);

/// A 32-bit number of fixed width, for lengths that are filled in later.
void put_fixed32(std::string& out, std::size_t at, std::uint32_t number);
std::uint32_t get_fixed32(std::string_view bytes);

}  // namespace mapflow::engine
