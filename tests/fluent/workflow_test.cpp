// Workflows put together in C++ mean what the same workflows mean in YAML.
#include "fluent/workflow.h"

#include <doctest/doctest.h>

#include "builder/printer.h"
#include "builder/reader.h"
#include "builder/validator.h"
#include "value/json.h"

using namespace mapflow;
using namespace std::chrono_literals;
using builder::to_document;

namespace {

std::string of_yaml(std::string_view text) {
  const builder::ReadResult read = builder::read_definitions(text, "flow.yaml", fluent::built_in_kinds());
  for (const Diagnostic& each : read.diagnostics) MESSAGE(each.to_string());
  REQUIRE(!has_errors(read.diagnostics));
  return to_json_pretty(to_document(read.definitions.at(0)));
}

std::string of_chain(const Result<Definition>& built) {
  INFO((built ? "" : built.error().to_string()));
  REQUIRE(built.has_value());
  return to_json_pretty(to_document(*built));
}

std::string problems(const Result<Definition>& built) {
  REQUIRE(!built);
  CHECK(built.error().is(code::invalid_input));
  return built.error().message;
}

// --- what must not compile ----------------------------------------------------------------------------------------------

template <class Chain> concept retries = requires(Chain chain) { chain.with_retry(3); };
template <class Chain> concept compensates = requires(Chain chain) { chain.with_compensation(branch()); };
template <class Chain> concept builds = requires(Chain chain) { chain.build(); };
template <class Chain> concept tags = requires(Chain chain) { chain.with_tags({"a"}); };
template <class Chain> concept prioritizes = requires(Chain chain) { chain.with_priority(Priority::high); };
template <class Chain> concept goes_otherwise = requires(Chain chain) { chain.otherwise(branch()); };
template <class Chain> concept joins = requires(Chain chain) { chain.parallel("p"); };
template <class Chain> concept limits_workers = requires(Chain chain) { chain.with_max_concurrent(3u); };

using Flow = WorkflowChain;
using InFlow = fluent::InWorkflow;
using InBranch = fluent::InBranch;
namespace kind = fluent::kind;
template <class Kind> using Behind = fluent::StepChain<InFlow, Kind>;

static_assert(!retries<Flow> && !retries<BranchChain> && retries<Behind<kind::Message>>, "there is nothing to retry before the first step");
static_assert(tags<Flow> && !tags<Behind<kind::Message>>, "only workflows have tags");
static_assert(compensates<Flow> && compensates<Behind<kind::Custom>>);
static_assert(builds<Flow> && !builds<BranchChain> && !builds<fluent::StepChain<InBranch, kind::Message>>, "a branch is no workflow");
static_assert(prioritizes<Behind<kind::Message>> && !prioritizes<Behind<kind::Wait>>);
static_assert(goes_otherwise<Behind<kind::If>> && goes_otherwise<Behind<kind::Switch>> && !goes_otherwise<Behind<kind::ForEach>>);
static_assert(limits_workers<Behind<kind::ForEach>> && !limits_workers<Behind<kind::Repeat>>, "each time decides about the next");
static_assert(!joins<Flow>, "a parallel has branches");
static_assert(!std::convertible_to<Flow, Steps> && std::convertible_to<BranchChain, Steps>, "a workflow is no branch");

}  // namespace

