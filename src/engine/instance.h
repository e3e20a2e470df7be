// One running instance in the memory of a shard, and the table that holds them all.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ensure.h"
#include "base/time.h"
#include "engine/snapshot.h"
#include "kernel/program.h"
#include "kernel/state.h"

namespace mapflow::engine {

class Tenure;

/// Names an instance within its shard. Good for ever: once the instance has left memory, the name finds nothing.
struct InstanceRef {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  ///< 0: names nothing
  bool operator==(const InstanceRef&) const = default;
};

struct Instance {
  InstanceRef ref;
  Tenure* tenure = nullptr;
  std::shared_ptr<const kernel::Program> program;
  std::string id;
  std::unique_ptr<kernel::State> state;  ///< null: it sleeps, and the snapshot in its row is its state

  // Its place among the instances in memory (see Residence).
  Instance* staler = nullptr;
  Instance* fresher = nullptr;
  std::size_t footprint = 0;          ///< bytes, estimated; 0: it is not in memory
  std::uint64_t last_batch = 0;       ///< the newest batch that carries anything of it

  // What the store knows of it.
  enum class Row : std::uint8_t { none, wanted, due } row = Row::none;  ///< wanted: within the coalescing time; due: with this commit
  bool has_row = false;
  bool tired = false;                 ///< its next row is to have a snapshot, so that it can sleep
  WorkflowState listed = WorkflowState::pending;  ///< the state its row says
  std::optional<WorkflowState> counted;           ///< the state as which the shard counts it
  std::uint64_t covered_seq = 0;      ///< the snapshot in its row is the state after this record; 0: no snapshot
  std::size_t snapshot_bytes = 0;     ///< of that snapshot
  std::vector<ChunkInfo> chunks;      ///< the history that left the log and was kept
  std::string base;                   ///< the encoded state before `records`, unless they begin the instance
  std::string records;                ///< records after covered_seq, encoded: the next history chunk

  // Its place among the instances that hold the log back, oldest first (see UncoveredList).
  Instance* older = nullptr;
  Instance* newer = nullptr;
  std::uint64_t uncovered_since = 0;  ///< offset in the log of its first record after covered_seq
  bool uncovered = false;

  std::size_t timer_place = SIZE_MAX; ///< in the timer queue; SIZE_MAX: not there
  Timestamp timer_due = kNever;
};

/// Owns the instances of a shard. Thread safety: the shard's.
class InstanceTable {
 public:
  Instance& add() {
    std::uint32_t slot = 0;
    if (free_.empty()) {
      slot = static_cast<std::uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    slots_[slot].instance = std::make_unique<Instance>();
    slots_[slot].instance->ref = {slot, slots_[slot].generation};
    return *slots_[slot].instance;
  }
  /// nullptr when it has left.
  Instance* find(InstanceRef ref) {
    if (ref.slot >= slots_.size() || slots_[ref.slot].generation != ref.generation) return nullptr;
    return slots_[ref.slot].instance.get();
  }
  void remove(InstanceRef ref) {
    ensure(find(ref) != nullptr, "only an instance that is there is removed");
    slots_[ref.slot].instance.reset();
    ++slots_[ref.slot].generation;
    free_.push_back(ref.slot);
  }
  std::size_t size() const { return slots_.size() - free_.size(); }

 private:
  struct Slot {
    std::unique_ptr<Instance> instance;
    std::uint32_t generation = 1;
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
};

/// The instances with records that only the log has, in the order in which those records begin: the first one says
/// how much of the log must stay. Instances always enter at the new end, because what they add comes last in the log.
class UncoveredList {
 public:
  Instance* oldest() const { return oldest_; }
  void add(Instance& instance, std::uint64_t since) {
    ensure(!instance.uncovered && (!newest_ || newest_->uncovered_since <= since), "the log only grows");
    instance.uncovered = true;
    instance.uncovered_since = since;
    instance.older = newest_;
    instance.newer = nullptr;
    (newest_ ? newest_->newer : oldest_) = &instance;
    newest_ = &instance;
  }
  void remove(Instance& instance) {
    if (!instance.uncovered) return;
    (instance.older ? instance.older->newer : oldest_) = instance.newer;
    (instance.newer ? instance.newer->older : newest_) = instance.older;
    instance.older = instance.newer = nullptr;
    instance.uncovered = false;
  }

 private:
  Instance* oldest_ = nullptr;
  Instance* newest_ = nullptr;
};

}  // namespace mapflow::engine
