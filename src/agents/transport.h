// A way to reach agents. Each transport is one file here and one line in the table of factory.cpp.
#pragma once

#include <memory>

#include "base/error.h"
#include "engine/agent.h"

namespace mapflow::agents {

/// Makes the agents of one transport and holds what they share: an event loop, a connection pool.
/// The agents keep that alive themselves, so a Transport may be destroyed before them.
class Transport {
 public:
  virtual ~Transport() = default;
  /// Errors: invalid_input naming the setting that is wrong (`where`: the agent's place); resource_exhausted when the
  /// system gives no thread or descriptor.
  virtual Result<std::unique_ptr<engine::Agent>> make(const AgentConfig& config,
                                                      const engine::AgentContext& context) = 0;
};

}  // namespace mapflow::agents
