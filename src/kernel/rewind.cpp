#include "kernel/rewind.h"

#include <algorithm>
#include <map>

#include "base/ensure.h"
#include "kernel/codec.h"
#include "kernel/turn.h"
#include "model/diagnostic.h"

namespace mapflow::kernel {

namespace {

constexpr std::size_t kLongestName = 200;

/// Gives every frame and run of a state that was decoded a number that was never used.
class Renumbering {
 public:
  Renumbering(const State& state, std::uint32_t last_run, std::uint32_t last_frame) {
    for (const auto& [id, run] : state.runs) runs_[id] = RunId(++last_run);
    for (const auto& [id, frame] : state.frames) frames_[id] = FrameId(++last_frame);
    last_run_ = last_run;
    last_frame_ = last_frame;
  }

  void apply(State& state) const {
    decltype(state.runs) runs;
    for (auto& [id, run] : state.runs) {
      run.id = of(run.id);
      run.frame = of(run.frame);
      runs.emplace(run.id, std::move(run));
    }
    decltype(state.frames) frames;
    for (auto& [id, frame] : state.frames) {
      frame.id = of(frame.id);
      frame.owner = of(frame.owner);
      frame.active = of(frame.active);
      frames.emplace(frame.id, std::move(frame));
    }
    state.runs = std::move(runs);
    state.frames = std::move(frames);
    state.last_run = last_run_;
    state.last_frame = last_frame_;
  }

 private:
  RunId of(RunId id) const { return id == kNoRun ? kNoRun : runs_.at(id); }
  FrameId of(FrameId id) const { return frames_.at(id); }

