#include "engine/random.h"

#include <sys/random.h>

namespace mapflow::engine {

std::uint64_t SystemRandom::next() {
  const std::lock_guard lock(mutex_);
  if (used_ == numbers_.size()) {
    // Up to 256 bytes are never cut short, see getrandom(2); this asks for 512 and so may be interrupted.
    auto* bytes = reinterpret_cast<char*>(numbers_.data());
    for (std::size_t have = 0; have < sizeof numbers_;) {
      const auto got = ::getrandom(bytes + have, sizeof numbers_ - have, 0);
      if (got > 0) have += static_cast<std::size_t>(got);
    }
    used_ = 0;
  }
  return numbers_[used_++];
}

}  // namespace mapflow::engine
