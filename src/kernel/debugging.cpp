#include "kernel/debugging.h"

#include <algorithm>

#include "kernel/turn.h"

namespace mapflow::kernel {

namespace {

constexpr std::size_t kMostBytes = 4096;  // of one value in one record

}  // namespace

Value brief(Value value) {
  const std::size_t bytes = value.memory_bytes();
  return bytes <= kMostBytes ? value : Value("(" + std::string(to_string(value.type())) + " of about " + std::to_string(bytes) + " bytes)");
}

const Value* Tracing::find(std::string_view name) const {
  const Value* found = inner_.find(name);
  if (found && !read_.find(name)) read_.set(Text(name), brief(*found));
  return found;
}

// --- stopping -----------------------------------------------------------------------------------------------------

/// Whether the instance stops here instead of beginning the frame's next step.
bool Machine::halts(const Frame& frame, NodeIndex next) {
  if (!state_.debug || state_.debug->passing == frame.id || state_.state != WorkflowState::running) return false;
  const std::string& id = program_.node(next).step->id;
  if (!state_.debug->stepping && std::ranges::find(state_.debug->breakpoints, id) == state_.debug->breakpoints.end()) return false;
  const std::string path = state_.path_in(program_, frame.id, next);
  emit(Halted{frame.id, next});
  emit(StateChanged{WorkflowState::suspended, "stopped before '" + path + "'", std::nullopt});
  return true;
}

void Machine::pass_halt(bool stepping) {
  if (state_.debug && state_.debug->halted != kNoFrame) emit(HaltPassed{stepping});
}

void Machine::on(const Debug& debug) {
  if (is_terminal(state_.state)) return refuse("debug");
  emit(DebugSet{debug.on, debug.breakpoints});
}

void Machine::on(const StepOnce&) {
  if (state_.state != WorkflowState::suspended || !state_.debug || state_.debug->halted == kNoFrame)
    return refuse(Error(code::invalid_state, "instance '" + state_.id + "' is not stopped before a step: it is " +
                                                 std::string(to_string(state_.state))));
  pass_halt(true);
  emit(StateChanged{WorkflowState::running, "one step", std::nullopt});
  attend_everything();
  fire_timers();
}

}  // namespace mapflow::kernel
