// Stores that fail now and then, as the tiers of a composite one may.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "persistence/faulty.h"
#include "persistence/store.h"

namespace mapflow::persistence::testing {

using StorePointer = std::shared_ptr<Store>;

/// Fails every call before it happens, or every n-th before or after.
inline StorePointer failing(StorePointer inner, std::uint64_t every, std::shared_ptr<std::atomic<bool>> on = nullptr) {
  return make_faulty_store(std::move(inner), {.decide = [every, on](const StoreOperation& operation) {
    if ((on && !*on) || operation.number % every != 0) return StoreDecision{};
    return StoreDecision{every > 1 && operation.number % 2 == 0 ? StoreFault::error_after : StoreFault::error_before, {}};
  }, .schedule = {}});
}

}  // namespace mapflow::persistence::testing
