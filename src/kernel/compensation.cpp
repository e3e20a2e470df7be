// How an instance ends: completed, or with an error, and then everything that can be undone is undone first.
#include "kernel/turn.h"

namespace mapflow::kernel {

void Machine::complete_instance() {
  if (!state_.released.empty()) return;  // the last of them brings the main frame here again
  emit(StateChanged{WorkflowState::completed, "", std::nullopt});
}

void Machine::cancel_everything(std::string_view reason) {
  std::vector<RunId> roots;
  for (const auto& [id, frame] : state_.frames)
    if (frame.owner == kNoRun && frame.active != kNoRun) roots.push_back(frame.active);
  for (const RunId root : roots) cancel(root, reason);
}

bool has_something_to_undo(const Program& program, const State& state) {
  switch (program.definition().compensation_strategy) {
    case CompensationStrategy::none: return false;
    case CompensationStrategy::custom: return program.compensation() != kNoBlock && state.counters.completed > 0;
    default: return !state.undo.empty();
  }
}

/// The instance will not complete. `outcome` is its end when there is nothing to undo.
void Machine::end_unhappily(Error error, WorkflowState outcome) {
  if (error.at_us == 0) error.at_us = to_micros(now_);
  cancel_everything(outcome == WorkflowState::cancelled ? "the workflow was cancelled" : "the workflow failed");
  const std::string reason = error.message;
  if (!has_something_to_undo(program_, state_) && state_.released.empty()) return emit(StateChanged{outcome, reason, std::move(error)});
  emit(StateChanged{WorkflowState::compensating, reason, std::move(error), outcome});
  agenda_.push_back(Undoing{});
}

void Machine::carry_out(const Undoing&) {
  if (state_.state != WorkflowState::compensating) return;
  // A child that is ending undoes its own steps before its parent's are undone.
  for (const auto& [child, released] : state_.released)
    if (released.how != Release::undo) return;
  if (!has_something_to_undo(program_, state_)) return end_compensation();
  const auto strategy = program_.definition().compensation_strategy;
  if (strategy == CompensationStrategy::custom) {
    if (state_.custom_undo == UndoState::due) return open_custom_compensation();
    if (state_.custom_undo != UndoState::running) end_compensation();
    return;
  }
  std::vector<std::size_t> due;
  bool running = false;
  for (std::size_t i = 0; i < state_.undo.size(); ++i) {
    if (state_.undo[i].state == UndoState::due) due.push_back(i);
    if (state_.undo[i].state == UndoState::running) running = true;
  }
  if (strategy == CompensationStrategy::parallel) {
    for (const std::size_t entry : due) open_compensation(entry);
    if (!due.empty() || running) return;
  } else {
    if (running) return;
    if (!due.empty()) return open_compensation(strategy == CompensationStrategy::forward ? due.front() : due.back());
  }
  end_compensation();
}

void Machine::open_compensation(std::size_t entry) {
  const Undo& undo = state_.undo[entry];
  if (!undo.child.empty()) {
    commit_.effects.push_back(TellChild{undo.child, Release::undo});
    return emit(ChildReleased{undo.child, Release::undo, static_cast<std::uint32_t>(entry)});
  }
  Value locals = undo.locals.is_null() ? Value(Object{}) : undo.locals;
  locals.set("original", object({{"input", undo.input}, {"result", undo.result}}));
  if (state_.failure) locals.set("error", to_value(*state_.failure));
  open_frame(kNoRun, program_.node(undo.node).compensate, FrameRole::compensation, static_cast<std::uint32_t>(entry),
             std::move(locals));
}

void Machine::open_custom_compensation() {
  Array done;
  for (const Undo& undo : state_.undo) {
    done.push_back(object({{"step", program_.node(undo.node).step->id}, {"path", undo.path}, {"input", undo.input},
                           {"result", undo.result}}));
  }
  Value locals = object({{"compensations", Value(std::move(done))}});
  if (state_.failure) locals.set("error", to_value(*state_.failure));
  open_frame(kNoRun, program_.compensation(), FrameRole::custom_compensation, 0, std::move(locals));
}

/// Every due compensation was tried. If one failed, the instance did, with both errors on its list.
void Machine::end_compensation() {
  bool failed = state_.custom_undo == UndoState::failed;
  for (const Undo& undo : state_.undo) failed = failed || undo.state == UndoState::failed;
  if (failed) return emit(StateChanged{WorkflowState::failed, "a compensation failed", std::nullopt});
  bool undone = state_.custom_undo == UndoState::done;
  for (const Undo& undo : state_.undo) undone = undone || undo.state == UndoState::done;
  emit(StateChanged{undone ? WorkflowState::compensated : state_.outcome, state_.reason, std::nullopt});
}

}  // namespace mapflow::kernel
