// Numbers by seed: the same in every run. SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
#pragma once

#include <cstdint>

#include "engine/random.h"

namespace mapflow::testing {

class Chance final : public engine::Random {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() override {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t limit) { return next() % limit; }
  /// True in `share` of the cases.
  bool hits(double share) { return static_cast<double>(next() >> 11) * 0x1.0p-53 < share; }

 private:
  std::uint64_t state_;
};

}  // namespace mapflow::testing
