// `mapflow fmt`: the canonical spelling, and everything else as it was.
#include "builder/formatter.h"

#include <doctest/doctest.h>

#include "builder/catalog.h"
#include "builder/printer.h"
#include "builder/random_definition.h"
#include "builder/yaml_text.h"
#include "value/json.h"

using namespace mapflow;
using builder::format_text;

namespace {

std::string formatted(std::string_view text) {
  const builder::FormatResult result = format_text(text, "flow.yaml", test::catalog());
  INFO(test::lines_of(result.diagnostics));
  REQUIRE(!has_errors(result.diagnostics));
  const builder::FormatResult again = format_text(result.text, "flow.yaml", test::catalog());
  CHECK_MESSAGE(again.text == result.text, "formatting twice");
  return result.text;
}

}  // namespace

TEST_CASE("old spellings become present ones; comments, order and layout stay") {
  CHECK(formatted(R"(# Orders.
workflow_id: orders   # the id

x-usual: &usual { type: message, destination: bank }   # shared

steps:
  # asks first
  - step_id: ask        # who?
    type: message
    destination: "bank"
    data_template: { sum: "${total}", note: plain }
    retry_policy: { max_attempts: 3 }
    compensation:       # undo
      type: message
      # inside
      destination: bank
      data: |
        ${one}
        two

  - { step_id: "pay", <<: *usual, when: "{{ total > 3 }}" }
  - type: loop
    items_source: "{{ orders }}"
    body: { type: wait, until_condition: "${ready}" }
)") == R"(# Orders.
id: orders   # the id

x-usual: &usual { type: message, destination: bank }   # shared

steps:
  # asks first
  - id: ask        # who?
    type: message
    destination: "bank"
    data: { sum: "{{ total }}", note: plain }
    retry: { max_attempts: 3 }
    compensate:       # undo
      - type: message
        # inside
        destination: bank
        data: |
          {{ one }}
          two

  - { id: "pay", <<: *usual, when: total > 3 }
  - type: loop
    items: orders
    body: [ { type: wait, condition: ready } ]
)");
}

TEST_CASE("fields that mean the same in another shape are written anew") {
  CHECK(formatted(R"(id: f
steps:
  - type: message
    destination: a
    template:
      action: go
      # how urgent
      priority: high
      data: { x: "${y}" }
    timeout: 5s
  - type: subworkflow
    workflow_id: child
    input_mapping: { there: here }
    output_mapping: { result: kept }   # back
    compensation: undo_it
  - { type: subworkflow, workflow_id: child, input_mapping: { there: here }, timeout: 3 }
)") == R"(id: f
steps:
  - type: message
    destination: a
    # how urgent
    action: go
    priority: high
    data:
      x: "{{ y }}"
    timeout: 5s
  - type: subworkflow
    workflow_id: child
    input:
      there: "{{ here }}"
    output:
      kept: "{{ child.results.result }}"
    compensate:
      - type: custom
        handler: undo_it
    # back
  - { type: subworkflow, workflow_id: child, input: { there: "{{ here }}" }, timeout: 3 }
)");
}

TEST_CASE("trailing blanks go, except in texts") {
  CHECK(formatted("id: f  \r\nsteps:\t\n  - type: transform   # x  \n    transformations:\n      a: |\n        kept  \n        x\n      b: 1") ==
        "id: f\nsteps:\n  - type: transform   # x\n    transformations:\n      a: |\n        kept  \n        x\n      b: 1\n");
}

TEST_CASE("byte order marks go, however many there are") {
  const std::string text = "id: w\nsteps:\n  - id: a\n    type: wait\n    duration: 1\n";
  CHECK(formatted("\xEF\xBB\xBF\xEF\xBB\xBF" + text) == text);
}

TEST_CASE("steps in steps are put into lists at every depth") {
  const std::string text = formatted("id: f\nsteps:\n  type: sequence\n  steps:\n    type: conditional\n    condition: x\n    if_true:\n      type: wait\n      duration: 1s\n");
  CHECK(text == "id: f\nsteps:\n  - type: sequence\n    steps:\n      - type: conditional\n        condition: x\n        if_true:\n          - type: wait\n            duration: 1s\n");
}

TEST_CASE("what is canonical already is left alone, byte by byte") {
  for (const char* text : {"id: f\nsteps:\n  - { id: a, type: wait, duration: 1s }\n",
                           "{\"id\": \"f\", \"steps\": [{\"type\": \"wait\", \"duration\": 3}]}\n",
                           "id: f\nsteps:\n  - type: parallel\n    steps:\n      - { type: wait, duration: 1s }\n      - named:\n          - { type: wait, duration: 1s }\n---\nid: g\nsteps: [ { type: wait, signal: x } ]\n"})
    CHECK(formatted(text) == text);
}

TEST_CASE("a broken text is told and not touched") {
  const std::string text = "id: f\nsteps: [ { type: wait, colour: red } ]";
  const auto result = format_text(text, "flow.yaml", test::catalog());
  CHECK(has_errors(result.diagnostics));
  CHECK(result.text == text);
}

TEST_CASE("random definitions as YAML mean the same before and after") {
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    const Definition made = test::random_definition(seed);
    const std::string yaml = builder::yaml_block(builder::to_document(made));
    INFO(yaml);
    CHECK(test::same(made, test::read_sound(yaml)));
    CHECK(test::same(made, test::read_sound(formatted(yaml))));
  }
}
