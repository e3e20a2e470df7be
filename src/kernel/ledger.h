// What an instance may use, has used, and keeps in reserve for calls under way: the book behind `budget:`.
//
// Everything in it follows from records, so it is replayed like the rest of the state. Amounts are whole numbers, money in
// billionths of a dollar, so that what is reserved and given back adds up to nothing.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/time.h"
#include "kernel/ids.h"
#include "model/message.h"
#include "model/policy.h"

namespace mapflow::kernel {

/// What was used.
struct Spending {
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t assumed_tokens = 0;   ///< of calls that nobody knows the outcome of: what their step's budget says
  std::int64_t cost_nanos = 0;
  std::int64_t steps = 0;            ///< attempts of steps that called somebody
  std::int64_t tokens() const;
  bool nothing() const { return *this == Spending{}; }
  Spending& operator+=(const Spending& more);
  Spending operator-(const Spending& less) const;
  bool operator==(const Spending&) const = default;
  template <class A> void fields(A& a) {
    a("input_tokens", input_tokens); a("output_tokens", output_tokens); a("assumed_tokens", assumed_tokens);
    a("cost_nanos", cost_nanos); a("steps", steps);
  }
};
Spending spending_of(const Usage& usage);
double dollars(std::int64_t nanos);

/// What is set aside for a call, or for many.
struct Reserve {
  std::int64_t tokens = 0;
  std::int64_t cost_nanos = 0;
  bool nothing() const { return tokens == 0 && cost_nanos == 0; }
  Reserve operator-(const Reserve& less) const { return {tokens - less.tokens, cost_nanos - less.cost_nanos}; }
  Reserve& operator+=(const Reserve& more);
  template <class A> void fields(A& a) { a("tokens", tokens); a("cost_nanos", cost_nanos); }
};

/// What a call that is placed sets aside.
struct Hold {
  Reserve amount;
  Reserve declared;            ///< the part that the step's `budget` says, and not experience
  bool tentative = false;      ///< nobody knows what such a call uses: of one step only one such call is under way
  template <class A> void fields(A& a) { a("amount", amount); a("declared", declared); a("tentative", tentative); }
};

/// What calls of one step have used, at most.
struct Experience {
  Reserve most;
  bool known = false;
  std::uint32_t tentative = 0; ///< calls under way
  template <class A> void fields(A& a) { a("most", most); a("known", known); a("tentative", tentative); }
};

/// A budget in the ledger's units.
struct Limits {
  std::optional<std::int64_t> tokens, cost_nanos, steps, wall_time_us;
  bool suspend = false;
  bool any() const { return tokens || cost_nanos || steps || wall_time_us; }
  bool counts_use() const { return tokens || cost_nanos; }
  template <class A> void fields(A& a) {
    a("tokens", tokens); a("cost_nanos", cost_nanos); a("steps", steps); a("wall_time_us", wall_time_us); a("suspend", suspend);
  }
};
Limits limits_of(const Budget& budget);

struct Ledger {
  Limits limits;
  Spending used;               ///< children included
  Reserve reserved;            ///< children included
  std::int64_t idle_us = 0;    ///< time spent paused, suspended or pending: no wall time
  Timestamp wall_end = kNever; ///< when the wall time is used up
  std::map<NodeIndex, Experience> experience;

  /// What a call of the step will set aside; nullopt when neither `mine` nor those `above` count tokens or money.
  std::optional<Hold> estimate(NodeIndex node, const std::optional<StepBudget>& declared, bool counted) const;
  void take(NodeIndex node, const Hold& hold);
  /// The call is over, and this was used. `learn`: the next ones may be expected to use no more.
  void give_back(NodeIndex node, const Hold& hold, const Spending& said, bool learn);
  /// The call is over, and nobody knows what was used: what was declared for it counts.
  void give_back(NodeIndex node, const Hold& hold);
  void set_wall_end(Timestamp started);
  template <class A> void fields(A& a) {
    a("limits", limits); a("used", used); a("reserved", reserved); a("idle_us", idle_us); a("wall_end", wall_end);
    a("experience", experience);
  }
};

/// What is left of a budget: of the instance's own, or of one of those that its parents live by.
struct Allowance {
  std::optional<std::int64_t> tokens, cost_nanos, steps;
  bool pending = false;        ///< calls under way may give something back
  bool suspend = false;        ///< the budget's on_exceeded
  std::string whose;           ///< instance id
};
Allowance allowance_of(const Ledger& ledger, std::string whose);

}  // namespace mapflow::kernel
