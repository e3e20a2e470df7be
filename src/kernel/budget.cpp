// Budgets: whether a call may be paid for, and what happens when it may not.
//
//   call due ──> every budget above it has enough left? ── yes ──> its estimate is reserved, the call is placed
//                     │ no
//                calls under way may give something back? ── yes ──> it is held, and tried again when one ends
//                     │ no
//                the workflow fails with resource_exhausted, or is suspended
#include <algorithm>

#include "kernel/turn.h"

namespace mapflow::kernel {

namespace {

/// Why `left` does not pay for the call; empty when it does.
std::string shortage(const Allowance& left, const Hold& hold, bool money_counts) {
  if (left.steps && *left.steps < 1) return "its steps";
  if (!money_counts) return {};
  const auto lacks = [&](const std::optional<std::int64_t>& rest, std::int64_t needed) {
    return rest && (hold.tentative ? *rest <= 0 : *rest < needed);
  };
  if (lacks(left.tokens, hold.amount.tokens)) return "its tokens";
  if (lacks(left.cost_nanos, hold.amount.cost_nanos)) return "its money";
  return {};
}

}  // namespace

/// What is left of every budget that the instance lives by, its own first. What this decision has used already is taken
/// off those above, which will only hear of it when the decision is over.
std::vector<Allowance> Machine::allowances() const {
  std::vector<Allowance> all;
  if (state_.ledger.limits.any()) all.push_back(allowance_of(state_.ledger, state_.id));
  const Spending used = state_.ledger.used - used_before_;
  const Reserve reserved = state_.ledger.reserved - reserved_before_;
  for (Allowance above : limits_.above) {
    if (above.tokens) *above.tokens -= used.tokens() + reserved.tokens;
    if (above.cost_nanos) *above.cost_nanos -= used.cost_nanos + reserved.cost_nanos;
    if (above.steps) *above.steps -= used.steps;
    above.pending = above.pending || !state_.ledger.reserved.nothing();
    all.push_back(std::move(above));
  }
  return all;
}

Machine::Funds Machine::funds_for(const Run& run) const {
  Funds funds;
  if (state_.state == WorkflowState::compensating) return funds;  // what is undone is not held back
  const std::vector<Allowance> all = allowances();
  if (all.empty()) return funds;
  const bool counted = std::ranges::any_of(all, [](const Allowance& each) { return each.tokens || each.cost_nanos; });
  funds.hold = state_.ledger.estimate(run.node, node(run).step->budget, counted);
  const Hold hold = funds.hold.value_or(Hold{});
  for (const Allowance& left : all) {
    const std::string lacking = shortage(left, hold, counted);
    if (lacking.empty()) continue;
    const bool may_free = left.pending && lacking != "its steps";
    funds.answer = may_free ? Funds::Answer::later : Funds::Answer::never;
    funds.suspend = left.suspend;
    funds.why = "the budget of instance '" + left.whose + "' is used up: " + lacking + " do not pay for the next call";
    if (!may_free) return funds;
  }
  if (funds.answer == Funds::Answer::now && counted) {
    const auto known = state_.ledger.experience.find(run.node);
    const bool alone = known == state_.ledger.experience.end() || known->second.tentative == 0;
    const bool in_turn = run.held || state_.held.empty() || (!hold.tentative && hold.amount.nothing());
    if ((hold.tentative && !alone) || !in_turn) funds.answer = Funds::Answer::later;
  }
  return funds;
}

/// Whether the call that the run wants to place is paid for. If not, it is held, or the instance is stopped.
bool Machine::fund(RunId id, std::optional<Hold>& hold) {
  if (!state_.ledger.limits.any() && limits_.above.empty()) return true;
  Funds funds = funds_for(run(id));
  hold = std::move(funds.hold);
  if (funds.answer == Funds::Answer::now) return true;
  if (funds.answer == Funds::Answer::never) over_budget(id, std::move(funds));
  else if (!run(id).held) emit(CallHeld{id});
  return false;
}

void Machine::over_budget(RunId id, Funds funds) {
  Error error = located(run(id), Error(code::resource_exhausted, std::move(funds.why),
                                       funds.suspend ? "raise the budget and resume, or cancel" : "give the workflow a larger budget"));
  if (!funds.suspend) return end_unhappily(std::move(error), WorkflowState::failed);
  emit(StepFaulted{id, error, Phase::parked});
  if (state_.state == WorkflowState::running) emit(StateChanged{WorkflowState::suspended, error.message, std::move(error)});
}

void Machine::wall_time_is_up() {
  Error error(code::resource_exhausted, "the budget of instance '" + state_.id + "' is used up: its wall time is over");
  if (!state_.ledger.limits.suspend) return end_unhappily(std::move(error), WorkflowState::failed);
  emit(StateChanged{WorkflowState::suspended, error.message, std::move(error)});
}

/// A run that was held tries again.
void Machine::try_held(const Run& run) {
  Funds funds = funds_for(run);
  if (funds.answer == Funds::Answer::never) return over_budget(run.id, std::move(funds));
  if (funds.answer == Funds::Answer::later) return;
  if (run.request) return place_call(run.id, 1, std::nullopt);
  StepScope scope(*this, run.id);
  node(run).kind->enter(scope);
}

/// Puts the first of the runs that are held on the agenda, when it could go on now.
bool Machine::wake_held() {
  if (state_.held.empty()) return false;
  const RunId first = *state_.held.begin();
  if (funds_for(run(first)).answer == Funds::Answer::later) return false;
  agenda_.push_back(Attend{first});
  return true;
}

/// What the answer to a call says was used. Whoever fails and says nothing has used nothing, but for the two ways of failing
/// in which the work may well have been done.
void Machine::settle_use(RunId id, const Result<Reply>& outcome) {
  const std::optional<Hold>& hold = run(id).hold;
  std::optional<Usage> said = outcome ? outcome->usage : std::nullopt;
  if (outcome && !said) said = usage_in(outcome->result);
  if (said) return emit(UseSettled{id, spending_of(*said), true});
  const bool worked = outcome || outcome.error().is(code::timeout) || outcome.error().is(code::invalid_output);
  if (hold && (!worked || hold->declared.nothing())) emit(UseSettled{id, {}, outcome.has_value()});
}

void Machine::on(const ChildSpent& spent) {
  if (!is_terminal(state_.state)) emit(ChildCharged{spent.used, spent.reserved});
}

}  // namespace mapflow::kernel
