#include "testing/reenact.h"

#include <doctest/doctest.h>

#include <chrono>

#include "jinja/workflow.h"
#include "kernel/machine.h"
#include "testing/play.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;

namespace {

constexpr const char* kOrder = R"(
id: order
agents: { shop: { http: { url: "http://127.0.0.1:1/" } } }
steps:
  - { id: price, type: message, destination: shop, action: price, retry: { max_attempts: 3, initial_delay: 10s, jitter: 0 } }
  - { id: approval, type: wait, signal: approved, timeout: 10d }
  - id: route
    type: conditional
    condition: "results.price < 100"
    if_true: [ { id: post, type: transform, transformations: { way: post } } ]
    if_false: [ { id: van, type: transform, transformations: { way: van } } ]
)";

std::shared_ptr<const kernel::Program> program(std::string text) {
  auto compiled = kernel::compile(definitions(text).front(), text, kinds(), jinja::workflow_environment());
  REQUIRE(compiled.has_value());
  return *compiled;
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

/// One order: its price comes with the second attempt, it is paused in between, and approved a day later.
std::vector<kernel::Record> journal(const kernel::Program& program) {
  kernel::State state;
  Timestamp now = from_micros(1'700'000'000'000'000);
  std::vector<kernel::Record> records;
  const auto tell = [&](kernel::Input input) {
    for (auto& each : kernel::decide(program, state, input, now).records) records.push_back(std::move(each));
  };
  const kernel::RunId price(1);
  tell(kernel::Start{.id = "order-1", .input = object({{"n", 1}})});
  now += 1s;
  tell(kernel::CallDone{price, 1, fail(code::unavailable, "closed")});
  tell(kernel::Pause{"lunch"});
  now += 30s;
  tell(kernel::Resume{});
  tell(kernel::Recover{});
  now += 1s;
  tell(kernel::CallDone{price, 2, Reply{Value(70), std::nullopt}});
  now += 24h;
  tell(kernel::Signal{"approved", Value("ann")});
  REQUIRE(state.state == WorkflowState::completed);
  return records;
}

Reenactment replayed(const std::string& now, const std::vector<kernel::Record>& records) {
  static const auto then = program(kOrder);
  const auto changed = program(now);
  const auto result = reenact(*then, *changed, records, [](const std::string&) { return fail(code::not_found, "no children"); });
  REQUIRE(result.has_value());
  return *result;
}

}  // namespace

TEST_CASE("told the same again, an instance does the same again") {
  const auto records = journal(*program(kOrder));
  const Reenactment result = replayed(kOrder, records);
  CHECK(result.records == records.size());
  CHECK(!result.difference);
}

TEST_CASE("a definition that only looks different makes no difference, although its steps have other numbers") {
  const auto records = journal(*program(kOrder));
  // A branch that is not taken comes before the one that is.
  const std::string longer = replaced(kOrder, "[ { id: van, ", "[ { id: load, type: transform, transformations: { loaded: true } }, { id: van, ");
  CHECK(!replayed(longer, records).difference);
}

TEST_CASE("the first record that comes out differently is shown, with what led to it") {
  const auto records = journal(*program(kOrder));
  const auto found = replayed(replaced(kOrder, "results.price < 100", "results.price < 50"), records).difference;
  REQUIRE(found);
  CHECK(found->told == "signal 'approved'");
  REQUIRE(found->recorded);
  REQUIRE(found->now);
  CHECK(found->recorded->type == "block.opened");
  CHECK(*found->recorded->data.find("role") == Value("if_true"));
  CHECK(*found->now->data.find("role") == Value("if_false"));
}

TEST_CASE("steps that are new, or gone, are noticed") {
  const auto records = journal(*program(kOrder));
  const std::string insured = replaced(kOrder, "  - id: route", "  - { id: insure, type: message, destination: shop, action: insure }\n  - id: route");
  const auto more = replayed(insured, records).difference;
  REQUIRE(more);
  REQUIRE(more->now);
  CHECK(more->now->path == "insure");
  const auto less = replayed(replaced(kOrder, "  - { id: approval, type: wait, signal: approved, timeout: 10d }\n", ""), records).difference;
  REQUIRE(less);
  REQUIRE(less->recorded);
  CHECK(less->recorded->path == "approval");
}

TEST_CASE("a step that is new where the journal ends is noticed") {
  auto records = journal(*program(kOrder));
  // As long as it waits for the signal, only what comes before that can be compared.
  std::erase_if(records, [&](const kernel::Record& each) { return each.at == records.back().at; });
  CHECK(!replayed(replaced(kOrder, "results.price < 100", "results.price < 50"), records).difference);
  const std::string impatient = replaced(kOrder, "type: wait, signal: approved, timeout: 10d", "type: wait, duration: 0");
  const auto found = replayed(impatient, records).difference;
  REQUIRE(found);
  CHECK(found->now);
}

TEST_CASE("a result that was tampered with does not come out of what the agent is said to have answered") {
  auto records = journal(*program(kOrder));
  for (auto& each : records)
    if (auto* settled = std::get_if<kernel::StepSettled>(&each.body); settled && settled->writes.size() == 1) settled->writes.front().second = Value("boat");
  const auto found = replayed(kOrder, records).difference;
  REQUIRE(found);
  REQUIRE(found->now);
  CHECK(found->now->path == "route/post");
}
