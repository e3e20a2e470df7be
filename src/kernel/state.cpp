#include "kernel/state.h"

#include <algorithm>

#include "base/ensure.h"
#include "kernel/rewind.h"
#include "kernel/step_kind.h"

namespace mapflow::kernel {

namespace {

class Applier {
 public:
  Applier(const Program& program, State& state, Timestamp at) : program_(program), state_(state), at_(at) {}

  void operator()(const InstanceStarted& record) {
    state_.id = record.id;
    state_.workflow = record.workflow;
    state_.version = record.version;
    state_.definition = record.definition;
    state_.correlation_id = record.correlation_id;
    state_.parent_id = record.parent_id;
    state_.parent_run = record.parent_run;
    state_.parent_attempt = record.parent_attempt;
    state_.on_parent_close = record.on_parent_close;
    state_.depth = record.depth;
    state_.rerun_of = record.rerun_of;
    state_.library = record.library;
    state_.tags = record.tags;
    state_.input = record.input;
    state_.variables = record.variables;
    Object results;
    results.reserve(expected_steps());
    state_.results = Value(std::move(results));
    state_.seed = record.seed;
    state_.deadline = record.deadline;
    state_.started = state_.changed = at_;
    state_.ledger.limits = limits_of(program_.definition().budget);
    state_.ledger.set_wall_end(at_);
    state_.turn_key = record.turn_key;
    state_.state = record.queued ? WorkflowState::pending : WorkflowState::running;
  }

  void operator()(const StateChanged& record) {
    ensure(may_follow(state_.state, record.to), "a workflow's state changes as the table says");
    const bool stood = state_.state == WorkflowState::paused || state_.state == WorkflowState::pending;
    if (stood && record.to == WorkflowState::running)
      state_.deadline = saturating_add(state_.deadline, at_ - state_.changed);
    if (record.to == WorkflowState::running) {
      state_.ledger.idle_us += (at_ - state_.changed).count();
      state_.ledger.set_wall_end(state_.started);
    }
    state_.state = record.to;
    state_.reason = record.reason;
    state_.changed = at_;
    if (record.to == WorkflowState::compensating) state_.outcome = record.outcome;
    if (record.error && record.to != WorkflowState::suspended) {
      if (!state_.failure) state_.failure = record.error;
      state_.errors.insert(state_.errors.begin(), *record.error);
    }
    if (is_terminal(record.to) || record.to == WorkflowState::compensating) {
      for (auto& [id, run] : state_.runs) end_call(run);
      state_.runs.clear();
      state_.frames.clear();
      state_.timers.clear();
    }
    if (is_terminal(record.to)) {
      state_.signals.clear();
      state_.released.clear();
    }
  }

  void operator()(const FrameOpened& record) {
    Frame& frame = state_.frames[record.frame];
    frame.id = record.frame;
    frame.owner = record.owner;
    frame.block = record.block;
    frame.role = record.role;
    frame.slot = record.slot;
    frame.execution = record.execution;
    frame.locals = record.locals;
    state_.last_frame = record.frame.value;
    state_.last_execution = std::max(state_.last_execution, record.execution);
    if (record.role == FrameRole::compensation) {
      frame.scoped = true;
      state_.undo[record.slot].state = UndoState::running;
    } else if (record.role == FrameRole::custom_compensation) {
      state_.custom_undo = UndoState::running;
    } else if (record.role == FrameRole::branch) {
      Run& owner = run(record.owner);
      frame.scoped = program_.node(owner.node).kind->scopes_results();
      ++owner.join.opened;
      if (owner.state == StepState::waiting) {  // a block that runs instead of further waiting
        owner.signal.clear();
        owner.state = StepState::running;
        set_timers(owner, kNever, kNever, owner.total_deadline);
      }
    }
  }

  void operator()(const FrameClosed& record) {
    const Frame& frame = state_.frames.at(record.frame);
    if (frame.role == FrameRole::branch) {
      close_branch(run(frame.owner).join, frame, record);
    } else {
      const UndoState became = record.succeeded ? UndoState::done : UndoState::failed;
      if (frame.role == FrameRole::compensation) state_.undo[frame.slot].state = became;
      else state_.custom_undo = became;
      if (record.error) state_.errors.push_back(*record.error);
      ++state_.counters.compensations;
    }
    state_.frames.erase(record.frame);
  }

