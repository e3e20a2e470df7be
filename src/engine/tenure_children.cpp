// The part of a tenure that runs children. A child lives in its parent's partition: its start, its end and what its parent
// is told of them are in one log, so no message between them can be lost, doubled or overtake another.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/snapshot.h"
#include "engine/tenure.h"

namespace mapflow::engine {
namespace {

constexpr Duration kTryAgain = std::chrono::seconds(1);
constexpr std::string_view kHeldWithParent = "its parent is paused";

kernel::ChildEnded never_was(const kernel::StartChild& wish, Error why) {
  kernel::ChildEnded ended;
  ended.child = wish.child;
  ended.run = wish.run;
  ended.attempt = wish.attempt;
  ended.error = std::move(why);
  return ended;
}

/// What a running child is told when its parent is over.
kernel::Input closing(const kernel::State& parent) {
  if (parent.reason == "terminated") return kernel::Terminate{"its parent was terminated"};
  return kernel::Cancel{"its parent is over"};
}

}  // namespace

void Tenure::take_child_errands() {
  for (std::size_t left = child_errands_.size(); left > 0; --left) {
    ChildErrand errand = std::move(child_errands_.front());
    child_errands_.pop_front();
    Instance* const parent = parts_.instances.find(errand.parent);
    if (!parent) continue;  // over; close_children has told its children
    Status done;
    if (errand.due <= now_) {
      done = std::visit(
          [&](const auto& wish) {
            if constexpr (std::is_same_v<std::decay_t<decltype(wish)>, kernel::StartChild>) return start_child(*parent, wish);
            else return tell_child(*parent, wish);
          },
          errand.wish);
      if (done) continue;
      parts_.say(fmt::format("instance {}: its child has to wait: {}", parent->id, done.error().to_string()));
      errand.due = saturating_add(now_, kTryAgain);
    }
    child_errands_.push_back(std::move(errand));
  }
}

// --- starting ---------------------------------------------------------------------------------------------------------

Status Tenure::start_child(Instance& parent, const kernel::StartChild& wish) {
  const auto report = [&](kernel::Input input) { inputs_.push_back({parent.ref, std::move(input)}); };
  MAPFLOW_TRY(wake(parent));
  const kernel::Run* const run = parent.state->run(wish.run);
  if (!run || run->attempt != wish.attempt) return {};  // its step was given up meanwhile
  if (wish.again && !find(wish.child)) {
    const auto row = parts_.store->instance(wish.child);
    if (!row && !row.error().is(code::not_found)) return fail(row.error());
    if (row && row->finished) {
      MAPFLOW_ASSIGN(const Snapshot snapshot, decode_snapshot(row->snapshot));
      MAPFLOW_ASSIGN(const ProgramPtr program, parts_.programs->find(row->definition));
      report(kernel::child_ended(*program, snapshot.state));
      return {};
    }
  }
  if (!find(wish.child)) {
    auto program = child_program(wish);
    if (!program && program.error().is(code::unavailable)) return fail(std::move(program).error());
    if (program)
      if (Status fits = (*program)->check_input(wish.start.input); !fits) program = fail(std::move(fits).error());
    if (!program) {
      report(never_was(wish, std::move(program).error()));
      return {};
    }
    keep_definition(**program);
    if (const auto child = create(wish.child, *std::move(program), wish.start); child) want_row(**child, false);
    else report(never_was(wish, child.error()));
  }
  if (wish.detached) report(kernel::CallDone{wish.run, wish.attempt, Reply{object({{"instance_id", wish.child}}), {}}});
  return {};
}

/// The definition that was current when the eldest parent started; that of this process where the library lacks it.
Result<ProgramPtr> Tenure::child_program(const kernel::StartChild& wish) {
  ProgramPtr program;
  if (const Value* hash = wish.start.library.find(wish.workflow)) {
    MAPFLOW_ASSIGN(program, parts_.programs->find(hash->as_text()));
  } else {
    program = parts_.programs->current(wish.workflow);
  }
  if (!program)
    return fail(code::not_found, fmt::format("there is no workflow '{}'", wish.workflow),
                did_you_mean(wish.workflow, parts_.programs->workflows()));
  const std::string& version = program->definition().version;
  if (!wish.version.empty() && wish.version != version)
    return fail(code::not_found, fmt::format("workflow '{}' is there in version {}, not {}", wish.workflow, version, wish.version));
  return program;
}

// --- telling ----------------------------------------------------------------------------------------------------------

/// A child that completed before it heard that it is cancelled undoes what it did, as it would have done in the middle.
Status Tenure::tell_child(Instance& parent, const kernel::TellChild& wish) {
  const bool undoes = wish.how == kernel::Release::undo || wish.how == kernel::Release::cancel;
  const auto can_undo = [&](const kernel::Program& program, const kernel::State& child) {
    return undoes && child.state == WorkflowState::completed && kernel::has_something_to_undo(program, child);
  };
  const auto report = [&](kernel::ChildEnded ended) { inputs_.push_back({parent.ref, std::move(ended)}); };
  if (Instance* const child = find(wish.child)) {
    if (can_undo(*child->program, *child->state)) decide(*child, kernel::Compensate{});
    else if (is_terminal(child->state->state)) report(kernel::child_ended(*child->program, *child->state));
    else if (wish.how == kernel::Release::cancel) decide(*child, kernel::Cancel{"its parent does not wait for it any more"});
    else if (wish.how == kernel::Release::terminate) decide(*child, kernel::Terminate{"its parent was terminated"});
    return {};
  }
  const auto row = parts_.store->instance(wish.child);
  if (!row) {
    if (!row.error().is(code::not_found)) return fail(row.error());
    kernel::ChildEnded ended;  // it was released before it was started
    ended.child = wish.child;
    ended.state = WorkflowState::cancelled;
    report(std::move(ended));
    return {};
  }
  MAPFLOW_ASSIGN(const Snapshot snapshot, decode_snapshot(row->snapshot));
  MAPFLOW_ASSIGN(const ProgramPtr program, parts_.programs->find(row->definition));
  if (!can_undo(*program, snapshot.state)) {
    report(kernel::child_ended(*program, snapshot.state));
    return {};
  }
  MAPFLOW_ASSIGN(Instance* const child, revive(*row));
  decide(*child, kernel::Compensate{});
  return {};
}

/// Takes a finished instance into memory again.
Result<Instance*> Tenure::revive(const persistence::InstanceRow& row) {
  MAPFLOW_ASSIGN(Snapshot snapshot, decode_snapshot(row.snapshot));
  MAPFLOW_ASSIGN(ProgramPtr program, parts_.programs->find(row.definition));
  Instance& instance = parts_.instances.add();
  instance.tenure = this;
  instance.id = row.id;
  instance.program = std::move(program);
  instance.state = std::make_unique<kernel::State>(std::move(snapshot.state));
  instance.has_row = true;
  instance.listed = instance.state->state;
  instance.covered_seq = row.seq;
  instance.snapshot_bytes = row.snapshot.size();
  instance.chunks = std::move(snapshot.chunks);
  weigh(instance);
  by_id_.emplace(instance.id, instance.ref);
  enroll_child(instance);
  want_row(instance, true);  // its row must not say any more that it is over
  return &instance;
}

// --- budgets ----------------------------------------------------------------------------------------------------------

/// A child lives by the budgets of all its parents, whose ledgers know what all their children use.
void Tenure::look_up_allowances(std::string_view parent_id) {
  allowances_.clear();
  for (const Instance* above = find(parent_id); above; above = find(above->state->parent_id))
    if (above->state->ledger.limits.any()) allowances_.push_back(kernel::allowance_of(above->state->ledger, above->id));
  limits_.above = allowances_;
}

/// Tells the parent, in the same commit, what a decision of its child used or gave back; and lets try again who waits for that.
void Tenure::charge_parent(Instance& instance, const kernel::Spending& used, const kernel::Reserve& reserved) {
  const kernel::Ledger& ledger = instance.state->ledger;
  const kernel::ChildSpent spent{ledger.used - used, ledger.reserved - reserved};
  if (spent.reserved.tokens < 0 || spent.reserved.cost_nanos < 0)
    for (const InstanceRef waiter : std::exchange(fund_waiters_, {})) inputs_.push_back({waiter, kernel::Continue{}});
  if (instance.state->parent_id.empty()) return;
  if (!instance.state->held.empty() && std::ranges::find(fund_waiters_, instance.ref) == fund_waiters_.end())
    fund_waiters_.push_back(instance.ref);
  Instance* const parent = find(instance.state->parent_id);
  if (!parent || is_terminal(parent->state->state)) return;
  const bool counts = !allowances_.empty() || spent.used.tokens() != 0 || spent.used.cost_nanos != 0;
  if (counts && !(spent.used.nothing() && spent.reserved.nothing())) decide(*parent, spent);
}

// --- keeping book -----------------------------------------------------------------------------------------------------

void Tenure::enroll_child(Instance& child) {
  if (!child.state->parent_id.empty()) children_[child.state->parent_id].push_back(child.ref);
}

void Tenure::strike_child(const Instance& child) {
  if (!child.state) return;  // children do not sleep
  const auto siblings = children_.find(child.state->parent_id);
  if (siblings == children_.end()) return;
  std::erase(siblings->second, child.ref);
  if (siblings->second.empty()) children_.erase(siblings);
}

/// Children pause and go on with their parent.
void Tenure::relay_hold(const Instance& parent, WorkflowState now) {
  const auto children = children_.find(parent.id);
  if (children == children_.end()) return;
  for (const InstanceRef ref : children->second) {
    if (now == WorkflowState::paused) inputs_.push_back({ref, kernel::Pause{std::string(kHeldWithParent)}});
    const Instance* const child = parts_.instances.find(ref);
    const bool held = child && child->state->state == WorkflowState::paused && child->state->reason == kHeldWithParent;
    if (now == WorkflowState::running && held) inputs_.push_back({ref, kernel::Resume{}});
  }
}

void Tenure::report_end(const Instance& child) {
  if (child.state->parent_id.empty()) return;
  if (const Instance* const parent = find(child.state->parent_id))
    inputs_.push_back({parent->ref, kernel::child_ended(*child.program, *child.state)});
}

/// The parent is over: children that were to go with it are told.
void Tenure::close_children(const Instance& parent) {
  const auto children = children_.find(parent.id);
  if (children == children_.end()) return;
  for (const InstanceRef ref : children->second) {
    const Instance* const child = parts_.instances.find(ref);
    if (child && child->state->on_parent_close == kernel::ParentClose::cancel)
      inputs_.push_back({ref, closing(*parent.state)});
  }
}

/// A crash may have come between a parent's end, pause or resumption and its children's hearing of it.
void Tenure::settle_recovered_children() {
  for (const auto& [parent_id, refs] : children_) {
    const Instance* const parent = find(parent_id);
    if (parent) {
      relay_hold(*parent, parent->state->state);
      continue;
    }
    if (unreadable_.contains(parent_id)) continue;
    const auto row = parts_.store->instance(parent_id);
    if (!row || !row->finished) continue;
    const auto snapshot = decode_snapshot(row->snapshot);
    if (!snapshot) continue;
    for (const InstanceRef ref : refs)
      if (parts_.instances.find(ref)->state->on_parent_close == kernel::ParentClose::cancel)
        inputs_.push_back({ref, closing(snapshot->state)});
  }
}

}  // namespace mapflow::engine
