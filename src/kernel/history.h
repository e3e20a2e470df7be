// Records and states as people and programs outside read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/time.h"
#include "kernel/program.h"
#include "kernel/record.h"
#include "kernel/state.h"
#include "value/value.h"

namespace mapflow::kernel {

/// A record with its place in the instance spelled out.
struct Event {
  std::uint64_t seq = 0;      ///< of its record
  Timestamp at;
  std::string type;           ///< "workflow.started", "step.completed", "signal.received" …
  std::string workflow;       ///< id of the definition; not part of to_value()
  std::string path;           ///< of the step, or empty
  std::string step;           ///< its id
  std::string kind;           ///< its kind
  Value data;                 ///< what else the record says, an object

  /// {"seq", "at", "type", "path"?, "step"?, "kind"?, …data}
  Value to_value() const;
};

/// What `record` means to people. `before` is the state just before the record is applied; the event's seq is
/// before.seq + 1.
Event describe(const Program& program, const State& before, const Record& record);

/// What a step that waits for its call's outcome has told of its progress: type "step.progress". It has no record of its
/// own, so its seq is that of the last one.
Event progress_event(const Program& program, const State& state, RunId run, Timestamp at, Value progress);

/// The instance as `show --json` prints it: id, workflow, version, state, results, variables, errors, metrics,
/// progress, steps.
Value instance_document(const Program& program, const State& state, Timestamp now);
/// The part of it that `run --json` prints: without progress and steps.
Value outcome_document(const State& state, Timestamp now);

/// The parts of it that stores show to people who ask with SQL, steps and errors, as JSON text.
std::string details_json(const Program& program, const State& state);

/// One step of an instance, running or over, in the order in which they started.
struct StepView {
  std::string path, id, type;
  StepState state = StepState::pending;
  std::uint32_t attempt = 0;
  Timestamp started{};
  std::optional<Timestamp> ended;
  std::optional<Timestamp> due;     ///< of a waiting or retrying step
  std::optional<Error> error;
};
std::vector<StepView> step_views(const Program& program, const State& state);

/// A call that its agent, a person perhaps, answers later.
struct OpenCall {
  std::string token;                ///< what answers it: its idempotency key
  std::string path, step, agent, action;
  Value data;
  std::uint32_t attempt = 1;
  Timestamp since{};                ///< when its step started
  Timestamp deadline = kNever;
};
std::vector<OpenCall> open_calls(const Program& program, const State& state);

struct Progress {
  std::uint64_t completed = 0;
  std::uint64_t total = 0;      ///< grows as loops expand
  double fraction = 0;          ///< 0 … 1
};
Progress progress(const Program& program, const State& state);

}  // namespace mapflow::kernel