  void operator()(const StepStarted& record) {
    Frame& around = state_.frames.at(record.frame);
    passed_halt(record.frame);
    Run& run = state_.runs[record.run];
    run.id = record.run;
    run.node = record.node;
    run.frame = record.frame;
    run.execution = around.execution;
    run.started = at_;
    run.state = StepState::running;
    set_timers(run, kNever, kNever, record.total_deadline);
    around.active = record.run;
    ++around.next;
    state_.last_run = record.run.value;
  }

  void operator()(const StepSkipped& record) {
    Frame& around = state_.frames.at(record.frame);
    passed_halt(record.frame);
    ++around.next;
    around.last = Value();
    keep_result(around.id, record.node, Value());
    ++state_.counters.skipped;
    Settled settled;
    settled.node = record.node;
    settled.path = state_.path_in(program_, around.id, record.node);
    settled.state = StepState::skipped;
    settled.started = settled.ended = at_;
    list(std::move(settled), around.id);
  }

  void operator()(const AttemptStarted& record) {
    Run& run = this->run(record.run);
    run.attempt = record.attempt;
    run.state = StepState::running;
    run.phase = Phase::working;
    run.memo = Value();
    run.kept_child.clear();
    run.join = Join{};
    end_call(run);
    set_timers(run, kNever, record.deadline, run.total_deadline);
  }

  void operator()(const CallPlaced& record) {
    Run& run = this->run(record.run);
    set_held(run, false);
    run.state = StepState::running;
    run.delivery = record.delivery;
    run.left_open = false;
    if (record.hold) {
      run.hold = record.hold;
      state_.ledger.take(run.node, *record.hold);
    }
    if (record.request) run.request = record.request;
    ++state_.counters.calls;
    if (record.delivery == 1 && !run.calls_child()) ++state_.ledger.used.steps;
  }

  void operator()(const CallHeld& record) {
    Run& run = this->run(record.run);
    run.state = StepState::waiting;
    set_held(run, true);
  }

  void operator()(const UseSettled& record) {
    Run& run = this->run(record.run);
    state_.ledger.give_back(run.node, run.hold.value_or(Hold{}), record.used, record.learn);
    run.hold.reset();
  }

  void operator()(const ChildCharged& record) {
    state_.ledger.used += record.used;
    state_.ledger.reserved += record.reserved;
  }

  void operator()(const BudgetChanged& record) {
    state_.ledger.limits = record.limits;
    state_.ledger.set_wall_end(state_.started);
  }

  void operator()(const CallLeftOpen& record) {
    Run& run = this->run(record.run);
    run.left_open = true;
    // It may take days, and others of its step need not wait for what it teaches.
    if (run.hold && run.hold->tentative) {
      state_.ledger.give_back(run.node, *run.hold, {}, true);
      run.hold.reset();
    }
  }

  void operator()(const StepWaiting& record) {
    Run& run = this->run(record.run);
    run.state = StepState::waiting;
    run.signal = record.signal;
    set_timers(run, record.due, run.deadline, run.total_deadline);
  }

  void operator()(const Noted& record) { run(record.run).memo = record.memo; }

  void operator()(const StepRetrying& record) {
    Run& run = this->run(record.run);
    run.state = StepState::retrying;
    run.error = record.error;
    end_call(run);
    run.signal.clear();
    drop_frames(run);
    set_timers(run, record.due, kNever, run.total_deadline);
    ++state_.counters.retries;
  }

  void operator()(const StepFaulted& record) {
    Run& run = this->run(record.run);
    run.state = StepState::running;
    run.error = record.error;
    run.phase = record.phase;
    end_call(run);
    run.signal.clear();
    drop_frames(run);
    set_timers(run, kNever, kNever, kNever);
  }

