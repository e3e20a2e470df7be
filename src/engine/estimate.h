// How long an instance may take, judged by those of the same workflow that completed before it.
#pragma once

#include <cstddef>
#include <optional>

#include "base/error.h"
#include "base/time.h"
#include "kernel/state.h"
#include "persistence/store.h"
#include "value/value.h"

namespace mapflow::engine {

struct Estimate {
  std::size_t runs = 0;              ///< looked at: the newest ones, 50 at most
  Duration typical{};                ///< the median
  Duration slow{};                   ///< nine of ten took at most so long
  std::optional<Duration> left;      ///< of one that is not over; 0 when it takes longer than is typical
};

/// nullopt when none completed before. Runs of the same version count alone when there are any. Errors: unavailable.
Result<std::optional<Estimate>> estimate(persistence::Store& store, const kernel::State& state, Timestamp now);

/// {"runs", "typical_seconds", "slow_seconds", "remaining_seconds"?}
Value to_value(const Estimate& estimate);

}  // namespace mapflow::engine
