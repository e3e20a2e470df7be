// Where the simulator's chance comes from: everything that may go one way or another is drawn from a seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace mapflow::sim {

/// Mixes two numbers into one that looks like neither.
constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  std::uint64_t z = a + 0x9E3779B97F4A7C15u * (b + 1);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/// A number from bytes, the same on every machine: FNV-1a, mixed.
constexpr std::uint64_t mix(std::uint64_t seed, std::string_view bytes) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001B3u;
  return mix(seed, hash);
}

/// A stream of numbers. Equal seeds give equal streams; streams made by `fork` do not disturb each other.
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(mix(seed, 0x5EED)) {}

  std::uint64_t next() { return mix(state_, ++drawn_); }
  /// One of 0 … below-1; 0 when there is none.
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
  /// One of low … high.
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }
  bool percent(unsigned chance) { return below(100) < chance; }
  template <class T>
  const T& pick(const std::vector<T>& items) { return items[below(items.size())]; }
  Chance fork(std::string_view purpose) const { return Chance(mix(state_, purpose)); }

 private:
  std::uint64_t state_;
  std::uint64_t drawn_ = 0;
};

}  // namespace mapflow::sim
