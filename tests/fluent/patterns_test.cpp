// The patterns of the builder mean what the same steps mean in YAML, and are sound.
#include "fluent/patterns.h"

#include <doctest/doctest.h>

#include "builder/printer.h"
#include "builder/reader.h"
#include "value/json.h"

using namespace mapflow;
using namespace std::chrono_literals;

namespace {

/// Steps in a workflow with the agents a and b, as the canonical document.
std::string built(const Steps& steps) {
  const auto flow = workflow("flow").with_variables({{"items", array({1})}}).with_agent("a", "human").with_agent("b", "human").append(steps).build();
  INFO((flow ? "" : flow.error().to_string()));
  REQUIRE(flow.has_value());
  return to_json_pretty(*builder::to_document(*flow).find("steps"));
}

std::string written(const std::string& steps) {
  const builder::ReadResult read = builder::read_definitions("id: flow\nsteps:\n" + steps, "flow.yaml", fluent::built_in_kinds());
  for (const Diagnostic& each : read.diagnostics) MESSAGE(each.to_string());
  REQUIRE(!has_errors(read.diagnostics));
  return to_json_pretty(*builder::to_document(read.definitions.at(0)).find("steps"));
}

Steps ask(const char* agent, const char* name = "") { return branch(name).message(agent, "do").with_id(std::string(agent) + name); }

}  // namespace

TEST_CASE("saga, map-reduce, quorum, poll, dead letters, refine") {
  CHECK(built(pattern::saga({{"one", ask("a"), branch().message("a", "undo")}, {"two", ask("b"), branch().message("b", "undo")}})) == written(R"(
  - { id: one, type: sequence, steps: [ { id: a, type: message, destination: a, action: do } ], compensate: [ { type: message, destination: a, action: undo } ] }
  - { id: two, type: sequence, steps: [ { id: b, type: message, destination: b, action: do } ], compensate: [ { type: message, destination: b, action: undo } ] }
)"));
  CHECK(built(pattern::map_reduce("sum", "items", ask("a"), Aggregation::sum, 4)) == written(R"(
  - { id: sum, type: loop, items: items, max_concurrent: 4, body: [ { id: a, type: message, destination: a, action: do } ] }
  - { id: sum_reduced, type: aggregate, source_steps: ["sum[*]"], aggregation: sum }
)"));
  CHECK(built(pattern::quorum("read", {ask("a", "north"), ask("b", "south")}, 2)) == written(R"(
  - id: read_asked
    type: parallel
    fail_fast: false
    steps:
      - north: [ { id: anorth, type: message, destination: a, action: do, on_error: continue } ]
      - south: [ { id: bsouth, type: message, destination: b, action: do, on_error: continue } ]
  - { id: read, type: aggregate, source_steps: ["read_asked[*]"], aggregation: quorum, quorum: 2, where: value is not none }
)"));
  CHECK(built(pattern::poll("ready", ask("a"), "results.a.done", 10s, 5)) == written(R"(
  - { id: ready, type: loop, until: results.a.done, max_iterations: 5,
      body: [ { id: ready_pause, type: wait, duration: 10s }, { id: a, type: message, destination: a, action: do } ] }
)"));
  CHECK(built(pattern::dead_letters("all", "items", ask("a"), ask("b"), 3)) == written(R"(
  - id: all
    type: loop
    items: items
    loop_var: item
    max_concurrent: 3
    body:
      - { id: all_work, type: sequence, steps: [ { id: a, type: message, destination: a, action: do } ], on_error: [ { id: b, type: message, destination: b, action: do } ] }
)"));
  CHECK(built(pattern::refine("text", ask("a"), ask("b"), "results.b.good", 3)) == written(R"(
  - { id: text, type: loop, until: results.b.good, max_iterations: 3,
      body: [ { id: a, type: message, destination: a, action: do }, { id: b, type: message, destination: b, action: do } ] }
)"));
}

TEST_CASE("approval, four eyes, escalation declare the people they ask") {
  const auto people = [](const Steps& steps) {
    std::string names;
    const auto flow = workflow("flow").append(steps).build();
    INFO((flow ? "" : flow.error().to_string()));
    REQUIRE(flow.has_value());
    for (const AgentConfig& each : flow->agents) names += each.name + " " + each.transport + "\n";
    return names;
  };
  CHECK(people(pattern::approval("pay", "boss", "May we?", 24h)) == "boss human\n");
  CHECK(people(pattern::four_eyes("pay", "ann", "bob", "May we?", 24h)) == "ann human\nbob human\n");
  CHECK(people(pattern::escalation("pay", "team", "boss", "May we?", 24h, 48h)) == "team human\nboss human\n");
  CHECK(built(pattern::approval("pay", "a", "May we?", 24h)) == written(R"(
  - id: pay
    type: message
    destination: a
    action: May we?
    timeout: 1d
    expect: { type: object, required: [approved] }
    on_error: [ { id: pay_unanswered, type: transform, transformations: { approved: false, reason: "{{ error.code }}" } } ]
)"));
}
