// From the facts in a journal back to what the instance must have been told. Internal to reenact.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernel/input.h"
#include "kernel/program.h"
#include "kernel/state.h"
#include "testing/reenact.h"

namespace mapflow::testing {

struct Cause {
  kernel::Input input;
  std::string what;  ///< for people: "the answer of 'fetch'"
  std::optional<kernel::Ticket> ticket{};
};

/// What is known when a cause is looked for.
struct Situation {
  const kernel::Program& program;
  const kernel::State& state;
  std::span<const kernel::Record> ahead;                     ///< the records from here on; at least one
  const std::map<kernel::RunId, std::string>& children;      ///< that steps started, by run
  const FindChild& find_child;
  /// The instance as it was behind a record; nullopt when that cannot be told.
  const std::function<std::optional<kernel::State>(const kernel::Rewound&)>& at_mark;
};

struct Causes {
  std::vector<Cause> all;     ///< the likeliest first
  std::string unknown_child;  ///< it may have been the end of this child instance, which nobody knows; empty: no
};

/// What may have caused the first record ahead.
Causes possible_causes(const Situation& situation);

}  // namespace mapflow::testing
