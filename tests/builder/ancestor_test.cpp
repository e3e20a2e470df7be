// The ancestor's spellings read as the canonical ones.
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "builder/catalog.h"
#include "builder/printer.h"
#include "value/json.h"

using namespace mapflow;

TEST_CASE("each old spelling means the same as its new one") {
  const std::vector<std::pair<std::string, std::string>> pairs{
      {"{ step_id: a, type: wait, duration: 5 }", "{ id: a, type: wait, duration: 5 }"},
      {"{ type: message, destination: s, retry_policy: { max_attempts: 5, initial_delay: 2 } }",
       "{ type: message, destination: s, retry: { max_attempts: 5, initial_delay: 2s } }"},
      {"{ type: message, destination: s, compensation: { type: message, destination: u } }",
       "{ type: message, destination: s, compensate: [ { type: message, destination: u } ] }"},
      {"{ type: message, destination: s, compensation_handler: undo_it }",
       "{ type: message, destination: s, compensate: [ { type: custom, handler: undo_it } ] }"},
      {"{ type: message, destination: s, data_template: { q: '${query}' } }", "{ type: message, destination: s, data: { q: '{{ query }}' } }"},
      {"{ type: message, destination: s, template: { action: go, data: { x: 1 }, priority: high, metadata: { trace: t }, type: request } }",
       "{ type: message, destination: s, action: go, data: { x: 1 }, priority: high, headers: { trace: t, type: request } }"},
      {"{ type: conditional, condition: '${ok} == true', if_true: { type: wait, duration: 1 } }",
       "{ type: conditional, condition: ok == true, if_true: [ { type: wait, duration: 1 } ] }"},
      {"{ type: loop, items_source: orders, loop_variable: order, body: { type: message, destination: '${order.agent}' } }",
       "{ type: loop, items: orders, loop_var: order, body: [ { type: message, destination: '{{ order.agent }}' } ] }"},
      {"{ type: loop, items: '${orders}', body: { type: wait, duration: 1 } }", "{ type: loop, items: orders, body: [ { type: wait, duration: 1 } ] }"},
      {"{ type: subworkflow, workflow_id: flow, input_mapping: { a: parent.a, b: '${c}', n: 3 } }",
       "{ type: subworkflow, workflow_id: flow, input: { a: '{{ parent.a }}', b: '{{ c }}', n: 3 } }"},
      {"{ type: subworkflow, workflow_id: flow, output_mapping: { total: order.total } }",
       "{ type: subworkflow, workflow_id: flow, output: { order.total: '{{ child.results.total }}' } }"},
      {"{ type: wait, until_condition: '${ready}' }", "{ type: wait, condition: ready }"},
      {"{ type: aggregate, source_steps: [a], aggregation_func: sum }", "{ type: aggregate, source_steps: [a], aggregation: sum }"},
      {"{ type: aggregate, source_steps: [a], aggregation_type: list }", "{ type: aggregate, source_steps: [a], aggregation: list }"},
      {"{ type: custom, execute_handler: do_it, compensate_handler: undo_it }",
       "{ type: custom, handler: do_it, compensate: [ { type: custom, handler: undo_it } ] }"},
  };
  for (const auto& [old_form, new_form] : pairs) {
    INFO(old_form);
    const auto with = [](const std::string& step) {
      const auto read = builder::read_definitions("id: flow\nsteps:\n  - " + step + "\n", "f.yaml", test::catalog());
      INFO(test::lines_of(read.diagnostics));
      REQUIRE(read.diagnostics.empty());
      return to_json(builder::to_document(read.definitions.at(0)));
    };
    CHECK(with(old_form) == with(new_form));
  }
}

TEST_CASE("an old workflow reads whole") {
  const Definition read = test::read_sound(R"(
workflow_id: content_pipeline
name: Content Pipeline
version: "1.0"
timeout: 3600
compensation_strategy: backward
steps:
  - step_id: research
    type: message
    destination: researcher
    template:
      action: research
      data: { topic: "${topic}", depth: 3 }
    timeout: 300
    retry_policy: { strategy: exponential, max_attempts: 3 }
    compensation: { step_id: forget, type: message, destination: researcher, action: forget }
  - step_id: fan
    type: parallel
    wait_strategy: all
    steps:
      - { step_id: write, type: message, destination: writer, data: "${results.research}" }
      - { step_id: draw, type: message, destination: artist, data: "${results.research}" }
  - step_id: gate
    type: conditional
    condition: "${quality} > 0.8"
    if_true: { step_id: publish, type: message, destination: publisher }
    if_false: { step_id: revise, type: message, destination: writer }
  - step_id: each
    type: loop
    items_source: channels
    loop_variable: channel
    body: { step_id: post, type: message, destination: "${channel}", data: "${channel_index}" }
  - { step_id: total, type: aggregate, source_steps: [write, draw], aggregation_type: list }
)");
  CHECK(read.id == "content_pipeline");
  CHECK(read.timeout == std::chrono::hours(1));
  CHECK(read.steps.at(0).timeout == std::chrono::minutes(5));
  CHECK(read.steps.at(0).hook("compensate")->steps.at(0).id == "forget");
  CHECK(read.steps.at(2).fields.find("condition")->as_text() == "quality > 0.8");
  CHECK(read.steps.at(3).fields.find("loop_var")->as_text() == "channel");
}

TEST_CASE("a shared step in the old style is translated once") {
  const Definition read = test::read_sound(R"(
id: flow
x-call: &call { type: subworkflow, workflow_id: flow, input_mapping: { a: b }, when: n > 0 }
steps:
  - { <<: *call, step_id: one }
  - { <<: *call, step_id: two }
)");
  for (const Step& step : read.steps) CHECK(to_json(*step.fields.find("input")) == R"({"a":"{{ b }}"})");
}
