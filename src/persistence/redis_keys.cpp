#include "persistence/redis_keys.h"

#include <array>

namespace mapflow::persistence::redis {
namespace {

constexpr std::uint32_t kOwnerBuckets = 256;
constexpr std::uint16_t kSlots = 16384;

constexpr std::array<std::uint16_t, 256> kCrcTable = [] {
  std::array<std::uint16_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000) ? (crc << 1) ^ 0x1021 : crc << 1;
    table[byte] = static_cast<std::uint16_t>(crc);
  }
  return table;
}();

std::uint16_t crc16(std::string_view bytes) {
  std::uint16_t crc = 0;
  for (const char byte : bytes)
    crc = static_cast<std::uint16_t>(crc << 8 ^ kCrcTable[(crc >> 8 ^ static_cast<unsigned char>(byte)) & 0xFF]);
  return crc;
}

}  // namespace

std::string Keys::owners(std::string_view instance) const {
  return prefix_ + ":{owners:" + std::to_string(crc16(instance) % kOwnerBuckets) + "}";
}

std::string Keys::partition(Partition partition) const { return prefix_ + ":{p" + std::to_string(partition.value) + "}"; }

std::string Keys::history(Partition of, std::string_view instance) const {
  return partition(of) + ":history:" + std::string(instance);
}

std::uint16_t slot_of(std::string_view key) {
  if (const std::size_t open = key.find('{'); open != key.npos) {
    const std::size_t close = key.find('}', open + 1);
    if (close != key.npos && close > open + 1) key = key.substr(open + 1, close - open - 1);
  }
  return crc16(key) % kSlots;
}

}  // namespace mapflow::persistence::redis
