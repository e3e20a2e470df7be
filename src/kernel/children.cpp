// Child instances: what a sub-workflow step starts, and what becomes of it when the step or the instance is given up.
//
// While a step waits for its child, the call is in flight as any other. Once it does not, the child is *released*: the
// instance keeps it on a list and does not end, and undoes nothing, before the child has come to its own end.
#include "kernel/history.h"
#include "kernel/turn.h"

namespace mapflow::kernel {

/// "order-7:ship", "order-7:each[3]/ship#2" in a second execution, "order-7:ship~2" in a second attempt; "…@1" after a
/// rewind, for a retry from the outside keeps execution and attempt, and the former child may still be there.
std::string Machine::child_id(const Run& run) const {
  std::string id = state_.id + ":" + state_.path(program_, run.id);
  if (run.execution > 1) id += "#" + std::to_string(run.execution);
  if (run.attempt > 1) id += "~" + std::to_string(run.attempt);
  if (state_.rewinds > 0) id += "@" + std::to_string(state_.rewinds);
  return id;
}

void Machine::start_child(const Run& run) {
  StartChild effect;
  effect.run = run.id;
  effect.attempt = run.attempt;
  effect.child = child_id(run);
  effect.workflow = run.request->target.view();
  effect.version = run.request->version.view();
  effect.detached = !run.request->reply;
  effect.again = run.delivery > 1;
  effect.start.correlation_id = state_.correlation_id;
  effect.start.parent_id = state_.id;
  effect.start.parent_run = run.id;
  effect.start.parent_attempt = run.attempt;
  effect.start.on_parent_close = run.request->on_parent_close;
  effect.start.depth = state_.depth + 1;
  effect.start.library = state_.library;
  effect.start.input = run.request->data;
  commit_.effects.push_back(std::move(effect));
}

void Machine::release_child(const Run& run) {
  const ParentClose policy = run.request->on_parent_close;
  if (policy == ParentClose::abandon) return;
  const Release how = terminating_ ? Release::terminate : policy == ParentClose::wait ? Release::wait : Release::cancel;
  std::string child = child_id(run);
  commit_.effects.push_back(TellChild{child, how});
  emit(ChildReleased{std::move(child), how});
}

/// The child is started and its step is done. The instance still waits for it at its own end, if it was told to.
void Machine::release_detached(const Run& run) {
  if (run.request->on_parent_close != ParentClose::wait) return;
  commit_.effects.push_back(TellChild{child_id(run), Release::wait});
  emit(ChildReleased{child_id(run), Release::wait});
}

/// After a crash nobody knows whether they were told.
void Machine::tell_released_children() {
  for (const auto& [child, released] : state_.released) commit_.effects.push_back(TellChild{child, released.how});
}

void Machine::on(const ChildEnded& ended) {
  if (const auto released = state_.released.find(ended.child); released != state_.released.end()) {
    if (released->second.how == Release::cancel && ended.state == WorkflowState::completed && ended.undoable) {
      commit_.effects.push_back(TellChild{ended.child, Release::cancel});  // it was done before it heard of it
      return;
    }
    emit(ChildGone{ended.child, ended.state, ended.error});
    for (const auto& [id, frame] : state_.frames)
      if (frame.owner == kNoRun) agenda_.push_back(Advance{id});
    agenda_.push_back(Undoing{});
    return;
  }
  if (!awaits(ended.run, ended.attempt) || child_id(run(ended.run)) != ended.child) return;
  if (ended.state != WorkflowState::completed) {
    const Error cause = ended.error.value_or(Error(code::cancelled, "it was cancelled"));
    const std::string what = "sub-workflow " + ended.child + " ended as " + std::string(to_string(ended.state)) + ": ";
    return attempt_failed(ended.run, because_of(cause, what + cause.message));
  }
  if (ended.undoable) emit(ChildKept{ended.run, ended.child});
  Reply reply;
  reply.result = ended.document;
  StepScope scope(*this, ended.run);
  node(run(ended.run)).kind->on_reply(scope, reply);
}

ChildEnded child_ended(const Program& program, const State& child) {
  ChildEnded ended;
  ended.child = child.id;
  ended.run = child.parent_run;
  ended.attempt = child.parent_attempt;
  ended.state = child.state;
  ended.document = object({{"instance_id", child.id}, {"state", to_string(child.state)}, {"results", child.results},
                           {"variables", child.variables}});
  ended.error = child.failure;
  ended.undoable = child.state == WorkflowState::completed && has_something_to_undo(program, child);
  return ended;
}

void Machine::on(const Compensate&) {
  if (state_.state != WorkflowState::completed || !has_something_to_undo(program_, state_)) return;
  Error why(code::cancelled, "undone with its parent " + state_.parent_id);
  why.at_us = to_micros(now_);
  emit(StateChanged{WorkflowState::compensating, why.message, std::move(why), WorkflowState::completed});
  agenda_.push_back(Undoing{});
}

}  // namespace mapflow::kernel
