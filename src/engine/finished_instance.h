// Requests to an instance that is over: they are answered from its row.
#pragma once

#include <optional>

#include "base/error.h"
#include "base/time.h"
#include "engine/letters.h"
#include "engine/program_cache.h"
#include "persistence/store.h"

namespace mapflow::engine {

/// Answers from the row of a finished instance. Errors: what the kernel refuses the request with; corrupt when the row
/// does not read back.
Result<Value> ask_finished(const persistence::InstanceRow& row, const Demand& demand, ProgramCache& programs,
                           Timestamp now);

/// Whether a start asks for the very instance that exists. Errors: conflict.
Status check_same_start(const StartDemand& demand, const kernel::State& existing);

/// The kernel's input for a request; nullopt for questions and starts.
std::optional<kernel::Input> input_of(const Demand& demand);

}  // namespace mapflow::engine
