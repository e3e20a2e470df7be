// A store that fails on command, for tests and the simulator: it wraps any store and asks, before each call, what is
// to go wrong. It keeps the contract of store.h itself: whatever it does, a correct owner must cope with.
//
// The same decisions give the same behaviour: nothing here is random and no clock is read.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "persistence/store.h"

namespace mapflow::persistence {

enum class StoreCall : std::uint8_t {
  create_private_partition, acquire, renew, release, leases, commit, erase,
  read_log, instance, unfinished, list, history, definition, definitions, post, inbox
};

/// A call that is about to be made.
struct StoreOperation {
  StoreCall call;
  Partition partition;       ///< 0 where the call names none
  std::uint64_t number = 0;  ///< 1, 2, 3 … over all calls of this wrapper
};

enum class StoreFault : std::uint8_t {
  none,
  error_before,  ///< `unavailable`, and it did not happen
  error_after,   ///< `unavailable`, though it happened; only its caller cannot know
  lease_lost,    ///< before a commit or renewal another node takes the partition and lets it go again
};

struct StoreDecision {
  StoreFault fault = StoreFault::none;
  Duration delay{};  ///< how long a commit's `done` is held back; those behind it wait too
};

struct FaultyOptions {
  /// Asked once per call, one at a time; it must not call the store.
  std::function<StoreDecision(const StoreOperation&)> decide;
  /// Runs the function after the delay. Needed when decide() asks for delays.
  std::function<void(Duration delay, std::move_only_function<void()> function)> schedule;
};

/// The wrapped store may serve other wrappers at the same time. With lease_lost, commit() waits for the wrapped store.
std::unique_ptr<Store> make_faulty_store(std::shared_ptr<Store> inner, FaultyOptions options);

}  // namespace mapflow::persistence
