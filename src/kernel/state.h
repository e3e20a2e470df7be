// The state of one instance, and the one door through which facts enter it.
//
// Live running and recovery both call `apply`, so they cannot drift apart: replaying an instance's records gives
// exactly the state it had (tested by the simulator after every commit).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/rare.h"
#include "base/time.h"
#include "kernel/ids.h"
#include "kernel/ledger.h"
#include "kernel/program.h"
#include "kernel/record.h"
#include "kernel/request.h"
#include "model/state.h"
#include "value/value.h"

namespace mapflow::kernel {

/// What became of the blocks that a run opened.
struct Join {
  std::uint32_t opened = 0;
  std::uint32_t succeeded = 0;
  std::uint32_t failed = 0;
  bool stop = false;
  Value values;                      ///< array by slot of what was collected; absent slots are null
  std::vector<std::pair<std::uint32_t, Error>> errors;  ///< by slot
  std::uint32_t closed() const { return succeeded + failed; }
  std::uint32_t open() const { return opened - closed(); }
  template <class A> void fields(A& a) {
    a("opened", opened); a("succeeded", succeeded); a("failed", failed); a("stop", stop); a("values", values);
    a("errors", errors);
  }
};

/// A step being executed.
struct Run {
  RunId id;
  NodeIndex node;
  FrameId frame;
  StepState state = StepState::pending;
  Phase phase = Phase::working;
  std::uint32_t attempt = 0;
  std::uint32_t delivery = 0;         ///< of the call in flight; 0: none is
  bool left_open = false;             ///< the call in flight will be answered by its token
  bool held = false;                  ///< its call waits for what the budget has left
  std::optional<Hold> hold;           ///< what is set aside for the call in flight
  std::uint32_t execution = 1;
  Timestamp started{};
  Timestamp due = kNever;             ///< retry or wait
  Timestamp deadline = kNever;        ///< of the attempt
  Timestamp total_deadline = kNever;  ///< of all attempts
  std::string signal;                 ///< waited for
  std::string kept_child;             ///< id of the child that completed and can be undone
  std::optional<Request> request;     ///< of the call
  Value memo;                         ///< the kind's own facts
  Value result;                       ///< in phase succeeded
  std::vector<std::pair<std::string, Value>> writes;  ///< in phase succeeded
  Rare<Error> error;                  ///< of the last attempt that failed
  Join join;
  template <class A> void fields(A& a) {
    a("id", id); a("node", node); a("frame", frame); a("state", state); a("phase", phase); a("attempt", attempt);
    a("delivery", delivery); a("left_open", left_open); a("held", held); a("hold", hold); a("execution", execution); a("started", started); a("due", due); a("deadline", deadline);
    a("total_deadline", total_deadline); a("signal", signal); a("kept_child", kept_child); a("request", request); a("memo", memo); a("result", result);
    a("writes", writes); a("error", error); a("join", join);
  }
  Timestamp next_timer() const { return std::min({due, deadline, total_deadline}); }
  /// Whether its call starts a child instance.
  bool calls_child() const { return request && request->kind == Request::Kind::workflow; }
};

/// A block being executed.
struct Frame {
  FrameId id;
  RunId owner;
  BlockIndex block;
  FrameRole role = FrameRole::branch;
  std::uint32_t slot = 0;
  std::uint32_t execution = 1;
  std::uint32_t next = 0;             ///< position of the step that starts next
  RunId active = kNoRun;              ///< the step that runs now
  Value last;                         ///< result of the step before
  Rare<Error> error;                  ///< of the step that failed it
  Value locals;
  bool scoped = false;                ///< keeps its steps' results to itself (an iteration, a compensation)
  Value results;                      ///< of its steps, when scoped
  template <class A> void fields(A& a) {
    a("id", id); a("owner", owner); a("block", block); a("role", role); a("slot", slot); a("execution", execution);
    a("next", next); a("active", active); a("last", last); a("error", error); a("locals", locals); a("scoped", scoped);
    a("results", results);
  }
};

/// A completed step that can be undone.
enum class UndoState : std::uint8_t { due, running, done, failed };
struct Undo {
  NodeIndex node;
  std::string path;
  std::uint32_t execution = 1;
  UndoState state = UndoState::due;
  Value input;
  Value result;
  Value locals;
  std::string child;                  ///< undone by undoing this child instance; empty: by the step's `compensate`
  template <class A> void fields(A& a) {
    a("node", node); a("path", path); a("execution", execution); a("state", state); a("input", input);
    a("result", result); a("locals", locals); a("child", child);
  }
};

/// A child that no step waits for, but the instance does.
struct Released {
  Release how = Release::cancel;
  std::uint32_t undo = 0;
  template <class A> void fields(A& a) { a("how", how); a("undo", undo); }
};

/// A step that is over, for people who look at the instance.
struct Settled {
  RunId run;                          ///< kNoRun: skipped without being started
  NodeIndex node;
  std::string path;
  StepState state = StepState::completed;
  std::uint32_t attempt = 0;
  Timestamp started{};
  Timestamp ended{};
  Rare<Error> error;
  template <class A> void fields(A& a) {
    a("run", run); a("node", node); a("path", path); a("state", state); a("attempt", attempt); a("started", started);
    a("ended", ended); a("error", error);
  }
};

/// A named place in the instance's records that it can be rewound to.
struct Checkpoint {
  std::string name;
  std::uint64_t seq = 0;              ///< the state after this record
  Timestamp at{};
  std::string path;                   ///< of the step that was completed; empty: made from outside
  template <class A> void fields(A& a) { a("name", name); a("seq", seq); a("at", at); a("path", path); }
};

/// What became of a command that another process left for the instance.
struct CommandOutcome {
  std::string id;
  std::optional<Error> refused;
  template <class A> void fields(A& a) { a("id", id); a("refused", refused); }
};

/// How an instance that is debugged is stopped and let go.
struct Debugging {
  std::vector<std::string> breakpoints;
  bool stepping = false;              ///< stop before whatever step begins next
  FrameId halted = kNoFrame;          ///< stopped before this frame's next step
  FrameId passing = kNoFrame;         ///< this frame's next step may begin all the same
  template <class A> void fields(A& a) {
    a("breakpoints", breakpoints); a("stepping", stepping); a("halted", halted); a("passing", passing);
  }
};

struct Counters {
  std::uint64_t completed = 0, failed = 0, skipped = 0, cancelled = 0, retries = 0, calls = 0, compensations = 0;
  template <class A> void fields(A& a) {
    a("completed", completed); a("failed", failed); a("skipped", skipped); a("cancelled", cancelled);
    a("retries", retries); a("calls", calls); a("compensations", compensations);
  }
};

struct State {
  /// At most this many finished steps are listed one by one; iterations of a longer loop are only counted.
  static constexpr std::size_t kSettledKept = 2000;
  /// At most this many checkpoints are kept; the oldest gives way.
  static constexpr std::size_t kCheckpointsKept = 32;
  /// The outcomes of so many commands are remembered; one that comes again is not carried out again.
  static constexpr std::size_t kCommandsKept = 100;

