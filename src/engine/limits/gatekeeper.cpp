#include "engine/limits/gatekeeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/checksum.h"
#include "jinja/workflow.h"
#include "value/json.h"

namespace mapflow::engine {

Gatekeeper::Gatekeeper(MakeGate make) : make_(std::move(make)), environment_(jinja::workflow_environment()) {}

Gatekeeper::Gatekeeper(std::shared_ptr<Executor> executor, std::shared_ptr<const Clock> clock, std::shared_ptr<EventSink> events)
    : Gatekeeper([executor = std::move(executor), clock = std::move(clock), events = std::move(events)](
                     const GateName& name, const AgentLimits& limits) -> std::shared_ptr<AgentGate> {
        return std::make_shared<LocalGate>(name, limits, executor, clock, events);
      }) {}

Result<std::shared_ptr<AgentGate>> Gatekeeper::gate(const kernel::Program& program, const AgentConfig& agent,
                                                    const Envelope& envelope) {
  MAPFLOW_ASSIGN(const auto rules, this->rules(program, agent));
  GateName name{agent.name, {}, {}};
  if (rules->key) {
    auto key = rules->key->evaluate(jinja::ValueScope(to_value(envelope)));
    if (!key) {
      key.error().message = fmt::format("`key` of agent '{}': {}", agent.name, key.error().message);
      return fail(std::move(key).error());
    }
    name.key = key->is_text() ? std::string(key->as_text()) : to_canonical_json(*key);
  }
  const std::string whole = rules->identity + '\n' + name.key;
  const std::lock_guard lock(mutex_);
  std::shared_ptr<AgentGate>& gate = gates_[whole];
  if (gate) return gate;
  name.id = fnv1a(whole);
  gate = make_(name, rules->limits);
  const auto made = gate;
  if (gates_.size() >= forget_at_) forget_idle();
  return made;
}

Result<std::shared_ptr<const Gatekeeper::Rules>> Gatekeeper::rules(const kernel::Program& program, const AgentConfig& agent) {
  const std::string known_as = program.hash() + '/' + agent.name;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = rules_.find(known_as); found != rules_.end()) return found->second;
  }
  MAPFLOW_ASSIGN(auto rules, read(agent));
  const std::lock_guard lock(mutex_);
  return rules_.emplace(known_as, std::move(rules)).first->second;
}

Result<std::shared_ptr<const Gatekeeper::Rules>> Gatekeeper::read(const AgentConfig& agent) const {
  auto rules = std::make_shared<Rules>();
  rules->identity = agent.name + '\n' + to_canonical_json(object({{agent.transport, agent.settings}, {"limits", agent.limits}}));
  MAPFLOW_ASSIGN(rules->limits, read_agent_limits(agent.limits));
  if (!rules->limits.key.empty()) {
    std::size_t skipped = 0;
    MAPFLOW_ASSIGN(rules->key, environment_.compile_expression(jinja::bare_expression(rules->limits.key, skipped), agent.where));
  }
  return rules;
}

/// Keys may be many and most of them of the past. A gate that nobody holds and that is at rest can be made anew.
void Gatekeeper::forget_idle() {
  std::erase_if(gates_, [](const auto& each) { return each.second.use_count() == 1 && each.second->at_rest(); });
  forget_at_ = std::max<std::size_t>(1024, 2 * gates_.size());
}

}  // namespace mapflow::engine
