// Back to a place in an instance's past: what a place is, and what an instance that is taken back keeps of the present.
//
// A checkpoint is a name for a place in the journal, not a copy. So it costs nothing while it is not needed, and every
// step that was ever started is a place as well, as far as the journal is kept.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "kernel/state.h"

namespace mapflow::kernel {

/// Where to go back to. Exactly one of the two is given.
struct Place {
  std::string checkpoint;  ///< a checkpoint's name
  std::string before;      ///< a step's path, or its id: as it was when that step was last started
};

/// An instance as it was.
struct Mark {
  State state;
  Timestamp at{};          ///< when it was so
};

/// "checkpoint 'paid'", "before 'ship'".
std::string describe(const Place& place);

/// The number of the record behind which the checkpoint is. Errors: not_found.
Result<std::uint64_t> checkpoint_seq(const State& state, std::string_view name);

/// Looks in an instance's records for the last start of a step. They are shown in stretches, the newest first, each in
/// order.
class StepSearch {
 public:
  /// `step`: its path or id.
  StepSearch(const Program& program, std::string step) : program_(program), step_(std::move(step)) {}
  /// `record` is about to be applied to `before`.
  void see(const State& before, const Record& record);
  /// Ends a stretch. The step began in the state after the record whose number this gives; nullopt: further back.
  std::optional<std::uint64_t> end_stretch();

 private:
  struct Landmark {
    std::uint64_t seq = 0;  ///< of the state before the step; of a rewind, of the one it went back to
    bool rewound = false;
  };
  const Program& program_;
  const std::string step_;
  std::vector<Landmark> seen_;
  std::uint64_t counts_until_ = UINT64_MAX;  ///< records after this one were taken back
};

/// The place that a retry of a failed instance goes back to: where the step began that failed it. `step`: its path or id;
/// empty: the one whose error ended the instance. Errors: invalid_state, not_found.
Result<Place> place_of_failure(const Program& program, const State& state, std::string_view step);

/// What `apply` makes of a Rewound record. Of the present it keeps what is no matter of place: how many records there
/// are, signals nobody has taken, children that are still to end, what was spent. Everything alive at the place gets new
/// numbers, so that a late answer to an abandoned call finds nobody, and as much time as it had left there.
State taken_back(State present, const Rewound& record, Timestamp at);

}  // namespace mapflow::kernel
