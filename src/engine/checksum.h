// Checksums: CRC-32C tells a damaged block of bytes from a good one; FNV-1a makes a number of a name.
#pragma once

#include <cstdint>
#include <string_view>

namespace mapflow::engine {

/// The CRC-32C (Castagnoli) of `bytes`, as in RFC 3720: crc32c("123456789") == 0xE3069283.
std::uint32_t crc32c(std::string_view bytes);

/// The 64-bit FNV-1a hash of `bytes` (G. Fowler, L. C. Noll, K.-P. Vo). Part of what a store means, so it never changes.
std::uint64_t fnv1a(std::string_view bytes);

}  // namespace mapflow::engine
