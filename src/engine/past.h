// What an instance was like at some place in its journal.
#pragma once

#include <memory>

#include "base/error.h"
#include "engine/instance.h"
#include "kernel/rewind.h"
#include "persistence/store.h"

namespace mapflow::engine {

/// Replays the instance's journal up to the place: first the records in memory, then the chunks in the store, the newest
/// first. Errors: not_found when there is no such place, or no more; reroute::later when a chunk is still on its way
/// to the store; corrupt; the store's own.
Result<std::shared_ptr<const kernel::Mark>> find_mark(persistence::Store& store, const Instance& instance, const kernel::Place& place);

}  // namespace mapflow::engine
