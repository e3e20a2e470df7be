// Where chance comes from: instance ids, the seeds of instances, the spread of back-offs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace mapflow::engine {

/// Thread safety: next() may come from any thread.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;
};

/// Numbers that nobody can foresee, from the operating system, fetched some at a time.
class SystemRandom final : public Random {
 public:
  std::uint64_t next() override;

 private:
  std::mutex mutex_;
  std::array<std::uint64_t, 64> numbers_{};
  std::size_t used_ = 64;
};

}  // namespace mapflow::engine
