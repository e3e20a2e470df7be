#include "kernel/machine.h"

#include "base/ensure.h"
#include "kernel/turn.h"

namespace mapflow::kernel {

Commit decide(const Program& program, State& state, const Input& input, Timestamp now, const DecideLimits& limits,
              const Ticket* ticket, Commit room) {
  Machine machine(program, state, now, limits, std::move(room));
  return ticket ? machine.decide(input, *ticket) : machine.decide(input);
}

Commit Machine::decide(const Input& input) {
  std::visit([this](const auto& each) { on(each); }, input);
  drain();
  return std::move(commit_);
}

Commit Machine::decide(const Input& input, const Ticket& ticket) {
  if (const CommandOutcome* known = state_.command(ticket.id)) {
    commit_.refused = known->refused;
    return std::move(commit_);
  }
  const bool over = is_terminal(state_.state);
  if (!over) emit(CommandReceived{ticket.id, ticket.command});
  std::visit([this](const auto& each) { on(each); }, input);
  if (over && !commit_.records.empty()) emit(CommandReceived{ticket.id, ticket.command});
  if (!over && commit_.refused) emit(CommandRefused{ticket.id, *commit_.refused});
  drain();
  return std::move(commit_);
}

const Run& Machine::run(RunId id) const {
  const Run* found = state_.run(id);
  ensure(found != nullptr, "the run is alive");
  return *found;
}

// --- the agenda ---------------------------------------------------------------------------------------------------

/// Whether new work may start. Paused and suspended instances keep results but start nothing.
bool Machine::going() const {
  return state_.state == WorkflowState::running || state_.state == WorkflowState::compensating;
}

void Machine::drain() {
  while (going() && (next_item_ < agenda_.size() || wake_held())) {
    if (commit_.records.size() >= limits_.records) {
      commit_.more = true;
      return;
    }
    const Item item = agenda_[next_item_++];
    if (next_item_ == agenda_.size()) {
      agenda_.clear();
      next_item_ = 0;
    }
    std::visit([this](const auto& each) { carry_out(each); }, item);
  }
}

/// Puts everything on the agenda that the state could ask for. Doing what needs no doing changes nothing.
void Machine::attend_everything() {
  for (const auto& [id, frame] : state_.frames) agenda_.push_back(Advance{id});
  for (const auto& [id, run] : state_.runs) agenda_.push_back(Attend{id});
  if (state_.state == WorkflowState::compensating) agenda_.push_back(Undoing{});
}

// --- inputs -------------------------------------------------------------------------------------------------------

void Machine::on(const Start& start) {
  ensure(state_.state == WorkflowState::pending, "an instance starts once");
  const Definition& definition = program_.definition();
  InstanceStarted started;
  started.id = start.id;
  started.workflow = definition.id;
  started.version = definition.version;
  started.definition = program_.hash();
  started.correlation_id = start.correlation_id;
  started.parent_id = start.parent_id;
  started.parent_run = start.parent_run;
  started.parent_attempt = start.parent_attempt;
  started.on_parent_close = start.on_parent_close;
  started.depth = start.depth;
  started.library = start.library;
  started.rerun_of = start.rerun_of;
  started.tags = definition.tags;
  started.tags.insert(started.tags.end(), start.tags.begin(), start.tags.end());
  started.input = start.input;
  started.variables = program_.first_variables(start.input);
  started.queued = start.queued;
  started.turn_key = start.turn_key;
  started.seed = start.seed;
  if (definition.timeout) started.deadline = saturating_add(now_, *definition.timeout);
  emit(std::move(started));
  if (start.breakpoints) emit(DebugSet{true, *start.breakpoints});
  if (!start.queued) open_frame(kNoRun, program_.main(), FrameRole::main, 0, Value());
}

void Machine::on(const Admit&) {
  if (state_.state != WorkflowState::pending) return;
  const bool begun = !state_.frames.empty();  // it was taken back, and waited for a place
  emit(StateChanged{WorkflowState::running, "its turn has come", std::nullopt});
  if (begun) {
    attend_everything();
    return fire_timers();
  }
  open_frame(kNoRun, program_.main(), FrameRole::main, 0, Value());
}

/// Not so when the answer is late, doubled, or of a step that was given up.
bool Machine::awaits(RunId id, std::uint32_t attempt) const {
  const Run* run = state_.run(id);
  return run && run->delivery > 0 && run->attempt == attempt && run->phase == Phase::working && run->state == StepState::running;
}

void Machine::on(const CallDone& done) {
  if (!awaits(done.run, done.attempt)) return;
  const Run* run = state_.run(done.run);
  if (!run->calls_child() && !(done.outcome && done.outcome->pending)) settle_use(done.run, done.outcome);
  if (!done.outcome) return attempt_failed(done.run, done.outcome.error());
  if (done.outcome->pending) {
    if (!run->left_open) emit(CallLeftOpen{run->id});
    return;
  }
  if (run->calls_child()) release_detached(*run);
  StepScope scope(*this, done.run);
  node(*run).kind->on_reply(scope, *done.outcome);
}

void Machine::on(const Tick&) {
  if (going()) fire_timers();
}

void Machine::on(const Recover&) {
  redeliver_calls();
  tell_released_children();
  attend_everything();
  if (going()) fire_timers();
}

void Machine::on(const Continue&) { attend_everything(); }

void Machine::on(const Signal& signal) {
  if (is_terminal(state_.state) || state_.state == WorkflowState::compensating) return refuse("signal");
  emit(SignalReceived{signal.name, signal.payload});
  for (const auto& [id, run] : state_.runs)
    if (run.signal == signal.name) agenda_.push_back(Attend{id});
}

// --- time ---------------------------------------------------------------------------------------------------------

void Machine::fire_timers() {
  if (state_.state == WorkflowState::running && state_.deadline <= now_) {
    const Duration allowed = program_.definition().timeout.value_or(Duration(0));
    return end_unhappily(Error(code::timeout, "the workflow did not finish within " + format_duration(allowed)),
                         WorkflowState::timed_out);
  }
  if (state_.state == WorkflowState::running && state_.ledger.wall_end <= now_) return wall_time_is_up();
  while (going() && !state_.timers.empty() && state_.timers.begin()->first <= now_) {
    if (commit_.records.size() >= limits_.records) {
      commit_.more = true;
      return;
    }
    const auto before = *state_.timers.begin();
    const Run& due = run(before.second);
    if (due.deadline <= now_ || due.total_deadline <= now_) {
      time_out(due.id);
    } else if (due.state == StepState::retrying) {
      begin_attempt(due.id);
    } else {
      const RunId id = due.id;
      emit(TimerFired{id});
      StepScope scope(*this, id);
      node(run(id)).kind->on_timer(scope);
    }
    ensure(state_.timers.empty() || *state_.timers.begin() != before, "a timer that fired is dealt with");
  }
}

}  // namespace mapflow::kernel
