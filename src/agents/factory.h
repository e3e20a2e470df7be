// All transports by name.
#pragma once

#include <memory>

#include "engine/agent.h"

namespace mapflow::agents {

/// A factory of every transport in the table of factory.cpp. Use it from one thread at a time; the agents it made
/// may be used from all, and may outlive it.
std::unique_ptr<engine::AgentFactory> make_agent_factory();

}  // namespace mapflow::agents
