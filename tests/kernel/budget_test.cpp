// Budgets: what is reserved before a call, what is settled after it, and what happens when there is nothing left.
#include <doctest/doctest.h>

#include <algorithm>

#include "kernel/driver.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;

namespace {

Value used(std::int64_t tokens, double cost = 0) {
  return object({{"usage", object({{"input_tokens", tokens}, {"output_tokens", 0}, {"cost_usd", cost}})}});
}

Step calling(std::string id, std::optional<std::uint64_t> tokens = std::nullopt) {
  Step out = message(std::move(id), "writer");
  if (tokens) out.budget = StepBudget{tokens, std::nullopt};
  return out;
}

/// `count` calls side by side, as iterations of one step.
Step fan(int count, std::optional<std::uint64_t> tokens = std::nullopt) {
  return with(step("loop", "each", object({{"items", count}, {"max_concurrent", count}})), branch("body", {calling("write", tokens)}));
}

Definition with_budget(Definition definition, Budget budget) {
  definition.budget = budget;
  return definition;
}

Budget tokens(std::uint64_t count, bool suspend = false) {
  Budget budget;
  budget.tokens = count;
  budget.suspend_when_exceeded = suspend;
  return budget;
}

struct Desk : Driver {
  using Driver::Driver;
  /// Answers the oldest call.
  void answer(Result<Value> result) {
    REQUIRE(!calls.empty());
    const kernel::PlaceCall call = calls.front();
    calls.pop_front();
    kernel::CallDone done{call.run, call.attempt, fail(code::internal, "")};
    if (result) done.outcome = Reply{*std::move(result), std::nullopt};
    else done.outcome = fail(result.error());
    give(std::move(done));
  }
  std::int64_t tokens() const { return state.ledger.used.tokens(); }
};

}  // namespace

TEST_CASE("what a step declares is reserved while its call is under way, and what it used is settled after it") {
  Desk desk(with_budget(workflow({fan(5, 400)}), tokens(1000)));
  desk.start();
  CHECK(desk.calls.size() == 2);  // 2 · 400
  CHECK(desk.state.ledger.reserved.tokens == 800);
  desk.answer(used(100));
  CHECK(desk.calls.size() == 2);  // 100 + 2 · 400
  desk.answer(used(100));
  desk.answer(used(100));
  CHECK(desk.calls.size() == 1);  // the one that is left
  desk.answer(used(100));
  desk.answer(used(100));
  CHECK(desk.state_name() == WorkflowState::completed);
  CHECK(desk.tokens() == 500);
  CHECK(desk.state.ledger.reserved.tokens == 0);
}

TEST_CASE("a fan-out never goes beyond the budget, and fails once nothing under way can give back") {
  Desk desk(with_budget(workflow({fan(10, 300)}), tokens(1000)));
  desk.start();
  std::int64_t most = 0;
  while (!desk.calls.empty()) {
    most = std::max(most, desk.tokens() + desk.state.ledger.reserved.tokens);
    desk.answer(used(300));
  }
  CHECK(most <= 1000);
  CHECK(desk.tokens() == 900);
  CHECK(desk.state_name() == WorkflowState::failed);
  CHECK(desk.state.failure->is(code::resource_exhausted));
  CHECK(desk.state.failure->step == "write");
}

TEST_CASE("of a step that nobody knows one call goes first, and the others expect what it used") {
  Desk desk(with_budget(workflow({fan(6)}), tokens(1000)));
  desk.start();
  CHECK(desk.calls.size() == 1);
  desk.answer(used(300));
  CHECK(desk.calls.size() == 2);
  CHECK(desk.state.ledger.reserved.tokens == 600);
  SUBCASE("until one of them uses more") {
    desk.answer(used(50));
    CHECK(desk.calls.size() == 2);
    desk.answer(used(400));
    desk.answer(used(100));
    CHECK(desk.state_name() == WorkflowState::failed);  // 150 are left, and 400 expected
  }
  SUBCASE("after a crash as before it") {
    desk.crash();
    CHECK(desk.calls.size() == 2);
    CHECK(desk.state.ledger.reserved.tokens == 600);
    desk.answer(used(50));
    CHECK(desk.calls.size() == 2);
  }
}

TEST_CASE("steps that use nothing are held back by nobody") {
  Desk desk(with_budget(workflow({fan(20)}), tokens(10)));
  desk.start();
  desk.answer(Value("no usage"));
  CHECK(desk.calls.size() == 19);
  while (!desk.calls.empty()) desk.answer(Value(1));
  CHECK(desk.state_name() == WorkflowState::completed);
}

TEST_CASE("a call that was left open teaches that its step need not be waited for") {
  Desk desk(with_budget(workflow({fan(3)}), tokens(10)));
  desk.start();
  const kernel::PlaceCall call = desk.calls.front();
  Reply open;
  open.pending = true;
  desk.give(kernel::CallDone{call.run, 1, open});
  CHECK(desk.calls.size() == 3);
}

