// What a tenure knows of its partition's log: which entries it has, and which may go.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

#include "persistence/store.h"

namespace mapflow::engine {

/// Counts the log's bytes by offset, from the first entry the tenure found. Thread safety: the shard's.
class LogLedger {
 public:
  /// The offset at which the next entry will begin.
  std::uint64_t end() const { return end_; }
  /// An entry that was there before. Gives its offset.
  std::uint64_t found(persistence::LogPosition position, std::size_t bytes) {
    entries_.push_back({end_, position});
    end_ += bytes;
    return entries_.back().offset;
  }
  /// An entry is being committed.
  void append(std::size_t bytes) {
    entries_.push_back({end_, {}});
    end_ += bytes;
    ++pending_;
  }
  /// The oldest entry being committed is durable.
  void durable(persistence::LogPosition position) { entries_[entries_.size() - pending_--].position = position; }
  /// Nothing from `offset` on may be dropped, whatever the rest says: somebody must look at it first.
  void pin(std::uint64_t offset) { pinned_ = std::min(pinned_, offset); }

  /// Drops the durable entries that end at or before `needed`, when they come to `least` bytes or more. Gives the
  /// position below which the store may drop them too; 0: nothing to drop.
  persistence::LogPosition drop_before(std::uint64_t needed, std::uint64_t least) {
    needed = std::min(needed, pinned_);
    if (needed < start_ + least) return {};
    persistence::LogPosition below{};
    while (entries_.size() > pending_ && entry_end(0) <= needed) {
      below.value = entries_.front().position.value + 1;
      start_ = entry_end(0);
      entries_.pop_front();
    }
    return below;
  }

 private:
  struct Entry {
    std::uint64_t offset;
    persistence::LogPosition position;  ///< 0 until it is durable
  };
  std::uint64_t entry_end(std::size_t index) const {
    return index + 1 < entries_.size() ? entries_[index + 1].offset : end_;
  }

  std::deque<Entry> entries_;
  std::size_t pending_ = 0;   ///< of them, the last ones, not durable yet
  std::uint64_t start_ = 0;   ///< offset of the first entry that is still there
  std::uint64_t end_ = 0;
  std::uint64_t pinned_ = UINT64_MAX;
};

}  // namespace mapflow::engine
