// Reads one instance out of a store, whoever runs it: its row, and the log behind the row's snapshot.
#pragma once

#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "engine/program_cache.h"
#include "kernel/input.h"
#include "kernel/record.h"
#include "persistence/store.h"

namespace mapflow::engine {

/// As mapflow::read_instance, with programs that are compiled already. Reads the store; for no shard's thread.
Result<StoredInstance> read_stored_instance(persistence::Store& store, ProgramCache& programs, std::string_view id,
                                            bool events);

/// An instance's records from its start, and the program they were made with.
struct Journal {
  ProgramPtr program;
  std::vector<kernel::Record> records;
};

/// Errors: not_found, also when the first records are no longer kept; those of the store; corrupt. Reads the store; for no
/// shard's thread.
Result<Journal> read_journal(persistence::Store& store, ProgramCache& programs, std::string_view id);

/// How an instance ended, as its parent was told: when it was over first, before it was perhaps undone. Errors: those of
/// read_journal; not_found when it is not over.
Result<kernel::ChildEnded> read_child_end(persistence::Store& store, ProgramCache& programs, std::string_view id);

}  // namespace mapflow::engine