TEST_CASE("whoever dies at work is taken to have used what was declared") {
  Step slow = calling("slow", 400);
  slow.timeout = 5s;
  slow.retry = RetryPolicy{.strategy = RetryStrategy::immediate, .max_attempts = 3};
  Desk desk(with_budget(workflow({slow}), tokens(1000)));
  desk.start();
  SUBCASE("when it times out") {
    desk.run();
    CHECK(desk.sent.size() == 2);
    CHECK(desk.tokens() == 800);
    CHECK(desk.state.failure->is(code::resource_exhausted));
  }
  SUBCASE("but not when it says that it cannot") {
    for (int i = 0; i < 3; ++i) desk.answer(fail(code::unavailable, "busy"));
    CHECK(desk.tokens() == 0);
    CHECK(desk.state.failure->is(code::unavailable));
  }
  SUBCASE("and a repeated delivery is the same call") {
    desk.crash();
    CHECK(desk.state.ledger.reserved.tokens == 400);
    desk.answer(used(10));
    CHECK(desk.tokens() == 10);
    CHECK(desk.state_name() == WorkflowState::completed);
  }
}

TEST_CASE("money is counted as tokens are") {
  Budget budget;
  budget.cost_usd = 0.3;
  Step write = message("write", "writer");
  write.budget = StepBudget{std::nullopt, 0.1};
  Desk desk(with_budget(workflow({with(step("loop", "each", object({{"items", 4}, {"max_concurrent", 4}})), branch("body", {write}))}), budget));
  desk.start();
  CHECK(desk.calls.size() == 3);  // exactly, as dimes are no binary fractions
  for (int i = 0; i < 3; ++i) desk.answer(used(0, 0.1));
  CHECK(desk.state_name() == WorkflowState::failed);
  CHECK(desk.state.ledger.used.cost_nanos == 300'000'000);
}

TEST_CASE("steps counts the attempts of steps that call somebody") {
  Budget budget;
  budget.steps = 3;
  Desk desk(with_budget(workflow({transform("t", "x", 1), retried(calling("a"), 2), calling("b"), calling("c")}), budget));
  desk.start();
  desk.answer(fail(code::unavailable, "busy"));
  desk.run();
  desk.answer(Value(1));
  desk.answer(Value(1));
  CHECK(desk.state_name() == WorkflowState::failed);
  CHECK(desk.sent.size() == 3);
}

TEST_CASE("a suspended instance goes on when its budget is raised") {
  Desk desk(with_budget(workflow({calling("a", 80), calling("b", 80)}), tokens(100, true)));
  desk.start();
  desk.answer(used(80));
  REQUIRE(desk.state_name() == WorkflowState::suspended);
  desk.give(kernel::Resume{});
  CHECK(desk.state_name() == WorkflowState::suspended);  // nothing has changed
  Budget more;
  more.tokens = 200;
  desk.give(kernel::Update{{}, more});
  desk.crash();
  desk.give(kernel::Resume{});
  desk.answer(used(80));
  CHECK(desk.state_name() == WorkflowState::completed);
  CHECK(desk.tokens() == 160);
}

TEST_CASE("wall time runs out, but not while the instance is paused") {
  Budget budget;
  budget.wall_time = 10s;
  SUBCASE("failing") {
    Desk desk(with_budget(workflow({calling("a")}), budget));
    desk.start();
    desk.let_pass(4s);
    desk.give(kernel::Pause{});
    desk.let_pass(1h);
    desk.give(kernel::Resume{});
    CHECK(desk.state.wake_at() == desk.now + 6s);
    desk.run();
    CHECK(desk.state_name() == WorkflowState::failed);
    CHECK(desk.state.failure->is(code::resource_exhausted));
  }
  SUBCASE("suspending, until it is given more") {
    budget.suspend_when_exceeded = true;
    Desk desk(with_budget(workflow({calling("a")}), budget));
    desk.start();
    desk.run();
    REQUIRE(desk.state_name() == WorkflowState::suspended);
    Budget more;
    more.wall_time = 20s;
    desk.give(kernel::Update{{}, more});
    desk.give(kernel::Resume{});
    desk.answer(Value(1));
    CHECK(desk.state_name() == WorkflowState::completed);
  }
}

TEST_CASE("what is undone is not held back by a budget, but counted") {
  Definition definition = with_budget(workflow({hooked(calling("a", 60), "compensate", {calling("undo", 60)}), calling("b", 60)}), tokens(100));
  Desk desk(std::move(definition));
  desk.start();
  desk.answer(used(60));
  REQUIRE(desk.state_name() == WorkflowState::compensating);
  desk.answer(used(60));
  CHECK(desk.state_name() == WorkflowState::compensated);
  CHECK(desk.tokens() == 120);
  CHECK(desk.state.errors.front().is(code::resource_exhausted));
}

TEST_CASE("going back in time does not give back what was used") {
  Desk desk(with_budget(workflow({calling("a", 60), calling("b", 60)}), tokens(100, true)));
  desk.start();
  const auto mark = std::make_shared<const kernel::Mark>(kernel::Mark{desk.state, desk.now});
  desk.answer(used(60));
  REQUIRE(desk.state_name() == WorkflowState::suspended);
  desk.give(kernel::Rewind{{"", "a"}, false, mark});
  CHECK(desk.tokens() == 60);
  CHECK(desk.state.ledger.reserved.tokens == 0);
  CHECK(desk.state_name() == WorkflowState::suspended);
}
