// What of a shard any thread may read at any time, so that nobody has to wait for the shard to know how it is.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "engine/load.h"

namespace mapflow::engine {

/// The shard alone writes. Each number is right for itself; together they may be of different moments.
struct Gauges {
  using Number = std::atomic<std::uint64_t>;
  std::array<Number, kLivingStates> instances{};
  Number inputs{0}, turns{0}, agents{0}, handlers{0};

  /// Neither needs to be one step, for nobody else writes.
  static void increment(Number& number) { number.store(number.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  static void decrement(Number& number) { number.store(number.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed); }
  static void set(Number& number, std::uint64_t value) { number.store(value, std::memory_order_relaxed); }
};

}  // namespace mapflow::engine
