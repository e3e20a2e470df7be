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
#include "value/value.h"

namespace mapflow::sim {

/// What a step's agent is like.
struct Role {
  enum class Shape : std::uint8_t { number, text, list, object } shape = Shape::number;  ///< of its answers
  std::uint8_t fails_percent = 0;   ///< of its attempts
  std::uint8_t silent_percent = 0;  ///< of its attempts: they are never answered
  std::uint8_t last_failure = 255;  ///< attempts after this one succeed
};

/// A silent agent gives neither a value nor an error.
struct Answer {
  std::optional<Value> value;
  std::optional<Error> error;
  bool silent() const { return !value && !error; }
};

struct Script {
  std::uint64_t seed = 0;
  std::map<std::string, Role, std::less<>> roles;        ///< by step id
  std::map<std::string, bool, std::less<>> signal_sent;  ///< by id of the step that waits for it

  Answer answer(std::string_view step, std::string_view path, std::uint32_t attempt, const Value& data) const;
  Value payload(std::string_view signal) const;
};

/// A small number that tells values apart, whatever the order of their keys.
std::int64_t digest(const Value& value);

}  // namespace mapflow::sim
