// What can happen to an instance from outside, and what it wants done.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "kernel/ids.h"
#include "kernel/history.h"
#include "kernel/record.h"
#include "kernel/rewind.h"
#include "model/message.h"

namespace mapflow::kernel {

// --- inputs -------------------------------------------------------------------------------------------------------

struct Start {
  std::string id;
  std::string correlation_id;
  std::string parent_id;
  Value input;
  std::vector<std::string> tags;
  std::uint64_t seed = 0;
  RunId parent_run;             ///< with a parent: its step, and the rest that a child is told
  std::uint32_t parent_attempt = 0;
  ParentClose on_parent_close = ParentClose::cancel;
  std::uint32_t depth = 0;
  Value library;                ///< content hash by workflow id
  std::string rerun_of;
  bool queued = false;          ///< it is accepted, and begins with Admit
  std::string turn_key;         ///< Program::turn_key
  std::optional<std::vector<std::string>> breakpoints;  ///< set: in mode debug, with these
};
/// The turn of a queued instance has come.
struct Admit {};
/// The outcome of a call. Ignored unless the call is still waited for.
struct CallDone {
  RunId run;
  std::uint32_t attempt = 1;
  Result<Reply> outcome;
};
/// Time has passed: whatever is due by `now` happens.
struct Tick {};
/// The instance was just read back from the store: calls in flight are made again, work that stood still goes on.
struct Recover {};
/// Goes on with work that an earlier Commit left over (`more`).
struct Continue {};
struct Signal {
  std::string name;
  Value payload;
};
struct Pause { std::string reason; };
struct Resume {};
struct Cancel { std::string reason; };
struct Terminate { std::string reason; };
/// Tries a step again that suspended the instance, or that waits for its next attempt. `step`: its path, or its id
/// where only one such step is alive; empty: every step that suspended the instance.
struct Retry { std::string step; };
/// Gives a living step up as skipped, with this result. `step` as for Retry.
struct Skip {
  std::string step;
  Value result;
};
/// Debugs an instance: every template that is evaluated is recorded with what it read and gave, and the instance stops
/// (suspended) before the steps with these ids. `on` false: no more.
struct Debug {
  bool on = true;
  std::vector<std::string> breakpoints;
};
/// Lets the step begin that a debugged instance stopped before, and stops before the next one.
struct StepOnce {};
/// Makes a named checkpoint here and now. One of the same name is replaced.
struct MakeCheckpoint { std::string name; };
/// Takes the instance back to how it was at a place, over or not, and goes on from there.
struct Rewind {
  Place place;
  bool same_execution = false;       ///< steps keep their idempotency keys: a retry
  std::shared_ptr<const Mark> mark;  ///< the instance as it was there, which only the journal knows
  bool queued = false;               ///< it is not its turn: it goes on with Admit
};
/// Sets variables, by dotted name, of a paused or suspended instance, and the members of its budget that are given.
struct Update {
  Value variables;
  std::optional<Budget> budget = std::nullopt;
};
/// The instance's children used or set aside more (or less) than it knew.
struct ChildSpent {
  Spending used;
  Reserve reserved;
};
/// The answer to a call that was left open (Reply::pending), by the call's token: its idempotency key.
struct Complete {
  std::string token;
  Result<Reply> outcome;
};
/// A request that was found impossible before it came here.
struct Impossible { Error why; };
/// A child instance is over, or could not be started (`state` is failed and `error` says why).
struct ChildEnded {
  std::string child;            ///< instance id
  RunId run;                    ///< the step that started it
  std::uint32_t attempt = 1;
  WorkflowState state = WorkflowState::failed;
  Value document;               ///< {instance_id, state, results, variables}
  std::optional<Error> error;   ///< why it did not complete
  bool undoable = false;        ///< it completed, and some of its steps can be undone
};
/// The parent of this completed instance is being undone: undo what its steps did. Of no effect in any other state.
struct Compensate {};

using Input = std::variant<Start, Admit, CallDone, Tick, Recover, Continue, Signal, Pause, Resume, Cancel, Terminate, Retry, Skip, Update,
                           MakeCheckpoint, Rewind, Debug, StepOnce, Complete, Impossible, ChildEnded, ChildSpent, Compensate>;

/// Under what name a request is remembered, so that it is carried out once however often it comes, and its sender can
/// find out what became of it.
struct Ticket {
  std::string id;
  std::string command;          ///< for people: "pause", "signal" …
};

// --- effects ------------------------------------------------------------------------------------------------------

/// Who is called.
struct Target {
  enum class Kind : std::uint8_t { agent, handler } kind = Kind::agent;
  std::string name;
};
/// Make this call. The outcome comes back as CallDone with the same run and attempt.
struct PlaceCall {
  RunId run;
  std::uint32_t attempt = 1;
  Target target;
  Envelope envelope;
  std::optional<Duration> heartbeat;  ///< the handler says that it is at work at least so often
  bool expects_reply = true;   ///< false: done once the transport has taken the message
};
/// Nobody waits for this call any more.
struct DropCall {
  RunId run;
  std::string envelope_id;
};

/// Start this child instance, unless it exists. Its end comes back as ChildEnded; with `detached`, the start as CallDone.
struct StartChild {
  RunId run;
  std::uint32_t attempt = 1;
  std::string child;            ///< instance id
  std::string workflow;
  std::string version;          ///< empty: any
  bool detached = false;
  bool again = false;           ///< it may exist already: an earlier delivery may have started it
  Start start;                  ///< all but id and seed
};
/// Do this with a child that was released. Its end comes back as ChildEnded, also when it is over already.
struct TellChild {
  std::string child;
  Release how = Release::cancel;
};

using Effect = std::variant<PlaceCall, DropCall, StartChild, TellChild>;

/// What one decision came to. The records are already applied; the effects must wait until the records are durable.
struct Commit {
  std::vector<Record> records;
  std::vector<Effect> effects;
  std::vector<Event> events;       ///< what happened, when DecideLimits::events asks for it
  bool more = false;               ///< the turn was cut short: give the instance a Continue
  std::optional<Error> refused;    ///< why a request was not carried out; the records, if any, only say so
  void clear() {
    records.clear();
    effects.clear();
    events.clear();
    more = false;
    refused.reset();
  }
};

}  // namespace mapflow::kernel
