// Plays one test and tells what came of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "kernel/history.h"
#include "model/definition.h"
#include "model/state.h"
#include "testing/mock.h"
#include "testing/test_file.h"
#include "value/value.h"

namespace mapflow::testing {

/// The events of one instance.
struct InstanceStory {
  std::string workflow;
  std::vector<kernel::Event> events;
};

struct Outcome {
  std::optional<Error> refused;         ///< why the instance was not started at all
  WorkflowState state = WorkflowState::pending;
  Value document;                       ///< as `run --json` prints it
  std::vector<MadeCall> calls;
  std::vector<std::string> compensations;  ///< ids of the steps that were undone, in order
  Duration elapsed{};                   ///< virtual time from start to end
  std::vector<std::string> problems;    ///< what went wrong with the test itself
  std::vector<InstanceStory> stories;   ///< of the instance and all its children
  std::uint32_t kills = 0;              ///< crashes that came about
};

/// `definitions`: those of the test's workflow, the main one first. Errors: as kernel::compile.
Result<Outcome> perform(const TestCase& test, const std::vector<Definition>& definitions, std::uint64_t seed);

}  // namespace mapflow::testing
