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
};
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
/// Sets variables, by dotted name, of a paused or suspended instance.
struct Update { Value variables; };

using Input = std::variant<Start, CallDone, Tick, Recover, Continue, Signal, Pause, Resume, Cancel, Terminate, Retry, Skip, Update>;

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
  bool expects_reply = true;   ///< false: done once the transport has taken the message
};
/// Nobody waits for this call any more.
struct DropCall {
  RunId run;
  std::string envelope_id;
};

using Effect = std::variant<PlaceCall, DropCall>;

/// What one decision came to. The records are already applied; the effects must wait until the records are durable.
struct Commit {
  std::vector<Record> records;
  std::vector<Effect> effects;
  std::vector<Event> events;       ///< what happened, when DecideLimits::events asks for it
  bool more = false;               ///< the turn was cut short: give the instance a Continue
  std::optional<Error> refused;    ///< why a request was not carried out; there are no records then
};

}  // namespace mapflow::kernel
