// The built-in kinds are known by name here: how long a wait waits, and which of its branches a step runs, their tables of
// fields do not say. A kind that is not known needs nothing, so nothing wrong is ever said about it.
#include "builder/flow_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include "builder/codes.h"
#include "jinja/workflow.h"

namespace mapflow::builder {

namespace {

constexpr Duration kLong = std::chrono::hours(24 * 365 * 1000);

Least operator+(const Least& a, const Least& b) {
  return {std::min(kLong, a.time + b.time), std::min(std::numeric_limits<std::uint64_t>::max() / 2, a.calls + b.calls)};
}

Least times(const Least& one, std::uint64_t rounds, std::uint64_t calls) {
  const double time = static_cast<double>(one.time.count()) * static_cast<double>(rounds);
  const double all = static_cast<double>(one.calls) * static_cast<double>(calls);
  return {time < static_cast<double>(kLong.count()) ? Duration(static_cast<std::int64_t>(time)) : kLong,
          all < 1e18 ? static_cast<std::uint64_t>(all) : 1'000'000'000'000'000'000u};
}

const Value* field(const Step& step, std::string_view name) { return step.fields.find(name); }

bool fails_with_its_error(const Step& step) { return step.on_error == OnError::fail; }

/// A span that is written out; nullopt for templates and for what is none.
std::optional<Duration> fixed_span(const Value* value) {
  if (!value || (!value->is_text() && !value->is_number())) return std::nullopt;
  if (value->is_text() && jinja::has_template(value->as_text())) return std::nullopt;
  const auto span = value->is_text() ? parse_duration(value->as_text()) : duration_from_seconds(value->as_double());
  return span ? std::optional(*span) : std::nullopt;
}

}  // namespace

void FlowCheck::run() {
  const Least least = block(definition_.steps);
  block(definition_.compensation_steps);
  if (definition_.timeout && least.time > *definition_.timeout)
    warn(mf::timeout_order, definition_.place("timeout"),
         fmt::format("the steps take at least {}, and the workflow's timeout is {}", format_duration(least.time), format_duration(*definition_.timeout)));
  budget(least);
  saga();
}

// --- what is needed at the very least -------------------------------------------------------------------------------

Least FlowCheck::block(const Block& steps) {
  Least sum;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Least own = step(steps[i]);
    if (steps[i].when.empty()) sum = sum + own;
    if (i + 1 < steps.size()) endless_loop(steps[i], steps[i + 1]);
  }
  return sum;
}

Least FlowCheck::step(const Step& step) {
  const Least least = inside(step);
  for (const Branch& hook : step.hooks) block(hook.steps);
  dead_branches(step);
  timeouts(step, least);
  attempts(step);
  share(step);
  // A failure that is dealt with may come at once.
  return fails_with_its_error(step) ? least : Least{{}, least.calls > 0 && step.branches.empty() ? 1u : 0u};
}

Least FlowCheck::inside(const Step& step) {
  if (step.type == "parallel") return of_parallel(step);
  if (step.type == "conditional") return of_conditional(step);
  if (step.type == "loop") return of_loop(step);
  Least inner;
  for (const Branch& branch : step.branches) inner = block(branch.steps);
  if (step.type == "sequence") return inner;
  if (step.type == "message" || step.type == "custom") return {{}, 1};
  if (step.type == "wait") return {fixed_span(field(step, "duration")).value_or(Duration(0)), 0};
  return {};
}

Least FlowCheck::of_parallel(const Step& step) {
  const Value* const strategy = field(step, "wait_strategy");
  const bool all = !strategy || *strategy == Value("all");
  Least least;
  for (const Branch& branch : step.branches) {
    const Least own = block(branch.steps);
    if (all) least = {std::max(least.time, own.time), least.calls + own.calls};
  }
  return least;
}

Least FlowCheck::of_conditional(const Step& step) {
  std::optional<Least> cheapest;
  bool complete = false;
  for (const Branch& branch : step.branches) {
    const Least own = block(branch.steps);
    cheapest = cheapest ? Least{std::min(cheapest->time, own.time), std::min(cheapest->calls, own.calls)} : own;
    complete = complete || branch.role == "if_false" || branch.role == "otherwise";
  }
  return cheapest && complete ? *cheapest : Least{};
}

