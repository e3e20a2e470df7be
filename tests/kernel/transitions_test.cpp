// Every state with every request, and which states may follow which.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "kernel/driver.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;

namespace {

using enum WorkflowState;

constexpr WorkflowState kStates[] = {pending, running, paused, suspended, compensating, completed, failed, cancelled, compensated, timed_out};

/// An instance in that state: "a" was done and can be undone where that is wanted, "b" comes next.
Driver instance_in(WorkflowState wanted) {
  Definition definition = workflow({hooked(message("a", "echo", 1), "compensate", {message("undo", "undo")}), message("b", "slow")});
  if (wanted == failed || wanted == cancelled || wanted == timed_out) definition.compensation_strategy = CompensationStrategy::none;
  if (wanted == timed_out) definition.timeout = 1h;
  if (wanted == suspended) definition.steps.back().on_error = OnError::suspend;
  Driver driver(std::move(definition));
  driver.agent("echo", [](const Envelope& in) -> Result<Value> { return in.data; });
  if (wanted == compensated) driver.agent("undo", [](const Envelope&) -> Result<Value> { return Value(); });
  if (wanted == completed) driver.agent("slow", [](const Envelope&) -> Result<Value> { return Value(); });
  const bool fails = wanted == suspended || wanted == compensating || wanted == failed || wanted == compensated;
  if (fails) driver.agent("slow", [](const Envelope&) -> Result<Value> { return fail("broken", "no"); });
  kernel::Start start;
  start.id = "i1";
  start.queued = wanted == pending;
  driver.give(std::move(start));
  driver.run();
  if (wanted == paused) driver.give(kernel::Pause{});
  if (wanted == cancelled) driver.give(kernel::Cancel{});
  REQUIRE(driver.state_name() == wanted);
  return driver;
}

/// The state that each accepted request leads to; a state that is not in the list refuses it.
using Accepted = std::map<WorkflowState, WorkflowState>;

struct Request {
  std::string name;
  std::optional<kernel::Input> input;  ///< none: a rewind to before "a"
  Accepted accepted;
  bool repeatable = false;             ///< asking again is no error, and changes nothing
};

std::vector<Request> requests() {
  return {
      {"pause", kernel::Pause{}, {{running, paused}, {paused, paused}, {suspended, paused}}, true},
      {"resume", kernel::Resume{}, {{running, running}, {paused, running}, {suspended, running}}, true},
      {"cancel",
       kernel::Cancel{},
       {{pending, cancelled}, {running, compensating}, {paused, compensating}, {suspended, compensating}, {compensating, compensating},
        {cancelled, cancelled}},
       true},
      {"terminate",
       kernel::Terminate{},
       {{pending, cancelled}, {running, cancelled}, {paused, cancelled}, {suspended, cancelled}, {compensating, cancelled},
        {cancelled, cancelled}},
       true},
      {"signal", kernel::Signal{"go", {}}, {{pending, pending}, {running, running}, {paused, paused}, {suspended, suspended}}},
      {"retry", kernel::Retry{}, {{suspended, running}}},
      {"skip", kernel::Skip{"b", Value(7)}, {{running, completed}, {paused, paused}, {suspended, completed}}},
      {"update", kernel::Update{object({{"n", 2}})}, {{paused, paused}, {suspended, suspended}}},
      {"checkpoint", kernel::MakeCheckpoint{"here"}, {{running, running}, {paused, paused}, {suspended, suspended}}},
      {"debug", kernel::Debug{}, {{pending, pending}, {running, running}, {paused, paused}, {suspended, suspended}, {compensating, compensating}}},
      {"step", kernel::StepOnce{}, {}},
      {"rewind",
       std::nullopt,
       {{running, running}, {paused, paused}, {suspended, running}, {completed, running}, {failed, running}, {cancelled, running},
        {compensated, running}, {timed_out, running}}},
  };
}

kernel::Commit ask(Driver& driver, const Request& request) {
  return request.input ? driver.give(*request.input) : driver.rewind({{}, "a"});
}

/// Every pair of states, told whether the second may follow the first.
template <class State, std::size_t N>
void check_table(const State (&states)[N], const std::map<State, std::set<State>>& legal) {
  for (const State from : states)
    for (const State to : states) {
      INFO(to_string(from), " to ", to_string(to));
      const auto row = legal.find(from);
      CHECK(may_follow(from, to) == (row != legal.end() && row->second.contains(to)));
    }
}

}  // namespace

TEST_CASE("every request in every state: carried out, or refused with the state's name and without a trace") {
  for (const Request& request : requests()) {
    for (const WorkflowState state : kStates) {
      INFO(request.name, " while ", to_string(state));
      Driver driver = instance_in(state);
      const std::string before = fingerprint(driver.state);
      const auto commit = ask(driver, request);
      const auto expected = request.accepted.find(state);
      if (expected != request.accepted.end()) {
        CHECK(!commit.refused);
        CHECK(driver.state_name() == expected->second);
        continue;
      }
      REQUIRE(commit.refused);
      CHECK((commit.refused->is(code::invalid_state) || (state == pending && commit.refused->is(code::not_found))));
      if (commit.refused->is(code::invalid_state)) CHECK(commit.refused->message.find(to_string(state)) != std::string::npos);
      CHECK(commit.records.empty());
      CHECK(fingerprint(driver.state) == before);
    }
  }
}

