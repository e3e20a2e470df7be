// Finds the gate of a call: one for each agent that has limits, and for each value of its `key:`.
//
// Agents of the same name, transport, settings and limits are one agent, whatever definition declares them: so a new version
// of a workflow does not begin with a full bucket and a closed circuit.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "engine/limits/agent_gate.h"
#include "jinja/jinja.h"
#include "kernel/program.h"
#include "model/definition.h"
#include "model/message.h"

namespace mapflow::engine {

/// Thread safety: every call may come from any thread.
class Gatekeeper {
 public:
  using MakeGate = std::function<std::shared_ptr<AgentGate>(const GateName&, const AgentLimits&)>;
  explicit Gatekeeper(MakeGate make);
  /// With gates that count for this process alone.
  Gatekeeper(std::shared_ptr<Executor> executor, std::shared_ptr<const Clock> clock, std::shared_ptr<EventSink> events);

  /// The gate that a call of `program` to this agent goes through. `key:` sees the members of the envelope. Errors:
  /// invalid_input when the limits do not read; those of the expression.
  Result<std::shared_ptr<AgentGate>> gate(const kernel::Program& program, const AgentConfig& agent, const Envelope& envelope);

 private:
  /// What an agent's limits come to, read once.
  struct Rules {
    std::string identity;
    AgentLimits limits;
    std::optional<jinja::Template> key;
  };
  Result<std::shared_ptr<const Rules>> rules(const kernel::Program& program, const AgentConfig& agent);
  Result<std::shared_ptr<const Rules>> read(const AgentConfig& agent) const;
  void forget_idle();

  const MakeGate make_;
  const jinja::Environment environment_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Rules>, std::less<>> rules_;  ///< by definition and name
  std::map<std::string, std::shared_ptr<AgentGate>, std::less<>> gates_;    ///< by identity and key
  std::size_t forget_at_ = 1024;  ///< so many gates call for a look at which are idle
};

}  // namespace mapflow::engine