Least FlowCheck::of_loop(const Step& step) {
  Least body;
  for (const Branch& branch : step.branches) body = block(branch.steps);
  if (field(step, "break_when") || field(step, "while")) return {};
  const Value* const items = field(step, "items");
  if (!items) return body;  // `until` is asked after the first time
  const bool counted = items->is_integer() && items->as_integer() > 0;
  if (!counted && !items->is_array() && !items->is_object()) return {};
  const std::uint64_t count = counted ? static_cast<std::uint64_t>(items->as_integer()) : items->size();
  const Value* const at_once = field(step, "max_concurrent");
  const std::uint64_t width = at_once && at_once->is_integer() && at_once->as_integer() > 0 ? static_cast<std::uint64_t>(at_once->as_integer()) : 1;
  return times(body, count / width + (count % width != 0 ? 1 : 0), count);
}

// --- time and money -------------------------------------------------------------------------------------------------

void FlowCheck::timeouts(const Step& step, const Least& least) {
  const auto fits = [&](const std::optional<Duration>& limit, std::string_view name) {
    if (limit && least.time > *limit)
      warn(mf::timeout_order, step.place(name), fmt::format("step '{}' takes at least {}, and its {} is {}", step.id, format_duration(least.time), name, format_duration(*limit)));
  };
  fits(step.timeout, "timeout");
  if (!step.timeout || *step.timeout >= least.time) fits(step.total_timeout, "total_timeout");
}

/// Attempts whose turn would come only after total_timeout, or after the workflow's timeout.
void FlowCheck::attempts(const Step& step) {
  const bool own = step.total_timeout && (!definition_.timeout || *step.total_timeout <= *definition_.timeout);
  const std::optional<Duration> limit = own ? step.total_timeout : definition_.timeout;
  if (!step.retry || !limit || step.retry->strategy == RetryStrategy::none || step.retry->strategy == RetryStrategy::custom) return;
  constexpr std::uint32_t kMost = 10'000;
  Duration waited{0};
  for (std::uint32_t attempt = 1; attempt < std::min(step.retry->max_attempts, kMost); ++attempt) {
    waited = std::min(kLong, waited + retry_delay(*step.retry, Error(), attempt, 0));
    if (waited < *limit) continue;
    return warn(mf::timeout_order, step.place(own ? "total_timeout" : "retry"),
                fmt::format("only {} of {} attempts fit into the {} of {}", attempt, step.retry->max_attempts, own ? "total_timeout" : "workflow's timeout",
                            format_duration(*limit)));
  }
}

void FlowCheck::budget(const Least& least) {
  const Budget& budget = definition_.budget;
  if (budget.steps && *budget.steps < least.calls)
    warn(mf::small_budget, definition_.place("budget"), fmt::format("the workflow makes at least {} calls, and its budget is {} steps", least.calls, *budget.steps));
  if (budget.wall_time && *budget.wall_time < least.time)
    warn(mf::small_budget, definition_.place("budget"),
         fmt::format("the workflow takes at least {}, and its budget is a wall_time of {}", format_duration(least.time), format_duration(*budget.wall_time)));
  if (budget.tokens && *budget.tokens == 0 && least.calls > 0) warn(mf::small_budget, definition_.place("budget"), "a budget of 0 tokens lets no agent use any");
}

/// A call for which more is set aside than there ever is.
void FlowCheck::share(const Step& step) {
  if (!step.budget) return;
  const Budget& all = definition_.budget;
  if (step.budget->tokens && all.tokens && *step.budget->tokens > *all.tokens)
    warn(mf::small_budget, step.place("budget"), fmt::format("the call may use {} tokens, and the workflow's budget is {}", *step.budget->tokens, *all.tokens));
  if (step.budget->cost_usd && all.cost_usd && *step.budget->cost_usd > *all.cost_usd)
    warn(mf::small_budget, step.place("budget"), fmt::format("the call may cost {} USD, and the workflow's budget is {}", *step.budget->cost_usd, *all.cost_usd));
}

// --- what is never reached ------------------------------------------------------------------------------------------

int FlowCheck::constant(const Value* expression) const {
  if (!expression) return -1;
  if (expression->is_bool()) return expression->as_bool() ? 1 : 0;
  if (!expression->is_text() || expression->as_text().empty()) return -1;
  std::size_t skipped = 0;
  const auto compiled = templates_.compile_expression(jinja::bare_expression(expression->as_text(), skipped));
  const Value* const value = compiled ? compiled->constant() : nullptr;
  if (!value) return -1;
  return (value->is_bool() ? value->as_bool() : value->is_number() ? value->as_double() != 0 : value->size() > 0) ? 1 : 0;
}

