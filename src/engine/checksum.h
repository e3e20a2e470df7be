// CRC-32C: tells a damaged block of bytes from a good one.
#pragma once

#include <cstdint>
#include <string_view>

namespace mapflow::engine {

/// The CRC-32C (Castagnoli) of `bytes`, as in RFC 3720: crc32c("123456789") == 0xE3069283.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace mapflow::engine
