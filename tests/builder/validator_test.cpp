// What the validator must not complain about, and what needs surroundings; what it must find is in broken/.
#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "builder/catalog.h"

using namespace mapflow;
using test::check_text;

namespace {

/// All findings of a flow with these steps, as lines; "" when it is fine.
std::string findings(std::string_view steps, std::string_view head = "") {
  return test::lines_of(check_text("id: flow\n" + std::string(head) + "steps:\n" + std::string(steps)).diagnostics);
}

}  // namespace

TEST_CASE("results of steps that came before can be read from anywhere behind them") {
  CHECK(findings(R"(
  - { id: a, type: message, destination: s }
  - id: fan
    type: parallel
    steps:
      - left: [ { id: l1, type: message, destination: s, data: "{{ results.a }}" }, { id: l2, type: message, destination: s, data: "{{ results.l1 }}" } ]
      - right: [ { id: r, type: message, destination: s, data: "{{ results.a }}" } ]
  - id: pick
    type: conditional
    condition: results.l2 and results.fan.left
    if_true: [ { id: t, type: message, destination: s, data: "{{ results.r }}" } ]
  - { id: z, type: message, destination: s, data: "{{ results.t | default(results.pick) }}" }
)") == "");
}

TEST_CASE("a loop's own conditions see the iteration; its body sees its variables") {
  CHECK(findings(R"(
  - id: each
    type: loop
    items: orders
    loop_var: order
    until: results.pay.done
    collect: "{'id': order.id, 'paid': results.pay, 'n': order_index}"
    body:
      - { id: pay, type: message, destination: s, data: "{{ order.total }} {{ order_index }}" }
      - id: lines
        type: loop
        items: order.lines
        body: [ { id: line, type: message, destination: s, data: "{{ order.id }} {{ item }} {{ results.pay }}" } ]
  - { id: sum, type: message, destination: s, data: "{{ results.each | length }}" }
)", "variables_schema: { properties: { orders: {} }, additionalProperties: false }\n") == "");
}

TEST_CASE("handlers see the error, compensations the original, and what ran meanwhile") {
  CHECK(findings(R"(
  - id: a
    type: message
    destination: s
    on_error: [ { id: h, type: message, destination: s, data: "{{ error.message }}" } ]
    on_success: [ { id: ok, type: message, destination: s, data: "{{ results.a }}" } ]
    compensate: [ { id: undo, type: message, destination: s, data: "{{ original.input }} {{ results.a }} {{ results.b | default(0) }} {{ results.b }}" } ]
  - { id: b, type: message, destination: s, data: "{{ results.h is defined }}" }
)", "variables_schema: { properties: {}, additionalProperties: false }\n") == "");
}

TEST_CASE("custom compensation sees all results and what is to be undone") {
  CHECK(findings("  - { id: a, type: message, destination: s }\n",
                 "compensation_strategy: custom\ncompensation_steps:\n  - { id: u, type: message, destination: s, data: \"{{ compensations | length }} {{ results.a }}\" }\n"
                 "variables_schema: { properties: {}, additionalProperties: false }\n") == "");
}

TEST_CASE("variables are declared by inputs, defaults, targets, output keys and outputs") {
  CHECK(findings(R"(
  - { id: t, type: transform, transformations: { net: "{{ total }}", order.tax: "{{ net * rate }}" } }
  - { id: m, type: message, destination: s, output_key: reply.body, data: "{{ order.tax }}" }
  - { id: n, type: message, destination: s, data: "{{ reply.body }} {{ range(3) | list }} {{ x | default('none') }}{% set y = 1 %}{{ y }}{% for i in [1] %}{{ loop.index }}{% endfor %}" }
  - { id: sub, type: subworkflow, workflow_id: flow, when: total > 3, output: { far: "{{ child.results.x }}" } }
  - { id: o, type: message, destination: s, data: "{{ far }}" }
  - { id: g, type: aggregate, source_steps: [m], where: "value > 3 and source != 'm'" }
)", "variables: { rate: 0.2 }\nvariables_schema: { properties: { total: {} }, additionalProperties: false }\n") == "");
}

TEST_CASE("inputs that nobody declared are nobody's business") {
  CHECK(findings("  - { id: a, type: message, destination: s, data: \"{{ anything }} {{ at.all }}\" }\n") == "");
  CHECK(findings("  - { id: a, type: message, destination: s, data: \"{{ order_id }}\" }\n", "variables: { currency: EUR }\n") == "");
}

TEST_CASE("agents are known from the definition or from around it") {
  const char* text = "id: flow\nsteps:\n  - { id: a, type: message, destination: stock }\n";
  CHECK(check_text(text).diagnostics.empty());  // nothing is declared, so nothing can be wrong
  CHECK(check_text(text, "f.yaml", nullptr, {.agents = {"stock"}}).diagnostics.empty());
  const auto read = check_text(text, "f.yaml", nullptr, {.agents = {"stok", "bank"}});
  REQUIRE(read.codes() == "3:42 MF0301");
  CHECK(read.diagnostics[0].hint == "did you mean 'stok'?");
}

TEST_CASE("workflows are known from the library or from around it") {
  const char* text = "id: flow\nsteps:\n  - { id: a, type: subworkflow, workflow_id: child }\n";
  CHECK(check_text(text).codes() == "3:46 MF0305");
  CHECK(check_text(text, "f.yaml", nullptr, {.workflows = {"child"}}).diagnostics.empty());
}

TEST_CASE("recursion with a way out is fine") {
  CHECK(findings(R"(
  - { id: again, type: subworkflow, workflow_id: flow, when: depth < 3 }
  - id: maybe
    type: conditional
    condition: x
    if_true: [ { id: b, type: subworkflow, workflow_id: flow } ]
  - id: each
    type: loop
    items: xs
    body: [ { id: c, type: subworkflow, workflow_id: flow } ]
)") == "");
}

TEST_CASE("a definition without text is checked as well") {
  Definition built;
  built.id = "built";
  Step step;
  step.id = "a";
  step.type = "message";
  step.fields = object({{"destination", "{{ x"}, {"colour", "red"}});
  built.steps = {step, step};
  const Diagnostics found = builder::validate({&built, 1}, test::catalog());
  std::vector<std::string> codes;
  for (const Diagnostic& each : found) codes.push_back(each.code);
  CHECK(codes == std::vector<std::string>{"MF0201", "MF0206", "MF0201", "MF0401", "MF0401"});
}

TEST_CASE("the host's own filters and functions count") {
  jinja::Environment environment({.undefined = jinja::Undefined::strict, .lookup = jinja::Lookup::data_first});
  environment.add_filter("shout", [](const jinja::Arguments& arguments) -> Result<Value> { return arguments.positional[0]; });
  const char* text = "id: flow\nsteps:\n  - { id: a, type: message, destination: s, data: \"{{ x | shout }}\" }\n";
  CHECK(check_text(text).codes() == "3:59 MF0401");
  CHECK(check_text(text, "f.yaml", nullptr, {.templates = &environment}).diagnostics.empty());
}

TEST_CASE("a thousand steps are validated in a blink") {
  std::string text = "id: big\nagents: { stock: { queue: stock } }\nvariables_schema: { properties: { sku: {} }, additionalProperties: false }\nsteps:\n";
  for (int i = 0; i < 1000; ++i) {
    const std::string n = std::to_string(i), before = i ? "{{ results.s" + std::to_string(i - 1) + ".total }}" : "0";
    text += "  - { id: s" + n + ", type: message, destination: stock, action: reserve, when: sku != '', data: { sku: \"{{ sku }}\", sum: \"" + before + "\" } }\n";
  }
  const auto read = builder::read_definitions(text, "big.yaml", test::catalog());
  REQUIRE(read.diagnostics.empty());
  const auto start = std::chrono::steady_clock::now();
  const Diagnostics found = builder::validate(read.definitions, test::catalog());
  const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
  CHECK(found.empty());
  MESSAGE("validating 1,000 steps took " << taken.count() << " ms");
  CHECK(taken.count() < 2000);  // a guard against anything quadratic; the release build's bound is 50 ms
}

TEST_CASE("thousands of mistakes are found in time too") {
  std::string text = "id: big\nagents: { stock: { queue: stock } }\nvariables_schema: { properties: { sku: {} }, additionalProperties: false }\nsteps:\n";
  for (int i = 0; i < 3000; ++i)
    text += "  - { id: s" + std::to_string(i) + ", type: message, destination: agent_number_" + std::to_string(i) + ", data: \"{{ results.step_number_" +
            std::to_string(i) + " }} {{ unknown_variable_" + std::to_string(i) + " }}\" }\n";
  const auto start = std::chrono::steady_clock::now();
  const auto read = check_text(text);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  CHECK(read.diagnostics.size() == 9000);
  CHECK(taken.count() < 20);
}