  std::uint64_t seq = 0;              ///< records applied
  std::string id, workflow, version, definition, correlation_id, parent_id, rerun_of;
  RunId parent_run;
  std::uint32_t parent_attempt = 0;
  ParentClose on_parent_close = ParentClose::cancel;
  std::uint32_t depth = 0;
  Value library;
  std::vector<std::string> tags;
  WorkflowState state = WorkflowState::pending;
  WorkflowState outcome = WorkflowState::failed;  ///< while compensating: the end when nothing had to be undone
  std::string reason;                 ///< of the last change of state
  std::string turn_key;               ///< the value of the workflow's `concurrency.key`
  Timestamp started{};
  Timestamp changed{};                ///< last change of state
  Timestamp deadline = kNever;
  std::uint64_t seed = 0;
  Value input;
  Value variables;
  Value results;
  std::vector<Error> errors;
  Rare<Error> failure;                ///< why it is being compensated, or ended unhappily
  std::map<std::string, std::deque<Value>> signals;  ///< received and not yet taken
  std::map<RunId, Run> runs;
  std::map<FrameId, Frame> frames;
  std::vector<Undo> undo;             ///< in the order of completion
  UndoState custom_undo = UndoState::due;  ///< of the workflow's compensation_steps, with strategy custom
  std::map<std::string, Released> released;  ///< children by instance id
  std::vector<Settled> settled;
  std::vector<CommandOutcome> commands;  ///< the latest ones, in the order in which they came
  Counters counters;
  Ledger ledger;
  std::uint32_t last_run = 0;
  std::uint32_t last_frame = 0;
  std::uint32_t last_execution = 1;
  std::vector<Checkpoint> checkpoints;  ///< oldest first
  std::uint32_t rewinds = 0;
  std::optional<Debugging> debug;     ///< in mode debug
  template <class A> void fields(A& a) {
    a("seq", seq); a("id", id); a("workflow", workflow); a("version", version); a("definition", definition);
    a("correlation_id", correlation_id); a("parent_id", parent_id); a("parent_run", parent_run);
    a("parent_attempt", parent_attempt); a("on_parent_close", on_parent_close); a("depth", depth); a("library", library);
    a("outcome", outcome); a("released", released); a("tags", tags); a("state", state); a("reason", reason); a("turn_key", turn_key);
    a("started", started); a("changed", changed); a("deadline", deadline); a("seed", seed); a("input", input);
    a("variables", variables); a("results", results); a("errors", errors); a("failure", failure); a("custom_undo", custom_undo);
    a("signals", signals); a("runs", runs); a("frames", frames); a("undo", undo); a("settled", settled);
    a("commands", commands);
    a("counters", counters); a("ledger", ledger); a("last_run", last_run); a("last_frame", last_frame); a("last_execution", last_execution);
    a("rerun_of", rerun_of); a("checkpoints", checkpoints); a("rewinds", rewinds); a("debug", debug);
  }

