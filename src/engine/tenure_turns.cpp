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
  MAPFLOW_ASSIGN(start.turn_key, program.turn_key(start.input));
  if (program.definition().concurrency->on_conflict == OnConflict::replace) replace_others(id, program.definition(), start.turn_key);
  MAPFLOW_ASSIGN(start.queued, must_wait(program.definition(), start.turn_key));
  return {};
}

/// Whether an instance that is over has to wait before it goes on again. Errors: as take_turn.
Result<bool> Tenure::take_turn_again(const Instance& instance) {
  if (!takes_turns(instance)) return false;
  return must_wait(instance.program->definition(), instance.state->turn_key);
}

/// Whether there is no place for one more. Errors: resource_exhausted when there is none to wait in either.
Result<bool> Tenure::must_wait(const Definition& definition, const std::string& key) const {
  const Concurrency& rules = *definition.concurrency;
  const std::string& workflow = definition.id;
  if (turns_.has_place(workflow, rules, key) && !turns_.somebody_waits(workflow, rules, key)) return false;
  if (rules.on_conflict == OnConflict::reject) return fail(no_place(workflow, "as many instances as may run are running"));
  if (turns_.waiting(workflow) < rules.max_waiting) return true;
  return fail(no_place(workflow, fmt::format("{} instances wait for their turn already", rules.max_waiting)));
}

void Tenure::replace_others(const std::string& id, const Definition& definition, const std::string& key) {
  const auto busy = must_wait(definition, key);
  if (busy && !*busy) return;
  for (const InstanceRef ref : turns_.in_the_way(definition.id, *definition.concurrency, key))
    if (Instance* const other = parts_.instances.find(ref); other && other->id != id) decide(*other, kernel::Cancel{"replaced by " + id});
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
