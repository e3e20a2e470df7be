// The agents of a node: each is made once per definition and name, and shared by all shards.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "engine/agent.h"
#include "kernel/program.h"

namespace mapflow::engine {

/// Thread safety: every call may come from any thread.
class AgentPool {
 public:
  /// `factory` may be null: then there are no transports. `configured` agents may be used by every definition; its own
  /// come first. `defaults` is the context of every agent, but for the folder.
  AgentPool(std::shared_ptr<AgentFactory> factory, std::vector<AgentConfig> configured, AgentContext defaults);

  /// What is said about the agent; nullptr when nobody declares it.
  const AgentConfig* config(const kernel::Program& program, std::string_view name) const;
  /// Errors: not_found when nobody declares the agent, and those of the factory.
  Result<std::shared_ptr<Agent>> get(const kernel::Program& program, std::string_view name);

 private:
  const std::shared_ptr<AgentFactory> factory_;
  const std::vector<AgentConfig> configured_;
  const AgentContext defaults_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Agent>, std::less<>> made_;
};

}  // namespace mapflow::engine
