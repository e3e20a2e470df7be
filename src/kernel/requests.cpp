// What people ask of a running instance: hold it, let it go on, end it, mend it.
#include <algorithm>

#include "kernel/turn.h"

namespace mapflow::kernel {

void Machine::refuse(std::string_view what) {
  refuse(Error(code::invalid_state, "cannot " + std::string(what) + " instance '" + state_.id + "': it is " +
                                        std::string(to_string(state_.state))));
}

void Machine::refuse(Error why) { commit_.refused = std::move(why); }

// --- holding and ending -------------------------------------------------------------------------------------------

void Machine::on(const Pause& pause) {
  if (state_.state == WorkflowState::paused) return;
  if (!may_follow(state_.state, WorkflowState::paused)) return refuse("pause");
  emit(StateChanged{WorkflowState::paused, pause.reason, std::nullopt});
}

void Machine::on(const Resume&) {
  if (state_.state == WorkflowState::running) return;
  if (state_.state != WorkflowState::paused && state_.state != WorkflowState::suspended) return refuse("resume");
  pass_halt(false);
  emit(StateChanged{WorkflowState::running, "resumed", std::nullopt});
  for (const RunId id : parked_runs()) begin_attempt(id);  // to resume what a failed step suspended is to try it again
  attend_everything();
  fire_timers();
}

void Machine::on(const Cancel& cancel) {
  const auto now = state_.state;
  if (now == WorkflowState::cancelled || now == WorkflowState::compensating) return;
  if (is_terminal(now)) return refuse("cancel");
  end_unhappily(Error(code::cancelled, cancel.reason.empty() ? "cancelled on request" : cancel.reason),
                WorkflowState::cancelled);
}

void Machine::on(const Terminate& terminate) {
  if (state_.state == WorkflowState::cancelled) return;
  if (is_terminal(state_.state)) return refuse("terminate");
  terminating_ = true;
  cancel_everything("terminated");
  const std::string why = terminate.reason.empty() ? "terminated on request" : "terminated: " + terminate.reason;
  emit(StateChanged{WorkflowState::cancelled, "terminated", Error(code::cancelled, why)});
}

// --- mending ------------------------------------------------------------------------------------------------------

std::vector<RunId> Machine::parked_runs() const {
  std::vector<RunId> parked;
  for (const auto& [id, run] : state_.runs)
    if (run.phase == Phase::parked) parked.push_back(id);
  return parked;
}

/// The living step of that path, or of that id when there is only one. Errors: not_found, conflict.
Result<RunId> Machine::living(const std::string& step) const {
  std::vector<RunId> named;
  std::string paths;
  for (const auto& [id, run] : state_.runs) {
    const std::string path = state_.path(program_, id);
    if (path == step) return id;
    if (node(run).step->id != step) continue;
    named.push_back(id);
    paths += (paths.empty() ? "" : ", ") + path;
  }
  if (named.size() == 1) return named.front();
  if (named.empty()) return fail(code::not_found, "no step '" + step + "' is alive in instance '" + state_.id + "'");
  return fail(code::conflict, "several steps '" + step + "' are alive: " + paths, "name one by its path");
}

void Machine::on(const Retry& retry) {
  if (state_.state != WorkflowState::suspended && state_.state != WorkflowState::running) return refuse("retry a step of");
  if (retry.step.empty()) {
    if (state_.state != WorkflowState::suspended) return refuse("retry the failed steps of");
    return on(Resume{});
  }
  const auto id = living(retry.step);
  if (!id) return refuse(id.error());
  const Run& run = this->run(*id);
  if (run.phase != Phase::parked && run.state != StepState::retrying)
    return refuse(Error(code::invalid_state, "cannot retry step '" + retry.step + "': it is " + std::string(to_string(run.state))));
  begin_attempt(*id);
  leave_suspension();
}

void Machine::on(const Skip& skip) {
  const bool alive = state_.state == WorkflowState::running || state_.state == WorkflowState::suspended ||
                     state_.state == WorkflowState::paused;
  if (!alive) return refuse("skip a step of");
  const auto id = living(skip.step);
  if (!id) return refuse(id.error());
  drop_call(run(*id));
  cancel_below(*id, "their parent was skipped");
  settle(*id, StepState::skipped, skip.result, {}, std::nullopt);
  leave_suspension();
}

/// Once no step holds a suspended instance back any more, it goes on.
void Machine::leave_suspension() {
  if (state_.state != WorkflowState::suspended || !parked_runs().empty()) return;
  if (state_.debug && state_.debug->halted != kNoFrame) return;  // it stands at a breakpoint as well
  emit(StateChanged{WorkflowState::running, "resumed", std::nullopt});
  attend_everything();
  fire_timers();
}

void Machine::on(const Complete& complete) {
  for (const auto& [id, run] : state_.runs) {
    if (!awaits(id, run.attempt) || run.calls_child() || state_.idempotency_key(program_, run) != complete.token) continue;
    if (complete.outcome)
      if (Status fits = node(run).kind->check_answer(*node(run).spec, *complete.outcome); !fits) return refuse(std::move(fits.error()));
    return on(CallDone{id, run.attempt, complete.outcome});
  }
  if (is_terminal(state_.state)) return refuse("answer a call of");
  refuse(Error(code::not_found, "no call of instance '" + state_.id + "' waits for an answer under '" + complete.token + "'",
               "it may have been answered, timed out or been given up"));
}

void Machine::on(const Update& update) {
  if (state_.state != WorkflowState::paused && state_.state != WorkflowState::suspended)
    return refuse(Error(code::invalid_state, "cannot change variables of instance '" + state_.id + "': it is " +
                                                 std::string(to_string(state_.state)), "pause it first"));
  if (!update.variables.is_object() && !(update.budget && update.variables.is_null())) return refuse(Error(code::invalid_input, "variables are an object by dotted name"));
  VariablesUpdated updated;
  Value tried = state_.variables;
  if (update.variables.is_object()) {
    for (const auto& [name, value] : update.variables.as_object()) {
      if (const Status set = tried.set_path(name, value); !set) return refuse(set.error());
      updated.writes.emplace_back(name, value);
    }
  }
  if (!updated.writes.empty()) emit(std::move(updated));
  if (update.budget) change_budget(limits_of(*update.budget));
}

/// What is not given stays as it is.
void Machine::change_budget(const Limits& given) {
  Limits limits = state_.ledger.limits;
  if (given.tokens) limits.tokens = given.tokens;
  if (given.cost_nanos) limits.cost_nanos = given.cost_nanos;
  if (given.steps) limits.steps = given.steps;
  if (given.wall_time_us) limits.wall_time_us = given.wall_time_us;
  emit(BudgetChanged{limits});
}

}  // namespace mapflow::kernel
