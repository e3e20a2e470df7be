// What is written of an instance beside the log: its row, its snapshot, its history.
#pragma once

#include "base/time.h"
#include "engine/instance.h"
#include "engine/options.h"
#include "persistence/store.h"

namespace mapflow::engine {

/// Adds the instance's row without a snapshot: only for instances whose row never had one.
void add_bare_row(persistence::Commit& commit, Instance& instance, Timestamp now);

/// Adds the instance's row with a snapshot of it as it is now, and its records as a history chunk; drops the oldest
/// chunks beyond the history's bound. The instance's records are covered from then on. Gives the snapshot's size.
std::size_t add_checkpoint(persistence::Commit& commit, Instance& instance, Timestamp now, const ShardOptions& options);

}  // namespace mapflow::engine