TEST_CASE("what was asked already is no error, and changes nothing") {
  for (const Request& request : requests()) {
    if (!request.repeatable) continue;
    for (const auto& [state, after] : request.accepted) {
      INFO(request.name, " twice while ", to_string(state));
      Driver driver = instance_in(state);
      ask(driver, request);
      const std::string once = fingerprint(driver.state);
      const auto again = ask(driver, request);
      CHECK(!again.refused);
      CHECK(again.records.empty());
      CHECK(fingerprint(driver.state) == once);
    }
  }
}

TEST_CASE("retry and skip of a step, in every state that a step can be in") {
  const auto with_step = [](StepState wanted) {
    Step step = wanted == StepState::waiting ? testing::step("wait", "b", object({{"duration", "1h"}})) : message("b", "agent");
    if (wanted == StepState::retrying) step = retried(std::move(step), 3, 1h);
    if (wanted == StepState::failed) step.on_error = OnError::suspend;
    Driver driver(workflow({std::move(step), message("c", "nobody")}));
    if (wanted == StepState::retrying || wanted == StepState::failed)
      driver.agent("agent", [](const Envelope&) -> Result<Value> { return fail("broken", "no"); });
    if (wanted == StepState::completed) driver.agent("agent", [](const Envelope&) -> Result<Value> { return Value(); });
    driver.start();
    driver.run(driver.now);
    return driver;
  };
  struct Row {
    StepState state;
    std::string_view retry, skip;  ///< the code that it is refused with; empty: carried out
  };
  for (const Row& row : std::initializer_list<Row>{{StepState::running, code::invalid_state, ""},
                                                   {StepState::waiting, code::invalid_state, ""},
                                                   {StepState::retrying, "", ""},
                                                   {StepState::failed, "", ""},
                                                   {StepState::completed, code::not_found, code::not_found}}) {
    INFO(to_string(row.state));
    const std::string before = fingerprint(with_step(row.state).state);
    Driver retried_one = with_step(row.state);
    const auto retry = retried_one.give(kernel::Retry{"b"});
    CHECK((retry.refused ? std::string_view(retry.refused->code) : "") == row.retry);
    if (!row.retry.empty()) CHECK(fingerprint(retried_one.state) == before);
    if (row.retry == code::invalid_state) CHECK(retry.refused->message.find(to_string(row.state)) != std::string::npos);
    if (row.retry.empty()) CHECK(retried_one.state.run(kernel::RunId(1))->attempt == 2);
    Driver skipped = with_step(row.state);
    const auto skip = skipped.give(kernel::Skip{"b", Value(7)});
    CHECK((skip.refused ? std::string_view(skip.refused->code) : "") == row.skip);
    if (!row.skip.empty()) CHECK(fingerprint(skipped.state) == before);
    if (row.skip.empty()) CHECK(skipped.result("b")->as_integer() == 7);
  }
}

TEST_CASE("which workflow state may follow which") {
  const std::set<WorkflowState> unhappy{failed, cancelled, timed_out, compensating};
  const auto and_unhappy = [&](std::set<WorkflowState> others) {
    others.insert(unhappy.begin(), unhappy.end());
    return others;
  };
  check_table(kStates, {{pending, {running, cancelled, timed_out, compensating}},
                        {running, and_unhappy({paused, suspended, completed})},
                        {paused, and_unhappy({running})},
                        {suspended, and_unhappy({running, paused})},
                        {compensating, {compensated, failed, cancelled, timed_out}},
                        {completed, {running, pending, compensating}},
                        {failed, {running, pending}},
                        {cancelled, {running, pending}},
                        {compensated, {running, pending}},
                        {timed_out, {running, pending}}});
}

TEST_CASE("which step state may follow which") {
  using S = StepState;
  constexpr S kSteps[] = {S::pending, S::running, S::waiting, S::retrying, S::compensating, S::completed,
                          S::failed, S::skipped, S::cancelled, S::timed_out, S::compensated};
  check_table(kSteps, {{S::pending, {S::running, S::skipped, S::cancelled}},
                       {S::running, {S::waiting, S::retrying, S::completed, S::failed, S::skipped, S::cancelled, S::timed_out}},
                       {S::waiting, {S::running, S::retrying, S::completed, S::failed, S::skipped, S::cancelled, S::timed_out}},
                       {S::retrying, {S::running, S::failed, S::skipped, S::cancelled, S::timed_out}},
                       {S::completed, {S::compensating}},
                       {S::compensating, {S::compensated, S::failed}},
                       {S::failed, {S::running, S::skipped}},
                       {S::timed_out, {S::running, S::skipped}}});
}
