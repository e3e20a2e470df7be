#include "kernel/ledger.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace mapflow::kernel {

namespace {

constexpr double kNanos = 1e9;

/// Sums stop at the largest number: agents may say anything.
std::int64_t plus(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return b > 0 ? std::numeric_limits<std::int64_t>::max() : std::numeric_limits<std::int64_t>::min();
  return sum;
}

std::int64_t whole(double number) { return static_cast<std::int64_t>(std::clamp(number, 0.0, 9e18)); }
std::int64_t nanos(double dollars) { return whole(std::round(dollars * kNanos)); }
std::int64_t whole(std::uint64_t number) { return static_cast<std::int64_t>(std::min<std::uint64_t>(number, std::numeric_limits<std::int64_t>::max())); }

}  // namespace

std::int64_t Spending::tokens() const { return plus(plus(input_tokens, output_tokens), assumed_tokens); }

Spending& Spending::operator+=(const Spending& more) {
  input_tokens = plus(input_tokens, more.input_tokens);
  output_tokens = plus(output_tokens, more.output_tokens);
  assumed_tokens = plus(assumed_tokens, more.assumed_tokens);
  cost_nanos = plus(cost_nanos, more.cost_nanos);
  steps = plus(steps, more.steps);
  return *this;
}

Spending Spending::operator-(const Spending& less) const {
  return {input_tokens - less.input_tokens, output_tokens - less.output_tokens, assumed_tokens - less.assumed_tokens,
          cost_nanos - less.cost_nanos, steps - less.steps};
}

Spending spending_of(const Usage& usage) {
  Spending spending;
  spending.input_tokens = whole(usage.input_tokens);
  spending.output_tokens = whole(usage.output_tokens);
  spending.cost_nanos = nanos(usage.cost_usd);
  return spending;
}

double dollars(std::int64_t nanos) { return static_cast<double>(nanos) / kNanos; }

Reserve& Reserve::operator+=(const Reserve& more) {
  tokens = plus(tokens, more.tokens);
  cost_nanos = plus(cost_nanos, more.cost_nanos);
  return *this;
}

Limits limits_of(const Budget& budget) {
  Limits limits;
  if (budget.tokens) limits.tokens = whole(*budget.tokens);
  if (budget.cost_usd) limits.cost_nanos = nanos(*budget.cost_usd);
  if (budget.steps) limits.steps = whole(*budget.steps);
  if (budget.wall_time) limits.wall_time_us = budget.wall_time->count();
  limits.suspend = budget.suspend_when_exceeded;
  return limits;
}

std::optional<Hold> Ledger::estimate(NodeIndex node, const std::optional<StepBudget>& declared, bool counted) const {
  if (!counted) return std::nullopt;
  const auto found = experience.find(node);
  const bool known = found != experience.end() && found->second.known;
  Hold hold;
  if (declared && declared->tokens) hold.declared.tokens = whole(*declared->tokens);
  if (declared && declared->cost_usd) hold.declared.cost_nanos = nanos(*declared->cost_usd);
  hold.amount = hold.declared;
  if (known && !(declared && declared->tokens)) hold.amount.tokens = found->second.most.tokens;
  if (known && !(declared && declared->cost_usd)) hold.amount.cost_nanos = found->second.most.cost_nanos;
  hold.tentative = !known && !declared;
  return hold;
}

void Ledger::take(NodeIndex node, const Hold& hold) {
  reserved += hold.amount;
  if (hold.tentative) ++experience[node].tentative;
}

void Ledger::give_back(NodeIndex node, const Hold& hold, const Spending& said, bool learn) {
  reserved = reserved - hold.amount;
  if (hold.tentative) --experience[node].tentative;
  used += said;
  if (!learn) return;
  Experience& learned = experience[node];
  learned.known = true;
  learned.most.tokens = std::max(learned.most.tokens, said.tokens());
  learned.most.cost_nanos = std::max(learned.most.cost_nanos, said.cost_nanos);
}

void Ledger::give_back(NodeIndex node, const Hold& hold) {
  Spending assumed;
  assumed.assumed_tokens = hold.declared.tokens;
  assumed.cost_nanos = hold.declared.cost_nanos;
  give_back(node, hold, assumed, false);
}

void Ledger::set_wall_end(Timestamp started) {
  wall_end = limits.wall_time_us ? saturating_add(saturating_add(started, Duration(idle_us)), Duration(*limits.wall_time_us)) : kNever;
}

Allowance allowance_of(const Ledger& ledger, std::string whose) {
  Allowance left;
  const auto rest = [](std::optional<std::int64_t> limit, std::int64_t used, std::int64_t reserved) -> std::optional<std::int64_t> {
    if (!limit) return std::nullopt;
    return plus(*limit, -plus(used, reserved));
  };
  left.tokens = rest(ledger.limits.tokens, ledger.used.tokens(), ledger.reserved.tokens);
  left.cost_nanos = rest(ledger.limits.cost_nanos, ledger.used.cost_nanos, ledger.reserved.cost_nanos);
  left.steps = rest(ledger.limits.steps, ledger.used.steps, 0);
  left.pending = !ledger.reserved.nothing();
  left.suspend = ledger.limits.suspend;
  left.whose = std::move(whose);
  return left;
}

}  // namespace mapflow::kernel
