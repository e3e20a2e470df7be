#include "engine/agent_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mapflow::engine {

AgentPool::AgentPool(std::shared_ptr<AgentFactory> factory, std::vector<AgentConfig> configured, AgentContext defaults)
    : factory_(std::move(factory)), configured_(std::move(configured)), defaults_(std::move(defaults)) {}

const AgentConfig* AgentPool::config(const kernel::Program& program, std::string_view name) const {
  for (const std::vector<AgentConfig>* agents : {&program.definition().agents, &configured_}) {
    const auto found = std::ranges::find(*agents, name, &AgentConfig::name);
    if (found != agents->end()) return &*found;
  }
  return nullptr;
}

Result<std::shared_ptr<Agent>> AgentPool::get(const kernel::Program& program, std::string_view name) {
  const AgentConfig* const wanted = config(program, name);
  if (!wanted)
    return fail(code::not_found, fmt::format("there is no agent '{}'", name),
                "declare it under `agents:` in the definition or in the engine's configuration");
  if (!factory_)
    return fail(code::not_found, fmt::format("agent '{}': this engine was given no transports", name));

  // Agents of a definition belong to that definition, so two definitions may use one name for different agents.
  const bool own = std::ranges::any_of(program.definition().agents, [&](const AgentConfig& a) { return &a == wanted; });
  const std::string key = fmt::format("{}/{}", own ? program.hash() : std::string(), name);
  const std::lock_guard lock(mutex_);
  if (const auto found = made_.find(key); found != made_.end()) return found->second;
  AgentContext context = defaults_;
  if (own) context.folder = std::filesystem::path(program.definition().file).parent_path();
  MAPFLOW_ASSIGN(std::unique_ptr<Agent> made, factory_->make(*wanted, context));
  return made_.emplace(key, std::move(made)).first->second;
}

}  // namespace mapflow::engine