void FlowCheck::dead_branches(const Step& step) {
  if (step.type == "loop" && constant(field(step, "while")) == 0 && !step.branches.empty())
    return dead_branch(step.branches.front(), "'while' is always false");
  if (step.type == "loop" && !step.branches.empty())
    if (const Value* const items = field(step, "items"); items && (*items == Value(0) || *items == Value(Array{}) || *items == Value(Object{})))
      return dead_branch(step.branches.front(), "there are no items");
  if (step.type != "conditional") return;
  const int condition = constant(field(step, "condition"));
  std::optional<std::string> settled;  // why no later case can be taken
  std::vector<std::string_view> seen;
  for (const Branch& branch : step.branches) {
    if (branch.role == "if_true" && condition == 0) dead_branch(branch, "the condition is always false");
    if (branch.role == "if_false" && condition == 1) dead_branch(branch, "the condition is always true");
    if (branch.role == "otherwise" && settled) dead_branch(branch, *settled);
    if (branch.when.empty()) continue;
    const Value when(branch.when);
    if (settled) dead_branch(branch, *settled);
    else if (std::ranges::find(seen, branch.when) != seen.end()) dead_branch(branch, "an earlier case has the same condition");
    else if (const int holds = constant(&when); holds == 0) dead_branch(branch, "its condition is always false");
    else if (holds == 1) settled = "an earlier case always holds";
    seen.push_back(branch.when);
  }
}

void FlowCheck::dead_branch(const Branch& branch, std::string why) {
  if (branch.steps.empty()) return;
  const Step& first = branch.steps.front();
  warn(mf::never_runs, first.where, fmt::format("step '{}' never runs: {}", first.id, why));
}

void FlowCheck::endless_loop(const Step& step, const Step& next) {
  if (step.type != "loop" || !fails_with_its_error(step)) return;
  for (const char* way_out : {"items", "break_when", "max_iterations"})
    if (field(step, way_out)) return;
  const bool endless = constant(field(step, "while")) == 1 || (!field(step, "while") && constant(field(step, "until")) == 0);
  if (endless && step.when.empty()) warn(mf::never_runs, next.where, fmt::format("step '{}' never runs: the loop '{}' before it has no end", next.id, step.id), "give the loop break_when or max_iterations");
}

// --- what is left behind --------------------------------------------------------------------------------------------

/// A saga may end in steps that nothing undoes: by then it is to go through. One between steps that are undone is a gap.
void FlowCheck::saga() {
  if (!definition_.places.contains("compensation_strategy")) return;
  const CompensationStrategy strategy = definition_.compensation_strategy;
  if (strategy == CompensationStrategy::none || strategy == CompensationStrategy::custom) return;
  const auto& entries = index_.entries();
  const auto can_be_undone = [](const StepIndex::Entry& entry) { return entry.step->hook("compensate") != nullptr; };
  const auto first = std::ranges::find_if(entries, can_be_undone);
  if (first == entries.end()) return nothing_to_undo();
  const auto last = std::find_if(entries.rbegin(), entries.rend(), can_be_undone).base();
  for (auto at = first; at < last; ++at) {
    const Step& step = *at->step;
    const bool has_effects = step.type == "message" || step.type == "custom";
    if (has_effects && !undone(static_cast<std::uint32_t>(at - entries.begin())))
      warn(mf::not_undone, step.where, fmt::format("step '{}' is not undone, and steps before and after it are", step.id), "give it compensate as well, or move it behind them");
  }
}

void FlowCheck::nothing_to_undo() {
  const auto type_is = [](std::string_view type) { return [type](const StepIndex::Entry& entry) { return entry.step->type == type; }; };
  const auto& entries = index_.entries();
  // Sub-workflows undo themselves; a definition that calls nobody may only say what it would mean.
  if (std::ranges::any_of(entries, type_is("subworkflow")) || std::ranges::none_of(entries, type_is("message"))) return;
  warn(mf::not_undone, definition_.place("compensation_strategy"), "nothing will be undone: no step has compensate", "say of the steps how they are undone");
}

/// Whether the step, or one around it, is undone; or it is itself a part of undoing or of handling an error.
bool FlowCheck::undone(std::uint32_t entry) const {
  for (; entry != StepIndex::kNone; entry = index_.entries()[entry].parent) {
    const StepIndex::Entry& at = index_.entries()[entry];
    if (at.undoing || at.in_hook || at.step->hook("compensate")) return true;
  }
  return false;
}

void FlowCheck::warn(std::string_view code, Location where, std::string message, std::string hint) {
  found_.push_back({Severity::warning, std::string(code), std::move(where), std::move(message), std::move(hint)});
}

}  // namespace mapflow::builder
