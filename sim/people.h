// Agents, handlers and workers of a simulated cluster: they do what the script says, some time later.
#pragma once

#include <functional>
#include <memory>

#include "engine/agent.h"
#include "engine/handler.h"
#include "engine/limits/gatekeeper.h"
#include "engine/worker_pool.h"
#include "sim/generator.h"
#include "sim/script.h"
#include "sim/watcher.h"
#include "sim/world.h"

namespace mapflow::sim {

/// How long agents and workers take.
struct Manners {
  bool late = false;  ///< now and then they take seconds
  bool busy = false;  ///< now and then workers refuse
  bool prompt = true;  ///< nodes renew their leases in time, so that none calls without one
};

/// What one node calls. Once the node is gone, nobody answers it any more: `gone` is shared with whoever knows.
struct Surroundings {
  World& world;
  Watcher& watcher;
  const Script& script;
  Manners manners;
  std::shared_ptr<bool> gone;
  std::function<void(const Envelope& envelope)> left_open;  ///< told of calls that will be answered by their token
  Bite limits = Bite::none;  ///< agents must not see more than these allow
};

std::shared_ptr<engine::AgentFactory> make_agents(const Surroundings& around);
std::shared_ptr<engine::Workers> make_workers(const Surroundings& around);
std::shared_ptr<const engine::HandlerTable> make_handlers(const Surroundings& around);
/// The agents that every definition may use: alpha, beta and gamma answer at once, delta and erin later (script.h).
/// Limited: two at once for alpha, bursts of three for beta; and when limits bite, one call may wait for
/// alpha, and gamma is left alone for two seconds when it failed twice.
std::vector<AgentConfig> configured_agents(Bite limits);
/// Gates that let everybody through, limits or not.
std::shared_ptr<engine::Gatekeeper> make_open_gates();

}  // namespace mapflow::sim