  void operator()(const StepSucceeded& record) {
    Run& run = this->run(record.run);
    run.state = StepState::running;
    run.phase = Phase::succeeded;
    run.result = record.result;
    run.writes = record.writes;
    end_call(run);
    drop_frames(run);
    set_timers(run, kNever, kNever, kNever);
  }

  void operator()(const StepSettled& record) {
    Run& run = this->run(record.run);
    const StepNode& node = program_.node(run.node);
    Frame& around = state_.frames.at(run.frame);
    const bool completed = record.state == StepState::completed;
    std::string path = state_.path(program_, run.id);

    set_variables(record.writes);
    if (completed || record.tolerated || record.state == StepState::skipped) {
      around.last = record.result;
      keep_result(around.id, run.node, record.result);
    } else {
      around.error = record.error;
    }
    if (record.error && (completed || record.tolerated)) state_.errors.push_back(*record.error);
    const bool undoable = node.compensate != kNoBlock || !run.kept_child.empty();
    if (completed && undoable && around.role != FrameRole::compensation) push_undo(run, path, record);

    count(record.state);
    end_call(run);
    Settled settled{run.id, run.node, std::move(path), record.state, run.attempt, run.started, at_, record.error};
    around.active = kNoRun;
    const FrameId frame = around.id;
    drop_frames(run);
    set_timers(run, kNever, kNever, kNever);
    state_.runs.erase(record.run);
    list(std::move(settled), frame);
  }

  void operator()(const SignalReceived& record) { state_.signals[record.name].push_back(record.payload); }

  void operator()(const SignalTaken& record) {
    auto& queue = state_.signals.at(record.name);
    queue.pop_front();
    if (queue.empty()) state_.signals.erase(record.name);
  }

  void operator()(const ChildKept& record) { run(record.run).kept_child = record.child; }

  void operator()(const ChildReleased& record) {
    state_.released[record.child] = {record.how, record.undo};
    if (record.how == Release::undo) state_.undo[record.undo].state = UndoState::running;
  }

  void operator()(const ChildGone& record) {
    const Released released = state_.released.at(record.child);
    state_.released.erase(record.child);
    if (released.how != Release::undo) return;
    const bool undone = record.ended == WorkflowState::compensated;
    state_.undo[released.undo].state = undone ? UndoState::done : UndoState::failed;
    if (!undone && record.error) state_.errors.push_back(*record.error);
    ++state_.counters.compensations;
  }

  void operator()(const VariablesUpdated& record) { set_variables(record.writes); }

  void operator()(const CheckpointCreated& record) {
    auto& known = state_.checkpoints;
    std::erase_if(known, [&](const Checkpoint& each) { return each.name == record.name; });
    if (known.size() >= State::kCheckpointsKept) known.erase(known.begin());
    known.push_back({record.name, state_.seq + 1, at_, record.path});
  }

  void operator()(const DebugSet& record) {
    if (!record.on) return state_.debug.reset();
    if (!state_.debug) state_.debug.emplace();
    state_.debug->breakpoints = record.breakpoints;
  }

  void operator()(const Halted& record) {
    state_.debug->halted = record.frame;
    state_.debug->stepping = false;
  }

  void operator()(const HaltPassed& record) {
    state_.debug->passing = state_.debug->halted;
    state_.debug->halted = kNoFrame;
    state_.debug->stepping = record.stepping;
  }

  void operator()(const Evaluated&) {}

  void operator()(const Rewound& record) { state_ = taken_back(std::move(state_), record, at_); }

  void operator()(const TimerFired&) {}

  void operator()(const CommandReceived& record) {
    auto& commands = state_.commands;
    if (commands.size() >= State::kCommandsKept) commands.erase(commands.begin());
    commands.push_back({record.id, std::nullopt});
  }

  void operator()(const CommandRefused& record) {
    for (CommandOutcome& command : state_.commands)
      if (command.id == record.id) command.refused = record.error;
  }

 private:
  Run& run(RunId id) { return state_.runs.at(id); }

  /// So many steps to make room for at once.
  std::size_t expected_steps() const { return std::min<std::size_t>(program_.block(program_.main()).steps.size(), 64); }

