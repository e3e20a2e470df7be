#include "engine/run_listeners.h"

#include <string_view>

#include "model/state.h"

namespace mapflow::engine {

namespace {

/// "workflow.completed" and its like: nothing follows.
bool is_last(const kernel::Event& event) {
  constexpr std::string_view kPrefix = "workflow.";
  if (!event.type.starts_with(kPrefix)) return false;
  const auto state = parse_workflow_state(std::string_view(event.type).substr(kPrefix.size()));
  return state && is_terminal(*state);
}

}  // namespace

void RunListeners::add(const std::string& instance, Listener listener) {
  const std::lock_guard lock(mutex_);
  Listeners& all = by_instance_[instance];
  auto longer = all ? std::make_shared<std::vector<Listener>>(*all) : std::make_shared<std::vector<Listener>>();
  longer->push_back(std::move(listener));
  all = std::move(longer);
}

void RunListeners::publish(const std::string& instance, const kernel::Event& event) {
  Listeners listeners;
  {
    const std::lock_guard lock(mutex_);
    const auto found = by_instance_.find(instance);
    if (found == by_instance_.end()) return;
    listeners = found->second;
    if (is_last(event)) by_instance_.erase(found);
  }
  for (const Listener& listener : *listeners) listener(event);
}

}  // namespace mapflow::engine
