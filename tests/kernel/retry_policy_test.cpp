// When a step is tried again.
#include <doctest/doctest.h>

#include "kernel/driver.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;

namespace {

/// A message that always fails with `error`, under that policy.
struct Failing : Driver {
  explicit Failing(RetryPolicy policy, Error error, Policies policies = {}) : Driver(workflow({with_policy(std::move(policy))}), std::move(policies)) {
    agent("bad", [error](const Envelope&) -> Result<Value> { return fail(error); });
    start();
  }
  static Step with_policy(RetryPolicy policy) {
    Step out = message("m", "bad");
    out.retry = std::move(policy);
    return out;
  }
  /// How long after its first call each call was made.
  std::vector<Duration> delays() {
    const Timestamp began = now;
    std::vector<Duration> out;
    std::size_t seen = 0;
    while (true) {
      for (; seen < sent.size(); ++seen) out.push_back(now - began);
      if (answer_one()) continue;
      if (state.wake_at() == kNever) return out;
      now = state.wake_at();
      give(kernel::Tick{});
    }
  }
};

}  // namespace

TEST_CASE("jitter moves a delay within its bounds, and the same instance draws the same again") {
  const RetryPolicy policy{.strategy = RetryStrategy::linear, .max_attempts = 3, .initial_delay = 10s, .jitter = 0.5};
  Failing first(policy, Error("busy", "no")), second(policy, Error("busy", "no"));
  const auto delays = first.delays();
  REQUIRE(delays.size() == 3);
  CHECK(delays[1] >= 5s);
  CHECK(delays[1] <= 15s);
  CHECK(delays[1] != 10s);
  CHECK(delays == second.delays());
}

TEST_CASE("only the codes of retry_on are tried again, and never those of abort_on") {
  CHECK(Failing({.strategy = RetryStrategy::immediate, .retry_on = {"busy"}}, Error("busy", "no")).delays().size() == 3);
  CHECK(Failing({.strategy = RetryStrategy::immediate, .retry_on = {"busy"}}, Error("other", "no")).delays().size() == 1);
  CHECK(Failing({.strategy = RetryStrategy::immediate, .abort_on = {"busy"}}, Error("busy", "no")).delays().size() == 1);
}

TEST_CASE("an agent's retry_after raises the delay") {
  Error busy("rate_limited", "later");
  busy.retry_after_us = Duration(30s).count();
  CHECK(Failing({.strategy = RetryStrategy::linear, .max_attempts = 2, .initial_delay = 1s}, busy).delays() == std::vector<Duration>{0s, 30s});
}

TEST_CASE("a registered policy decides when, and when no more; its decision is recorded, so a replay does not ask it") {
  int asked = 0;
  const RetryFunction fibonacci = [&asked](const RetryQuestion& question) -> std::optional<Duration> {
    ++asked;
    if (question.error.is("hopeless") || question.attempt == 4) return std::nullopt;
    static constexpr Duration kDelays[] = {1s, 2s, 3s};
    return kDelays[question.attempt - 1];
  };
  const RetryPolicy policy{.strategy = RetryStrategy::custom, .max_attempts = 10, .custom = "fibonacci"};
  CHECK(Failing(policy, Error("busy", "no"), {{"fibonacci", fibonacci}}).delays() == std::vector<Duration>{0s, 1s, 3s, 6s});
  CHECK(asked == 4);
  Failing hopeless(policy, Error("hopeless", "no"), {{"fibonacci", fibonacci}});
  CHECK(hopeless.delays().size() == 1);
  CHECK(hopeless.state_name() == WorkflowState::failed);
  hopeless.crash();
  CHECK(asked == 5);
}

TEST_CASE("a policy that nobody registered is told with its place, and means that there is no further attempt") {
  Failing failing({.strategy = RetryStrategy::custom, .custom = "unheard_of"}, Error("busy", "no"));
  CHECK(failing.delays().size() == 1);
  const Status checked = failing.program->check_retry_policies();
  REQUIRE(!checked);
  CHECK(checked.error().is(code::not_found));
  CHECK(checked.error().message.find("unheard_of") != std::string::npos);
}
