// The benchmark of recovery: a process with very many unfinished workflows is killed, and this one takes them over.
#pragma once

#include "base/error.h"
#include "cli/options.h"
#include "value/value.h"

namespace mapflow::cli {

/// Forks, so no thread may run yet. Of ten workflows four wait for a signal, four for a time and two for the answer to a
/// call; after the take-over each must come to its end. Gives the document of `bench recovery --json`. Errors: those of the
/// store; invalid_input when it is not durable; internal when a workflow did not come to its end.
Result<Value> run_recovery(const BenchRecoveryOptions& load);

}  // namespace mapflow::cli