TEST_CASE("a chain says the head of a workflow, then its steps") {
  const auto built = workflow("order_processing").with_name("Orders").with_description("Does orders").with_version("1.10").with_timeout(30min)
      .with_compensation_strategy(Compensation::forward).with_tags({"orders", "eu"}).with_metadata({{"owner", "shop"}})
      .with_variables({{"limit", 500}}).with_input_schema(object({{"type", "object"}}))
      .with_budget({.tokens = 1000, .suspend_when_exceeded = true}).with_max_depth(4)
      .with_agent("stock", "http", {{"url", "http://127.0.0.1:7001/"}}, {{"rate_limit", "50/s"}})
      .message("stock", "reserve", {{"items", "{{ items }}"}}).with_id("check").with_name("Check").with_retry(3).with_timeout(10s)
      .with_compensation(branch().message("stock", "release", {{"hold", "${original.result.hold}"}}))
      .build();
  CHECK(of_chain(built) == of_yaml(R"(
id: order_processing
name: Orders
description: Does orders
version: 1.10
timeout: 30m
compensation_strategy: forward
tags: [orders, eu]
metadata: { owner: shop }
variables: { limit: 500 }
variables_schema: { type: object }
budget: { tokens: 1000, on_exceeded: suspend }
max_depth: 4
agents: { stock: { http: { url: "http://127.0.0.1:7001/" }, rate_limit: 50/s } }
steps:
  - id: check
    name: Check
    type: message
    destination: stock
    action: reserve
    data: { items: "{{ items }}" }
    retry: 3
    timeout: 10s
    compensate: { type: message, destination: stock, action: release, data: { hold: "${original.result.hold}" } }
)"));
}

TEST_CASE("every kind of step has its words, nested as deep as they go") {
  const auto built = workflow("all").with_agent("a", "queue", "tasks")
      .parallel("fan", branch("left").message("a", "x").message("a", "y"), branch().custom("h", {{"n", 1}}).with_id("right"))
          .with_wait_strategy(WaitStrategy::majority).with_max_concurrent(2)
      .if_condition("{{ total > 3 }}", branch().wait(90s), branch().for_each("items", branch().if_condition("item > 1", branch().message("a", "z")))
          .with_loop_variable("item").with_max_concurrent(4).collecting("item * 2").break_when("item == 9"))
      .switch_(when("a == 1", branch().wait("{{ pause }}")), when("a == 2", branch().wait_until("2027-01-01T00:00:00Z"))).otherwise(branch().wait_for_signal("go"))
      .while_("n < 3", branch().transform({{"n", "{{ n + 1 }}"}})).with_max_iterations(10).stop_at_max_iterations()
      .until("done", branch().wait_for_condition("ready").with_check_interval(1s)).with_id("poll")
      .for_each(array({1, 2}), branch().sequence(branch().assert_that({"item > 0"})))
      .sub_workflow("child", {{"x", "{{ y }}"}}).with_output({{"z", "{{ child.results }}"}}).on_parent_close(ParentClose::abandon)
      .aggregate({"poll", "fan"}, Aggregation::best).by("value").where("value is not none").fail_on_missing()
      .human("boss", "approve", {{"sum", "{{ total }}"}}).with_timeout(24h).with_priority(Priority::high).on_failure(branch().transform({{"why", "{{ error.code }}"}}))
      .wait_for_signal("approval").with_timeout(1h).on_timeout(branch().message("a", "late").without_response()).when("total > 5").with_output_key("answer.given")
      .step("custom", {{"handler", "h"}}).with_field("input", {{"deep", "${a.b}"}}).suspend_on_failure()
      .build(fluent::built_in_kinds(), {.workflows = {"child"}});
  CHECK(of_chain(built) == of_yaml(R"(
id: all
agents: { a: { queue: tasks }, boss: { human: {} } }
steps:
  - { id: fan, type: parallel, wait_strategy: majority, max_concurrent: 2, steps: [ { left: [ { type: message, destination: a, action: x }, { type: message, destination: a, action: y } ] }, { id: right, type: custom, handler: h, input: { n: 1 } } ] }
  - type: conditional
    condition: total > 3
    if_true: { type: wait, duration: 1m30s }
    if_false: { type: loop, items: items, loop_var: item, max_concurrent: 4, collect: item * 2, break_when: item == 9, body: { type: conditional, condition: item > 1, if_true: { type: message, destination: a, action: z } } }
  - type: conditional
    switch: [ { when: a == 1, steps: { type: wait, duration: "{{ pause }}" } }, { when: a == 2, steps: { type: wait, until: "2027-01-01T00:00:00Z" } } ]
    otherwise: { type: wait, signal: go }
  - { type: loop, while: n < 3, max_iterations: 10, on_max_iterations: stop, body: { type: transform, transformations: { n: "{{ n + 1 }}" } } }
  - { id: poll, type: loop, until: done, body: { type: wait, condition: ready, check_interval: 1s } }
  - { type: loop, items: [1, 2], body: { type: sequence, steps: { type: transform, assert: item > 0 } } }
  - { type: subworkflow, workflow_id: child, input: { x: "{{ y }}" }, output: { z: "{{ child.results }}" }, on_parent_close: abandon }
  - { type: aggregate, source_steps: [poll, fan], aggregation: best, by: value, where: value is not none, on_missing: fail }
  - { type: message, destination: boss, action: approve, data: { sum: "{{ total }}" }, timeout: 24h, priority: high, on_error: { type: transform, transformations: { why: "{{ error.code }}" } } }
  - { type: wait, signal: approval, timeout: 1h, on_timeout: { type: message, destination: a, action: late, wait_for_response: false }, when: total > 5, output_key: answer.given }
  - { type: custom, handler: h, input: { deep: "{{ a.b }}" }, on_error: suspend }
)"));
}

TEST_CASE("steps may be added in a loop, and finished branches from a list") {
  auto flow = workflow("generated");
  std::vector<Steps> regions;
  for (const char* region : {"eu", "us"}) {
    flow.message("audit", region).with_id(std::string("audit_") + region);
    regions.push_back(branch(region).message("sales", "sum", {{"region", region}}));
  }
  flow.parallel("sales", regions).append(branch().wait(1s));
  const auto built = flow.build();
  REQUIRE(built);
  CHECK(built->steps.size() == 4);
  CHECK(built->steps[1].id == "audit_us");
  CHECK(built->steps[2].branches[1].name == "us");
}

TEST_CASE("build() lists every problem with the path of its step") {
  const std::string told = problems(workflow("bad id!/")
      .message("", "x").with_id("a")
      .parallel("fan", branch("left").message("a", "x", {{"y", "{{ results.b.z }}"}}).with_id("b"), branch("left").message("a", "{{ oops"), branch().wait(1s).wait(2s))
      .aggregate({"nobody"}).with_quorum(2)
      .build());
  for (const char* part : {"MF0207", "a: error: 'destination' is empty", "fan/b: error: step 'b' asks for its own result", "fan/message_3: error:", "MF0211", "MF0224",
                           "aggregate_1: error: there is no step 'nobody'"})
    CHECK_MESSAGE(told.find(part) != std::string::npos, part << " in " << told);
}

TEST_CASE("agents that a chain declares are checked as in a file") {
  const std::string told = problems(workflow("w").with_agent("a", "telepathy").with_agent("b", "http", {{"url", "x"}}, {{"rate_limit", "fast"}}).message("c", "x").build());
  for (const char* part : {"unknown key 'telepathy'", "MF0225", "unknown agent 'c'"}) CHECK_MESSAGE(told.find(part) != std::string::npos, part << " in " << told);
}

TEST_CASE("a workflow without steps is none") { CHECK(problems(workflow("w").build()).find("MF0222") != std::string::npos); }

TEST_CASE("building twice, or copying a chain, makes the same definition") {
  const auto flow = workflow("w").wait(1s).with_id("a");
  const auto again = flow;
  CHECK(of_chain(flow.build()) == of_chain(again.build()));
}
