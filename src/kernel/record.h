// Records: the facts that make up an instance. Everything an instance is, follows from its records in order.
//
// A record says what happened, never what to compute: what a condition or template came out as is in it. So replaying
// needs no templates, no clock and no chance, and a newer engine cannot change the past.
// Adding a record touches three places: the struct and variant here, `apply` (state.cpp), and, when people should see
// it as an event, history.cpp. The codec follows from `fields`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/rare.h"
#include "base/time.h"
#include "kernel/ids.h"
#include "kernel/ledger.h"
#include "kernel/request.h"
#include "model/state.h"
#include "value/value.h"

namespace mapflow::kernel {

/// Why a block runs.
enum class FrameRole : std::uint8_t {
  main,          ///< the workflow's own steps
  branch,        ///< one of a step's own blocks
  on_error,
  on_success,
  compensation,  ///< undoes one completed step
  custom_compensation,  ///< the workflow's compensation_steps
  fallback,      ///< instead of a call to an agent whose circuit is open
};

/// Where a run stands between its own work and its hooks.
enum class Phase : std::uint8_t {
  working,
  handling,      ///< its `on_error` steps run
  succeeded,     ///< its `on_success` steps run
  parked,        ///< a person decides
  falling_back,  ///< its `fallback` steps run
};

/// What is asked of a child that its step waits for no longer. The parent still waits for it before it ends itself.
enum class Release : std::uint8_t {
  cancel,
  terminate,
  wait,   ///< nothing: it may come to its own end
  undo,   ///< it had completed, and is compensated as a part of the parent's compensation
};

struct InstanceStarted {
  std::string id;
  std::string workflow;
  std::string version;
  std::string definition;      ///< content hash
  std::string correlation_id;
  std::string parent_id;       ///< empty: nobody's child
  RunId parent_run;            ///< the parent's step that started it
  std::uint32_t parent_attempt = 0;
  ParentClose on_parent_close = ParentClose::cancel;
  std::uint32_t depth = 0;     ///< how many parents there are above
  Value library;               ///< content hash by workflow id: what sub-workflows are started from
  Value input;                 ///< what the starter gave
  Value variables;             ///< the definition's defaults with the input laid over them
  std::string rerun_of;        ///< the instance whose input this one was given again; empty: none
  std::vector<std::string> tags;
  std::uint64_t seed = 0;      ///< where this instance's chance comes from
  Timestamp deadline = kNever; ///< of the whole workflow
  bool queued = false;         ///< it waits for its turn first
  std::string turn_key;        ///< the value of the workflow's `concurrency.key`
  template <class A> void fields(A& a) {
    a("id", id); a("workflow", workflow); a("version", version); a("definition", definition);
    a("correlation_id", correlation_id); a("parent_id", parent_id); a("parent_run", parent_run);
    a("parent_attempt", parent_attempt); a("on_parent_close", on_parent_close); a("depth", depth); a("library", library);
    a("input", input); a("variables", variables);
    a("rerun_of", rerun_of); a("tags", tags); a("seed", seed); a("deadline", deadline); a("queued", queued); a("turn_key", turn_key);
  }
};

struct StateChanged {
  WorkflowState to = WorkflowState::running;
  std::string reason;
  Rare<Error> error;
  WorkflowState outcome = WorkflowState::failed;  ///< to `compensating`: the end when nothing had to be undone
  template <class A> void fields(A& a) { a("to", to); a("reason", reason); a("error", error); a("outcome", outcome); }
};

/// A block begins. `owner` is the run whose block it is; kNoRun for the instance's own.
struct FrameOpened {
  FrameId frame;
  RunId owner;
  BlockIndex block;
  FrameRole role = FrameRole::branch;
  std::uint32_t slot = 0;       ///< which branch, iteration or undo entry
  std::uint32_t execution = 1;  ///< goes into idempotency keys; grows when steps run again on purpose
  Value locals;                 ///< names only seen inside: loop variable, `error`, `original`
  template <class A> void fields(A& a) {
    a("frame", frame); a("owner", owner); a("block", block); a("role", role); a("slot", slot);
    a("execution", execution); a("locals", locals);
  }
};

struct FrameClosed {
  FrameId frame;
  bool succeeded = true;
  bool stop = false;            ///< the owner opens no further frames (`until`, `break_when`)
  bool keep = true;             ///< `value` is collected by the owner
  Value value;
  Rare<Error> error;
  template <class A> void fields(A& a) {
    a("frame", frame); a("succeeded", succeeded); a("stop", stop); a("keep", keep); a("value", value); a("error", error);
  }
};

struct StepStarted {
  RunId run;
  NodeIndex node;
  FrameId frame;
  Timestamp total_deadline = kNever;
  template <class A> void fields(A& a) { a("run", run); a("node", node); a("frame", frame); a("total_deadline", total_deadline); }
};

/// An attempt begins.
struct AttemptStarted {
  RunId run;
  std::uint32_t attempt = 1;
  Timestamp deadline = kNever;
  template <class A> void fields(A& a) { a("run", run); a("attempt", attempt); a("deadline", deadline); }
};

/// A call to an agent or handler is due. Committed before it is made.
struct CallPlaced {
  RunId run;
  std::uint32_t delivery = 1;   ///< above 1: made again after a crash that hid the outcome
  std::optional<Request> request;  ///< set with the first call of an execution
  std::optional<Hold> hold;     ///< what is set aside for it; a further delivery lives by the first one's
  template <class A> void fields(A& a) { a("run", run); a("delivery", delivery); a("request", request); a("hold", hold); }
};

/// The call is due, but what its budget has left must wait for what calls under way will have used.
struct CallHeld {
  RunId run;
  template <class A> void fields(A& a) { a("run", run); }
};

/// What the call of the run used. Its reserve goes back.
struct UseSettled {
  RunId run;
  Spending used;
  bool learn = false;           ///< further calls of the step may be expected to use no more
  template <class A> void fields(A& a) { a("run", run); a("used", used); a("learn", learn); }
};

/// What the instance's children used, and set aside, more (or less) than was known.
struct ChildCharged {
  Spending used;
  Reserve reserved;
  template <class A> void fields(A& a) { a("used", used); a("reserved", reserved); }
};

/// A person changed what may be used.
struct BudgetChanged {
  Limits limits;
  template <class A> void fields(A& a) { a("limits", limits); }
};

/// The agent has the call and answers it later, by its token. It is not made again after a crash.
struct CallLeftOpen {
  RunId run;
  template <class A> void fields(A& a) { a("run", run); }
};

/// The step sleeps until `due` or until the signal comes.
struct StepWaiting {
  RunId run;
  Timestamp due = kNever;
  std::string signal;
  template <class A> void fields(A& a) { a("run", run); a("due", due); a("signal", signal); }
};

/// A fact that the step's kind wants kept: a loop's items, a quorum's size.
struct Noted {
  RunId run;
  Value memo;
  template <class A> void fields(A& a) { a("run", run); a("memo", memo); }
};

struct StepRetrying {
  RunId run;
  Timestamp due;
  Error error;
  template <class A> void fields(A& a) { a("run", run); a("due", due); a("error", error); }
};

/// The step's own work failed for good and its hooks, or a person, decide what becomes of it.
struct StepFaulted {
  RunId run;
  Error error;
  Phase phase = Phase::handling;  ///< handling, parked or falling_back
  template <class A> void fields(A& a) { a("run", run); a("error", error); a("phase", phase); }
};

/// The step's own work is done and its `on_success` steps run before it settles.
struct StepSucceeded {
  RunId run;
  Value result;
  std::vector<std::pair<std::string, Value>> writes;
  template <class A> void fields(A& a) { a("run", run); a("result", result); a("writes", writes); }
};

struct StepSettled {
  RunId run;
  StepState state = StepState::completed;
  bool tolerated = false;       ///< failed, but the workflow goes on (`on_error: continue`)
  Value result;
  std::vector<std::pair<std::string, Value>> writes;  ///< dotted variables set by the step
  Rare<Error> error;
  template <class A> void fields(A& a) {
    a("run", run); a("state", state); a("tolerated", tolerated); a("result", result); a("writes", writes); a("error", error);
  }
};

/// A step that was never started, because its `when` said no.
struct StepSkipped {
  FrameId frame;
  NodeIndex node;
  template <class A> void fields(A& a) { a("frame", frame); a("node", node); }
};

struct SignalReceived {
  std::string name;
  Value payload;
  template <class A> void fields(A& a) { a("name", name); a("payload", payload); }
};

/// The oldest queued signal of that name went to the run.
struct SignalTaken {
  RunId run;
  std::string name;
  template <class A> void fields(A& a) { a("run", run); a("name", name); }
};

/// A person set variables, by dotted name.
struct VariablesUpdated {
  std::vector<std::pair<std::string, Value>> writes;
  template <class A> void fields(A& a) { a("writes", writes); }
};

/// The run's child completed, and can be undone later.
struct ChildKept {
  RunId run;
  std::string child;            ///< instance id
  template <class A> void fields(A& a) { a("run", run); a("child", child); }
};

/// No step waits for the child any more, but the instance does not end before it.
struct ChildReleased {
  std::string child;
  Release how = Release::cancel;
  std::uint32_t undo = 0;       ///< with Release::undo: the entry in State::undo
  template <class A> void fields(A& a) { a("child", child); a("how", how); a("undo", undo); }
};

/// A released child is over.
struct ChildGone {
  std::string child;
  WorkflowState ended = WorkflowState::cancelled;
  Rare<Error> error;
  template <class A> void fields(A& a) { a("child", child); a("ended", ended); a("error", error); }
};

/// A place to rewind to: the state after this record. A new one takes the place of an older one of its name.
struct CheckpointCreated {
  std::string name;
  std::string path;             ///< of the step that was completed; empty: asked for from outside
  template <class A> void fields(A& a) { a("name", name); a("path", path); }
};

/// The instance is again as it was after record `back_to`: what was recorded since is history, and no part of it any more.
struct Rewound {
  std::string to;               ///< the place, in words
  std::uint64_t back_to = 0;
  Timestamp since{};            ///< when the instance was there
  std::string mark;             ///< its state then, encoded: replaying must not need records that were dropped
  std::uint32_t execution = 0;  ///< of the steps that run from here; 0: as it was, a retry
  WorkflowState as = WorkflowState::running;
  template <class A> void fields(A& a) {
    a("to", to); a("back_to", back_to); a("since", since); a("mark", mark); a("execution", execution); a("as", as);
  }
};

/// A waiting step's time has come. What the step makes of it follows.
struct TimerFired {
  RunId run;
  template <class A> void fields(A& a) { a("run", run); }
};

/// A command came from another process, under an id of its own.
struct CommandReceived {
  std::string id;
  std::string command;          ///< its name: "pause", "signal" …
  template <class A> void fields(A& a) { a("id", id); a("command", command); }
};

/// The command was not carried out.
struct CommandRefused {
  std::string id;
  Error error;
  template <class A> void fields(A& a) { a("id", id); a("error", error); }
};

/// From here on the instance is debugged, or is not any more.
struct DebugSet {
  bool on = true;
  std::vector<std::string> breakpoints;  ///< ids of steps to stop before
  template <class A> void fields(A& a) { a("on", on); a("breakpoints", breakpoints); }
};

/// The instance stops before this step begins.
struct Halted {
  FrameId frame;
  NodeIndex node;
  template <class A> void fields(A& a) { a("frame", frame); a("node", node); }
};

/// The step that it stopped before may begin. `stepping`: and then it stops before the next one.
struct HaltPassed {
  bool stepping = false;
  template <class A> void fields(A& a) { a("stepping", stepping); }
};

/// A template was evaluated while the instance is debugged.
struct Evaluated {
  FrameId frame;                ///< where its names were looked up
  RunId run;                    ///< kNoRun: a step's `when`, before the step exists
  NodeIndex node;
  Value source;                 ///< the template, or the structure of templates
  Value names;                  ///< what it read, by name
  Value result;
  Rare<Error> error;
  template <class A> void fields(A& a) {
    a("frame", frame); a("run", run); a("node", node); a("source", source); a("names", names); a("result", result); a("error", error);
  }
};

using RecordBody = std::variant<InstanceStarted, StateChanged, FrameOpened, FrameClosed, StepStarted, AttemptStarted,
                                CallPlaced, StepWaiting, Noted, StepRetrying, StepFaulted, StepSucceeded, StepSettled,
                                StepSkipped, SignalReceived, SignalTaken, VariablesUpdated, ChildKept, ChildReleased, ChildGone, CallLeftOpen,
                                CheckpointCreated, Rewound, CallHeld, UseSettled, ChildCharged, BudgetChanged,
                                CommandReceived, CommandRefused, TimerFired, DebugSet, Halted, HaltPassed, Evaluated>;

struct Record {
  Timestamp at;
  RecordBody body;
};

}  // namespace mapflow::kernel
