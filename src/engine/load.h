// What a node has to do at this moment, for people who watch it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "model/state.h"

namespace mapflow::engine {

/// The states of an instance that is not over come first.
inline constexpr std::size_t kLivingStates = static_cast<std::size_t>(WorkflowState::completed);

/// Read part by part while the node works on, so the numbers need not fit together.
struct Load {
  std::array<std::uint64_t, kLivingStates> instances{};  ///< that this node runs, asleep ones too, by WorkflowState
  std::uint64_t letters = 0;   ///< what came for the shards, and was not looked at yet
  std::uint64_t inputs = 0;    ///< what instances were given, and have not decided on yet
  std::uint64_t turns = 0;     ///< instances that wait until `concurrency` lets them run
  std::uint64_t agents = 0;    ///< calls that wait at the limits of their agent
  std::uint64_t handlers = 0;  ///< calls of handlers that no worker has taken yet
  std::uint64_t events = 0;    ///< that wait for the listener that is the furthest behind
};

}  // namespace mapflow::engine
