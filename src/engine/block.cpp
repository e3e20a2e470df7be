#include "engine/block.h"

#include <fmt/format.h>

#include "engine/checksum.h"

namespace mapflow::engine {

void begin_block(std::string& out) { out.assign(kHeaderBytes, '\0'); }

void seal_block(std::string& out, char format) {
  out[0] = format;
  put_fixed32(out, 1, crc32c(std::string_view(out).substr(kHeaderBytes)));
}

Result<std::string_view> open_block(std::string_view bytes, char format, std::string_view what) {
  if (bytes.size() < kHeaderBytes) return fail(code::corrupt, fmt::format("{}: cut short", what));
  if (bytes[0] > format)
    return fail(code::invalid_state, fmt::format("{}: written in format {} by a newer version", what, int{bytes[0]}),
                fmt::format("this version reads formats up to {}", int{format}));
  const std::string_view inside = bytes.substr(kHeaderBytes);
  if (bytes[0] < 1 || get_fixed32(bytes.substr(1)) != crc32c(inside))
    return fail(code::corrupt, fmt::format("{}: its checksum does not fit", what));
  return inside;
}

void put_fixed32(std::string& out, std::size_t at, std::uint32_t number) {
  for (std::size_t byte = 0; byte < 4; ++byte) out[at + byte] = static_cast<char>((number >> (8 * byte)) & 0xFFu);
}

std::uint32_t get_fixed32(std::string_view bytes) {
  std::uint32_t number = 0;
  for (std::size_t byte = 0; byte < 4; ++byte)
    number |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[byte])) << (8 * byte);
  return number;
}

}  // namespace mapflow::engine
