// The part of a tenure that lets the instances of a workflow with `concurrency` take turns.
#include <fmt/format.h>

#include <utility>

#include "engine/tenure.h"

namespace mapflow::engine {

namespace {

/// A child is a part of its parent, and waits for nobody.
bool takes_turns(const Instance& instance) {
  return instance.program->definition().concurrency.has_value() && instance.state->parent_id.empty();
}

TurnWish wish_of(const Instance& instance) {
  const Definition& definition = instance.program->definition();
  return {instance.ref, definition.id, instance.state->turn_key, *definition.concurrency, definition.priority, instance.state->started};
}

Error no_place(const std::string& workflow, std::string what) {
  Error error(code::resource_exhausted, fmt::format("workflow '{}': {}", workflow, what));
  error.retry_after_us = Duration(std::chrono::seconds(1)).count();
  return error;
}

}  // namespace

/// Settles whether a new instance may run at once. Errors: resource_exhausted when it may neither run nor wait; those of the
/// key.
Status Tenure::take_turn(const std::string& id, const kernel::Program& program, kernel::Start& start) {
  if (!program.definition().concurrency) return {};
  const Concurrency& rules = *program.definition().concurrency;
  const std::string& workflow = program.definition().id;
  MAPFLOW_ASSIGN(start.turn_key, program.turn_key(start.input));
  const auto busy = [&] {
    return !turns_.has_place(workflow, rules, start.turn_key) || turns_.somebody_waits(workflow, rules, start.turn_key);
  };
  start.queued = busy();
  if (!start.queued) return {};
  if (rules.on_conflict == OnConflict::reject) return fail(no_place(workflow, "as many instances as may run are running"));
  if (rules.on_conflict == OnConflict::replace) {
    for (const InstanceRef ref : turns_.in_the_way(workflow, rules, start.turn_key))
      if (Instance* const other = parts_.instances.find(ref)) decide(*other, kernel::Cancel{"replaced by " + id});
    start.queued = busy();
  }
  if (start.queued && turns_.waiting(workflow) >= rules.max_waiting)
    return fail(no_place(workflow, fmt::format("{} instances wait for their turn already", rules.max_waiting)));
  return {};
}

void Tenure::enroll_turn(const Instance& instance) {
  if (!takes_turns(instance) || is_terminal(instance.state->state)) return;
  if (instance.state->state == WorkflowState::pending) turns_.wait(wish_of(instance));
  else turns_.run(wish_of(instance));
}

void Tenure::end_turn(const Instance& instance) {
  if (takes_turns(instance)) give_turns(turns_.leave(instance.ref));
}

/// Whoever has a place now begins.
void Tenure::give_turns(const std::string& workflow) {
  for (InstanceRef next = turns_.next(workflow); next != InstanceRef{}; next = turns_.next(workflow))
    inputs_.push_back({next, kernel::Admit{}});
}

}  // namespace mapflow::engine