  std::map<RunId, RunId> runs_;
  std::map<FrameId, FrameId> frames_;
  std::uint32_t last_run_ = 0, last_frame_ = 0;
};

/// Whether the step goes on as it was: blocks of it were under way or over, or it was backing off. Any other begins anew.
bool goes_on(const State& state, const Run& run) {
  if (run.phase == Phase::parked) return false;
  if (run.state == StepState::retrying) return true;
  if (run.phase != Phase::working || run.join.opened > 0) return true;
  return std::ranges::any_of(state.frames, [&](const auto& each) { return each.second.owner == run.id; });
}

void begin_anew(Run& run, Timestamp at) {
  Run fresh;
  fresh.id = run.id;
  fresh.node = run.node;
  fresh.frame = run.frame;
  fresh.execution = run.execution;
  fresh.state = StepState::running;
  fresh.started = at;
  fresh.total_deadline = run.total_deadline;
  run = std::move(fresh);
}

}  // namespace

std::string describe(const Place& place) {
  return place.checkpoint.empty() ? "before '" + place.before + "'" : "checkpoint '" + place.checkpoint + "'";
}

Result<std::uint64_t> checkpoint_seq(const State& state, std::string_view name) {
  std::vector<std::string> known;
  for (const Checkpoint& each : state.checkpoints) {
    if (each.name == name) return each.seq;
    known.push_back(each.name);
  }
  return fail(code::not_found, "instance '" + state.id + "' has no checkpoint '" + std::string(name) + "'", did_you_mean(name, known));
}

void StepSearch::see(const State& before, const Record& record) {
  if (const auto* rewound = std::get_if<Rewound>(&record.body)) {
    seen_.push_back({rewound->back_to, true});
  } else if (const auto* started = std::get_if<StepStarted>(&record.body)) {
    if (before.state == WorkflowState::compensating) return;
    if (program_.node(started->node).step->id == step_ || before.path_in(program_, started->frame, started->node) == step_)
      seen_.push_back({before.seq, false});
  }
}

std::optional<std::uint64_t> StepSearch::end_stretch() {
  for (auto each = seen_.rbegin(); each != seen_.rend(); ++each) {
    if (each->seq > counts_until_) continue;
    if (!each->rewound) return each->seq;
    counts_until_ = each->seq;
  }
  seen_.clear();
  return std::nullopt;
}

Result<Place> place_of_failure(const Program& program, const State& state, std::string_view step) {
  if (state.state != WorkflowState::failed)
    return fail(code::invalid_state, "cannot retry a step of instance '" + state.id + "': it is " + std::string(to_string(state.state)),
                is_terminal(state.state) ? "rewind it to a checkpoint or before a step" : "");
  const auto did_fail = [&](const Settled& each) {
    const bool failed = each.state == StepState::failed || each.state == StepState::timed_out;
    const std::string_view wanted = step.empty() && state.failure ? std::string_view(state.failure->path) : step;
    return failed && (each.path == wanted || program.node(each.node).step->id == wanted);
  };
  const auto found = std::find_if(state.settled.rbegin(), state.settled.rend(), did_fail);
  if (found != state.settled.rend()) return Place{{}, found->path};
  if (step.empty()) return fail(code::not_found, "no step of instance '" + state.id + "' failed", "rewind it to a checkpoint or before a step");
  return fail(code::not_found, "step '" + std::string(step) + "' of instance '" + state.id + "' did not fail");
}

State taken_back(State present, const Rewound& record, Timestamp at) {
  auto decoded = decode_state(record.mark);
  ensure(decoded.has_value(), "a mark that was recorded reads back");
  State back = *std::move(decoded);
  const Duration passed = std::max(Duration(0), at - record.since);
  back.deadline = saturating_add(back.deadline, back.state == WorkflowState::paused ? at - back.changed : passed);

  for (auto& [id, run] : back.runs) {
    if (record.execution > 0) run.execution = record.execution;
    run.due = saturating_add(run.due, passed);
    run.deadline = saturating_add(run.deadline, passed);
    run.total_deadline = saturating_add(run.total_deadline, passed);
    if (!goes_on(back, run)) begin_anew(run, at);
  }
  if (record.execution > 0)
    for (auto& [id, frame] : back.frames) frame.execution = record.execution;
  Renumbering(back, present.last_run, present.last_frame).apply(back);

  back.seq = present.seq;
  back.state = record.as;
  back.reason = "rewound to " + record.to;
  back.changed = at;
  back.signals = std::move(present.signals);
  back.ledger = std::move(present.ledger);
  if (present.state != WorkflowState::running) {  // since then it stood still
    back.ledger.idle_us += (at - present.changed).count();
    back.ledger.set_wall_end(back.started);
  }
  back.commands = std::move(present.commands);
  back.released = std::move(present.released);
  back.counters.retries = present.counters.retries;
  back.counters.calls = present.counters.calls;
  back.counters.compensations = present.counters.compensations;
  back.last_execution = std::max(present.last_execution, record.execution);
  back.rewinds = present.rewinds + 1;
  restore_derived(back);
  return back;
}

// --- requests -----------------------------------------------------------------------------------------------------

void Machine::on(const MakeCheckpoint& make) {
  const bool has_a_place = state_.state == WorkflowState::running || state_.state == WorkflowState::paused || state_.state == WorkflowState::suspended;
  if (!has_a_place) return refuse("make a checkpoint of");
  if (make.name.empty() || make.name.size() > kLongestName)
    return refuse(Error(code::invalid_input, "a checkpoint's name has 1 to " + std::to_string(kLongestName) + " bytes"));
  emit(CheckpointCreated{make.name, ""});
}

void Machine::on(const Rewind& rewind) {
  if (state_.state == WorkflowState::compensating) return refuse("rewind");
  if (is_terminal(state_.state) && !state_.parent_id.empty())
    return refuse(Error(code::invalid_state, "cannot rewind instance '" + state_.id + "': it is a sub-workflow that is over",
                        "rewind its parent '" + state_.parent_id + "' before the step that ran it"));
  if (!rewind.mark) return refuse(Error(code::not_found, "instance '" + state_.id + "' has no place " + describe(rewind.place)));
  const State& mark = rewind.mark->state;
  // What was done by then and undone since is missing now; steps that rely on it must not run.
  for (std::size_t i = 0; i < mark.undo.size() && i < state_.undo.size(); ++i)
    if (state_.undo[i].state != UndoState::due && mark.undo[i].state == UndoState::due)
      return refuse(Error(code::invalid_state, "cannot rewind instance '" + state_.id + "' to " + describe(rewind.place) + ": step '" +
                                                   state_.undo[i].path + "' was compensated since",
                          "rewind to before '" + state_.undo[i].path + "', or rerun it"));
  if (state_.custom_undo != UndoState::due && mark.counters.completed > 0)
    return refuse(Error(code::invalid_state, "cannot rewind instance '" + state_.id + "' to " + describe(rewind.place) +
                                                 ": its compensation_steps have run since", "rerun it"));
  const bool held = state_.state == WorkflowState::paused;
  const bool waits = rewind.queued || state_.state == WorkflowState::pending;
  cancel_everything("the instance is rewound");
  Rewound rewound;
  rewound.to = describe(rewind.place);
  rewound.back_to = mark.seq;
  rewound.since = rewind.mark->at;
  rewound.mark = encode_state(mark);
  rewound.execution = rewind.same_execution ? 0 : state_.last_execution + 1;
  rewound.as = held ? WorkflowState::paused : waits ? WorkflowState::pending : WorkflowState::running;
  emit(std::move(rewound));
  attend_everything();
  if (going()) fire_timers();
}

}  // namespace mapflow::kernel
