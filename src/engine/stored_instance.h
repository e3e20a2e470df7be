// Reads one instance out of a store, whoever runs it: its row, and the log behind the row's snapshot.
#pragma once

#include <string_view>

#include "engine/engine.h"
#include "engine/program_cache.h"
#include "persistence/store.h"

namespace mapflow::engine {

/// As mapflow::read_instance, with programs that are compiled already. Reads the store; for no shard's thread.
Result<StoredInstance> read_stored_instance(persistence::Store& store, ProgramCache& programs, std::string_view id,
                                            bool events);

}  // namespace mapflow::engine
