// The benchmark of the engine alone: many workflows of steps that do nothing, so many at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "cli/options.h"
#include "persistence/store.h"
#include "value/value.h"

namespace mapflow::cli {

struct SequentialFigures {
  BenchLoad load;
  std::string store;
  double seconds = 0;          ///< from the first start to the last end
  double cpu_seconds = 0;      ///< of the whole process in that time
  double latency_p50_ms = 0;   ///< of a workflow, from asking for its start to its end
  double latency_p99_ms = 0;
  double peak_rss_mib = 0;     ///< of the process so far

  double steps() const { return static_cast<double>(load.steps) * load.workflows; }
  double steps_per_second() const { return steps() / seconds; }
  /// The document of `bench --json`.
  Value to_value() const;
};

/// Runs it on a store that is shared with the caller. `ended` is called the moment the last workflow is over.
/// Errors: what the engine refuses with; internal when a workflow did not complete.
Result<SequentialFigures> run_sequential(const BenchLoad& load, std::shared_ptr<persistence::Store> store,
                                         const std::function<void()>& ended = {});

}  // namespace mapflow::cli
