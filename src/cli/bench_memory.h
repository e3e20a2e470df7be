// The benchmarks of memory: one very long loop, and very many instances that wait.
#pragma once

#include <cstdint>
#include <memory>

#include "base/error.h"
#include "cli/options.h"
#include "persistence/store.h"
#include "value/value.h"

namespace mapflow::cli {

/// Runs one loop and looks at what it leaves behind. Gives the document of `bench loop --json`.
/// Errors: what the engine refuses with; internal when the loop did not complete.
Result<Value> run_loop(const BenchLoopOptions& load, std::shared_ptr<persistence::Store> store);

/// Starts instances that each wait for a signal, then signals each, and checks what each made of it. Gives the document of
/// `bench waiting --json`. Errors: what the engine refuses with; internal when one did not answer as it should.
Result<Value> run_waiting(const BenchWaitingOptions& load, std::shared_ptr<persistence::Store> store);

}  // namespace mapflow::cli
