#include "fluent/workflow.h"

#include <array>

namespace mapflow {

namespace {

constexpr std::array<std::string_view, 3> kWaitStrategies{"all", "any", "majority"};
constexpr std::array<std::string_view, 3> kParentCloses{"cancel", "abandon", "wait"};
constexpr std::array<std::string_view, 18> kAggregations{"list",  "merge", "deep_merge", "sum",    "avg",    "min",     "max",  "count", "concat",
                                                         "first", "last",  "median",     "unique", "flatten", "vote",    "best", "quorum", "custom"};

}  // namespace

std::string_view to_string(WaitStrategy strategy) { return kWaitStrategies.at(static_cast<std::size_t>(strategy)); }
std::string_view to_string(ParentClose what) { return kParentCloses.at(static_cast<std::size_t>(what)); }
std::string_view to_string(Aggregation aggregation) { return kAggregations.at(static_cast<std::size_t>(aggregation)); }

WorkflowChain::WorkflowChain(std::string_view id) : Chain(std::make_shared<fluent::Draft>()) {
  draft_->head.id = id;
  draft_->head.version = "1";
}

WorkflowChain WorkflowChain::with_compensation(Steps steps) const {
  draft_->add_people(steps.people);
  return change([&](Definition& head) {
    head.compensation_strategy = CompensationStrategy::custom;
    head.compensation_steps = std::move(steps.block);
  });
}

WorkflowChain WorkflowChain::with_agent(std::string_view name, std::string_view transport, const Data& settings, const Data& limits) const {
  return change([&](Definition& head) {
    AgentConfig agent;
    agent.name = name;
    agent.transport = transport;
    agent.settings = settings.value().is_null() ? Value(Object{}) : settings.value();
    agent.limits = limits.value();
    head.agents.push_back(std::move(agent));
  });
}

BranchChain::BranchChain(std::string_view name) : Chain(std::make_shared<fluent::Draft>()) { draft_->content.name = name; }

}  // namespace mapflow
