// Which instances are in memory, in the order in which they were used last, and what they take.
#pragma once

#include <cstddef>

#include "engine/instance.h"

namespace mapflow::engine {

/// What an instance takes in memory, estimated from what it takes encoded: values unfold to about so much more, with keys,
/// counters and slack of the allocator.
constexpr std::size_t footprint_of(std::size_t encoded_bytes) {
  constexpr std::size_t kUnfolded = 4;
  return sizeof(Instance) + sizeof(kernel::State) + 512 + kUnfolded * encoded_bytes;
}

/// Thread safety: the shard's.
class Residence {
 public:
  /// `total` counts the bytes of all residences of a shard.
  explicit Residence(std::size_t& total) : total_(total) {}

  /// The instance is in memory and takes this much; it was used just now.
  void weigh(Instance& instance, std::size_t bytes) {
    total_ = total_ - instance.footprint + bytes;
    if (instance.footprint > 0) unlink(instance);
    instance.footprint = bytes;
    link(instance);
  }
  /// It was used just now: the last to go.
  void touch(Instance& instance) {
    if (instance.footprint == 0 || &instance == freshest_) return;
    unlink(instance);
    link(instance);
  }
  /// It is not in memory any more.
  void leave(Instance& instance) {
    if (instance.footprint == 0) return;
    total_ -= instance.footprint;
    instance.footprint = 0;
    unlink(instance);
  }
  Instance* stalest() const { return stalest_; }
  std::size_t size() const { return size_; }

 private:
  void link(Instance& instance) {
    instance.staler = freshest_;
    instance.fresher = nullptr;
    (freshest_ ? freshest_->fresher : stalest_) = &instance;
    freshest_ = &instance;
    ++size_;
  }
  void unlink(Instance& instance) {
    (instance.staler ? instance.staler->fresher : stalest_) = instance.fresher;
    (instance.fresher ? instance.fresher->staler : freshest_) = instance.staler;
    --size_;
  }

  std::size_t& total_;
  Instance* stalest_ = nullptr;
  Instance* freshest_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace mapflow::engine
