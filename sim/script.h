// What the agents and handlers of a scenario do when they are called.
//
// An answer follows from who is called (the step's path), with what, and for the how many-th time; never from when. So
// whatever order a cluster does things in, and however often it fails, the same calls get the same answers, and the
// oracle can tell what comes of them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/message.h"
#include "value/value.h"

namespace mapflow::sim {

/// What a step's agent is like.
struct Role {
  enum class Shape : std::uint8_t { number, text, list, object } shape = Shape::number;  ///< of its answers
  std::uint8_t fails_percent = 0;   ///< of its attempts
  std::uint8_t silent_percent = 0;  ///< of its attempts: they are never answered
  std::uint8_t misfit_percent = 0;  ///< of its attempts: an answer that is not what the step expects
  std::uint8_t last_failure = 255;  ///< attempts after this one succeed
  bool tried_again = false;         ///< a step that fails may be tried again, under the same token
  bool late = false;                ///< what it leaves unanswered it answers when the time is up
};

/// A silent agent gives neither a value nor an error.
struct Answer {
  std::optional<Value> value;
  std::optional<Error> error;
  std::optional<Value> misfit = std::nullopt;  ///< what it says first, or, who answers at once, instead
  std::optional<Value> too_late = std::nullopt;  ///< what a silent one says when its time is up
  bool error_at_once = false;  ///< also who answers later says so at once: by its token the next attempt would take it
  bool silent() const { return !value && !error; }
};

/// Agents that leave calls open and answer by the token: `delta` of its own accord, `erin`, a person, out of the inbox.
inline constexpr std::string_view kCallsBack = "delta", kPerson = "erin";
inline bool answers_later(std::string_view agent) { return agent == kCallsBack || agent == kPerson; }

struct Script {
  std::uint64_t seed = 0;
  std::map<std::string, Role, std::less<>> roles;        ///< by step id
  std::map<std::string, bool, std::less<>> signal_sent;  ///< by id of the step that waits for it

  Answer answer(std::string_view step, std::string_view path, std::uint32_t attempt, const Value& data) const;
  Answer answer(const Envelope& envelope) const { return answer(envelope.step, envelope.path, envelope.attempt, envelope.data); }
  /// What comes back from the call itself; nullopt: nothing.
  std::optional<Result<Reply>> reply(std::string_view agent, const Envelope& envelope) const;
  Value payload(std::string_view signal) const;
};

/// The JSON Schema of such answers.
Value schema_of(Role::Shape shape);

/// A small number that tells values apart, whatever the order of their keys.
std::int64_t digest(const Value& value);

}  // namespace mapflow::sim