  // Derived from the above, so neither stored nor compared.
  std::set<std::pair<Timestamp, RunId>> timers;  ///< next_timer() of every run that has one
  std::set<RunId> held;                          ///< runs whose call waits for the budget

  /// When this instance next wants a Tick; kNever while it is held or has nothing due.
  Timestamp wake_at() const;
  const Run* run(RunId id) const;
  const Frame* frame(FrameId id) const;
  /// What became of that command; nullptr when it never came, or too many came since.
  const CommandOutcome* command(std::string_view id) const;
  /// The frame in which a frame's owner stands; nullptr for the instance's own frames.
  const Frame* around(const Frame& inner) const;
  /// "fan/pack" or "each[3]/fetch", "pay/compensate": the chain of step ids down to this run.
  std::string path(const Program& program, RunId run) const;
  /// The same for a step that is, or would be, executed in `frame`.
  std::string path_in(const Program& program, FrameId frame, NodeIndex node) const;
  /// "<instance id>/<step path>#<execution>": the same for every attempt and delivery of the run's call.
  std::string idempotency_key(const Program& program, const Run& run) const;
  std::string idempotency_key(std::string_view path, const Run& run) const;  ///< `path`: the run's
  /// The frame that keeps the results of the steps in `frame`; kNoFrame when the instance itself does.
  FrameId results_scope(FrameId frame) const;
};

/// Takes a fact in. The record must be one that `decide` made for this state (or that was, when it was first applied):
/// anything else is a bug, or corruption that the log's checksums should have caught.
void apply(const Program& program, State& state, const Record& record);

/// Appends a mark and a number: names of calls are made with every step, so they are made in one piece.
void append_numbered(std::string& text, char mark, std::uint32_t number);

/// Rebuilds what is derived, after the other members were read back from a snapshot.
void restore_derived(State& state);

}  // namespace mapflow::kernel