  /// No call of the run is under way any more, nor about to be.
  void end_call(Run& run) {
    run.delivery = 0;
    set_held(run, false);
    if (!run.hold) return;
    state_.ledger.give_back(run.node, *run.hold);
    run.hold.reset();
  }

  void set_held(Run& run, bool held) {
    if (run.held == held) return;
    run.held = held;
    if (held) state_.held.insert(run.id);
    else state_.held.erase(run.id);
  }

  void passed_halt(FrameId frame) {
    if (state_.debug && state_.debug->passing == frame) state_.debug->passing = kNoFrame;
  }

  void set_variables(const std::vector<std::pair<std::string, Value>>& writes) {
    for (const auto& [name, value] : writes) {
      const Status set = state_.variables.set_path(name, value);
      ensure(set.has_value(), "variables were tried before their change was recorded");
    }
  }

  static void close_branch(Join& join, const Frame& frame, const FrameClosed& record) {
    record.succeeded ? ++join.succeeded : ++join.failed;
    join.stop = join.stop || record.stop;
    if (record.error) join.errors.emplace_back(frame.slot, *record.error);
    if (!record.keep || !record.succeeded) return;
    Array& values = join.values.mutable_array();
    if (values.size() <= frame.slot) values.resize(frame.slot + 1);
    values[frame.slot] = record.value;
  }

  void set_timers(Run& run, Timestamp due, Timestamp deadline, Timestamp total_deadline) {
    if (const Timestamp before = run.next_timer(); before != kNever) state_.timers.erase({before, run.id});
    run.due = due;
    run.deadline = deadline;
    run.total_deadline = total_deadline;
    if (const Timestamp after = run.next_timer(); after != kNever) state_.timers.emplace(after, run.id);
  }

  void keep_result(FrameId frame, NodeIndex node, const Value& result) {
    const FrameId scope = state_.results_scope(frame);
    Value& results = scope == kNoFrame ? state_.results : state_.frames.at(scope).results;
    results.set(program_.node(node).id, result);
  }

  /// Frames of a run go with it; the runs in them have settled before.
  void drop_frames(const Run& run) {
    if (run.join.open() == 0 && run.phase == Phase::working) return;  // it has none; looking costs a walk over all
    std::erase_if(state_.frames, [&](const auto& each) { return each.second.owner == run.id; });
  }

  void push_undo(const Run& run, const std::string& path, const StepSettled& record) {
    Undo undo;
    undo.node = run.node;
    undo.path = path;
    undo.execution = run.execution;
    if (run.request) undo.input = run.request->data;
    undo.result = record.result;
    if (program_.node(run.node).compensate == kNoBlock) undo.child = run.kept_child;
    for (const Frame* at = state_.frame(run.frame); at != nullptr; at = state_.around(*at)) {
      if (!at->locals.is_object()) continue;
      for (const auto& [name, value] : at->locals.as_object())
        if (!undo.locals.find(name)) undo.locals.set(name, value);
    }
    state_.undo.push_back(std::move(undo));
  }

  void count(StepState became) {
    Counters& counters = state_.counters;
    switch (became) {
      case StepState::completed: ++counters.completed; break;
      case StepState::skipped: ++counters.skipped; break;
      case StepState::cancelled: ++counters.cancelled; break;
      default: ++counters.failed; break;
    }
  }

  void list(Settled settled, FrameId frame) {
    if (state_.settled.size() >= State::kSettledKept && state_.results_scope(frame) != kNoFrame) return;
    if (state_.settled.empty()) state_.settled.reserve(expected_steps());  // growing from one entry on moves them again and again
    state_.settled.push_back(std::move(settled));
  }

  const Program& program_;
  State& state_;
  Timestamp at_;
};

}  // namespace

void apply(const Program& program, State& state, const Record& record) {
  std::visit(Applier(program, state, record.at), record.body);
  ++state.seq;
}

void restore_derived(State& state) {
  state.timers.clear();
  for (const auto& [id, run] : state.runs)
    if (run.next_timer() != kNever) state.timers.emplace(run.next_timer(), id);
  state.held.clear();
  for (const auto& [id, run] : state.runs)
    if (run.held) state.held.insert(id);
}

}  // namespace mapflow::kernel
