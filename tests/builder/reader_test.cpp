// Documents to definitions: fields of every type, short forms, ids, branches, includes.
#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "builder/catalog.h"
#include "builder/codes.h"
#include "builder/printer.h"
#include "value/json.h"

using namespace mapflow;
using test::check_text;
using test::read_sound;
using namespace std::chrono_literals;

namespace {

std::string flow(std::string_view steps) { return "id: flow\nsteps:\n" + std::string(steps); }

const Step& step_of(const Definition& definition, std::size_t index = 0) { return definition.steps.at(index); }

std::string fields_of(std::string_view steps) { return to_json(read_sound(flow(steps)).steps.at(0).fields); }

}  // namespace

TEST_CASE("the head of a workflow") {
  const Definition read = read_sound(R"(
$schema: ./mapflow.schema.json
x-note: kept for people
id: order_processing
name: Order Processing
version: 1.20
description: Process orders
timeout: 30m
compensation_strategy: parallel
tags: [orders, 2026]
max_depth: 5
metadata: { owner: shop }
variables: { currency: EUR }
budget: { tokens: 200000, cost_usd: 1.50, steps: 10000, wall_time: 1h, on_exceeded: suspend }
variables_schema: { type: object, properties: { order_id: { type: string } } }
steps:
  - { id: a, type: wait, duration: 5s }
)");
  CHECK(read.id == "order_processing");
  CHECK(read.name == "Order Processing");
  CHECK(read.version == "1.20");
  CHECK(read.timeout == 30min);
  CHECK(read.compensation_strategy == CompensationStrategy::parallel);
  CHECK(read.tags == std::vector<std::string>{"orders", "2026"});
  CHECK(read.max_depth == 5);
  CHECK(to_json(read.variables) == R"({"currency":"EUR"})");
  CHECK(read.budget == Budget{.tokens = 200000, .cost_usd = 1.5, .steps = 10000, .wall_time = 1h, .suspend_when_exceeded = true});
  CHECK(read.file == "flow.yaml");
  CHECK(read.place("timeout").to_string() == "flow.yaml:8:10");
}

TEST_CASE("what is left out has its default") {
  const Definition read = read_sound(flow("  - { type: wait, duration: 5s }\n"));
  CHECK(read.version == "1");
  CHECK(read.compensation_strategy == CompensationStrategy::backward);
  CHECK(!read.timeout);
  CHECK(read.max_depth == 32);
  CHECK(read.budget == Budget{});
  const Step& step = step_of(read);
  CHECK(step.on_error == OnError::fail);
  CHECK(!step.retry);
  CHECK(step.metadata.is_null());
}

TEST_CASE("agents have a transport and limits") {
  const Definition read = read_sound(R"(
id: flow
agents:
  stock: { http: { url: "http://127.0.0.1:7001/" }, rate_limit: 50/s, max_concurrent: 8, key: "{{ order.region }}",
           circuit_breaker: { failure_threshold: 5, window: 1m, open_for: 30s }, bulkhead: 100 }
  boss: { human: }
  crunch: { queue: crunch, rate_limit: { rate: 5, per: 1m, burst: 2 } }
steps:
  - { type: message, destination: stock }
)");
  REQUIRE(read.agents.size() == 3);
  CHECK(read.agents[0].transport == "http");
  CHECK(to_json(read.agents[0].settings) == R"({"url":"http://127.0.0.1:7001/"})");
  CHECK(to_json(read.agents[0].limits) == R"({"rate_limit":"50/s","max_concurrent":8,"key":"order.region",)"
                                          R"("circuit_breaker":{"failure_threshold":5,"window":"1m","open_for":"30s"},"bulkhead":100})");
  CHECK(to_json(read.agents[1].settings) == "{}");
  CHECK(to_json(read.agents[2].settings) == R"("crunch")");
  CHECK(read.agents[2].where.to_string() == "flow.yaml:7:3");
}

TEST_CASE("common fields of a step") {
  const Definition read = read_sound(flow(R"(
  - id: pay
    name: Pay
    description: Takes the money
    type: message
    destination: bank
    when: "{{ total > 0 }}"
    timeout: 2.5
    total_timeout: PT5M
    output_key: payment.receipt
    metadata: { team: billing }
    on_error: suspend
    on_success: { id: thanks, type: message, destination: mail }
    compensate: [ { id: refund, type: message, destination: bank } ]
    fallback: [ { type: message, destination: bank2 } ]
)"));
  const Step& step = step_of(read);
  CHECK(step.when == "total > 0");
  CHECK(step.place("when").to_string() == "flow.yaml:9:15");  // inside the quotes and braces
  CHECK(step.timeout == 2500ms);
  CHECK(step.total_timeout == 5min);
  CHECK(step.output_key == "payment.receipt");
  CHECK(step.on_error == OnError::suspend);
  REQUIRE(step.hooks.size() == 3);
  CHECK(step.hook("on_success")->steps.at(0).id == "thanks");
  CHECK(step.hook("compensate")->steps.at(0).id == "refund");
  CHECK(step.hook("fallback")->steps.at(0).id == "message_4");
}

TEST_CASE("on_error takes a word or steps") {
  const Definition read = read_sound(flow(R"(
  - { type: message, destination: a, on_error: continue }
  - { type: message, destination: a, on_error: [ { type: message, destination: b }, { type: message, destination: c } ] }
  - { type: message, destination: a, on_error: { type: message, destination: b } }
)"));
  CHECK(step_of(read, 0).on_error == OnError::proceed);
  CHECK(step_of(read, 1).on_error == OnError::handle);
  CHECK(step_of(read, 1).hook("on_error")->steps.size() == 2);
  CHECK(step_of(read, 2).hook("on_error")->steps.size() == 1);
}

TEST_CASE("retry has short forms") {
  const Definition read = read_sound(flow(R"(
  - { type: message, destination: a, retry: 5 }
  - { type: message, destination: a, retry: linear }
  - type: message
    destination: a
    retry: { strategy: immediate, max_attempts: 7, initial_delay: 250ms, max_delay: 1m, backoff_factor: 3, jitter: 0.5,
             retry_on: [timeout, unavailable], abort_on: invalid_input }
  - { type: message, destination: a, retry: { custom: mine } }
)"));
  CHECK(*step_of(read, 0).retry == RetryPolicy{.max_attempts = 5});
  CHECK(*step_of(read, 1).retry == RetryPolicy{.strategy = RetryStrategy::linear});
  CHECK(*step_of(read, 2).retry == RetryPolicy{.strategy = RetryStrategy::immediate, .max_attempts = 7, .initial_delay = 250ms,
                                               .max_delay = 1min, .backoff_factor = 3, .jitter = 0.5,
                                               .retry_on = {"timeout", "unavailable"}, .abort_on = {"invalid_input"}});
  CHECK(*step_of(read, 3).retry == RetryPolicy{.strategy = RetryStrategy::custom, .custom = "mine"});
}

TEST_CASE("ids that are left out come from kind and number, and give way to written ones") {
  const Definition read = read_sound(flow(R"(
  - { type: message, destination: a }
  - { id: message_3, type: message, destination: a }
  - type: sequence
    steps:
      - { type: message, destination: a }
  - { type: message, destination: a }
)"));
  CHECK(step_of(read, 0).id == "message_1");
  CHECK(step_of(read, 2).id == "sequence_1");
  CHECK(step_of(read, 2).branches.at(0).steps.at(0).id == "message_3_2");
  CHECK(step_of(read, 3).id == "message_4");
}

TEST_CASE("expressions lose their braces; written values stay") {
  CHECK(fields_of("  - { type: conditional, condition: '{{ x > 1 }}', if_true: [] }\n") == R"({"condition":"x > 1"})");
  CHECK(fields_of("  - { type: conditional, condition: ' x > 1 ', if_true: [] }\n") == R"({"condition":"x > 1"})");
  CHECK(fields_of("  - { type: loop, items: 3, body: [] }\n") == R"({"items":3})");
  CHECK(fields_of("  - { type: loop, items: [1, '{{ x }}'], body: [] }\n") == R"({"items":[1,"{{ x }}"]})");
  CHECK(fields_of("  - { type: loop, items: orders, body: [] }\n") == R"({"items":"orders"})");
  CHECK(fields_of("  - { type: transform, assert: x > 1 }\n") == R"({"assert":["x > 1"]})");
  CHECK(fields_of("  - { type: transform, assert: ['{{ x }}', true, 'y'] }\n") == R"({"assert":["x","true","y"]})");
}

TEST_CASE("texts, names and values") {
  CHECK(fields_of("  - { type: message, destination: 7, action: 1.10 }\n") == R"({"destination":"7","action":"1.10"})");
  CHECK(fields_of("  - { type: aggregate, source_steps: a }\n") == R"({"source_steps":["a"]})");
  CHECK(fields_of("  - { type: message, destination: a, data: { n: 1.10, t: '1.10', x: null } }\n") ==
        R"({"destination":"a","data":{"n":1.1,"t":"1.10","x":null}})");
  CHECK(fields_of("  - { type: message, destination: a, data: }\n") == R"({"destination":"a"})");
  CHECK(fields_of("  - { type: wait, duration: 2.5 }\n") == R"({"duration":2.5})");
  CHECK(fields_of("  - { type: wait, duration: '{{ delay }}' }\n") == R"({"duration":"{{ delay }}"})");
}

TEST_CASE("branches of a parallel: steps, named lists, an object of them") {
  const char* forms[] = {
      "  - type: parallel\n    steps:\n      - { id: a, type: wait, duration: 1s }\n      - two: [ { id: b, type: wait, duration: 1s } ]\n        three: { id: c, type: wait, duration: 1s }\n",
      "  - type: parallel\n    steps:\n      one: { id: a, type: wait, duration: 1s }\n      two: [ { id: b, type: wait, duration: 1s } ]\n      three: [ { id: c, type: wait, duration: 1s } ]\n"};
  for (const char* form : forms) {
    const Definition read = read_sound(flow(form));
    const auto& branches = step_of(read).branches;
    REQUIRE(branches.size() == 3);
    CHECK(branches[0].steps.at(0).id == "a");
    CHECK(branches[1].name == "two");
    CHECK(branches[2].name == "three");
    CHECK(branches[2].steps.at(0).id == "c");
  }
}

TEST_CASE("a branch may be called type") {
  const Definition read = read_sound(flow("  - type: parallel\n    steps:\n      - type: [ { id: b, type: wait, duration: 1s } ]\n"));
  CHECK(step_of(read).branches.at(0).name == "type");
}

TEST_CASE("cases of a switch") {
  const Definition read = read_sound(flow(R"(
  - type: conditional
    switch:
      - { when: "{{ x == 1 }}", steps: { id: one, type: wait, duration: 1s } }
      - { when: x == 2, steps: [] }
    otherwise: [ { id: other, type: wait, duration: 1s } ]
)"));
  const auto& branches = step_of(read).branches;
  REQUIRE(branches.size() == 3);
  CHECK(branches[0].when == "x == 1");
  CHECK(branches[0].steps.at(0).id == "one");
  CHECK(branches[1].when == "x == 2");
  CHECK(branches[2].role == "otherwise");
}

TEST_CASE("one step may stand where a list may") {
  const Definition read = read_sound("id: flow\nsteps: { type: loop, items: 2, body: { type: wait, duration: 1s } }\n");
  CHECK(step_of(read).branches.at(0).steps.size() == 1);
}

TEST_CASE("anchors and merge keys serve steps") {
  const Definition read = read_sound(R"(
id: flow
x-usual: &usual { type: message, destination: bank, retry: { max_attempts: 4 }, timeout: 5s }
steps:
  - { id: a, <<: *usual }
  - { id: b, <<: *usual, timeout: 1m }
)");
  CHECK(step_of(read, 0).retry->max_attempts == 4);
  CHECK(step_of(read, 0).timeout == 5s);
  CHECK(step_of(read, 1).timeout == 1min);
}

TEST_CASE("${x} is short for {{ x }}, in an expression for x") {
  CHECK(fields_of("  - { type: message, destination: a, data: 'Dear ${user.name}, ${n}' }\n") ==
        R"({"destination":"a","data":"Dear {{ user.name }}, {{ n }}"})");
  CHECK(fields_of("  - { type: conditional, condition: '${quality} > 0.8', if_true: [] }\n") == R"({"condition":"quality > 0.8"})");
  CHECK(fields_of("  - { type: conditional, condition: \"'${state}' == 'ok'\", if_true: [] }\n") == R"({"condition":"state == 'ok'"})");
  CHECK(fields_of("  - { type: message, destination: a, data: '$${x} ${HOME:-y} $x {{ f(\"${x}\") }} ${a.b[0].c}' }\n") ==
        R"({"destination":"a","data":"${x} ${HOME:-y} $x {{ f(\"${x}\") }} {{ a.b[0].c }}"})");
}

TEST_CASE("places reach into data and block texts") {
  const Definition read = read_sound(flow(R"(
  - id: a
    type: message
    destination: "{{ x }}"
    data:
      deep: { er: [ 1, "{{ y }}" ] }
      text: |
        one
        {{ z }}
)"));
  const Step& step = step_of(read);
  CHECK(step.where.to_string() == "flow.yaml:4:5");
  CHECK(step.place("destination").to_string() == "flow.yaml:6:19");
  CHECK(step.place("data.deep.er.1").to_string() == "flow.yaml:8:25");
  CHECK(step.place("data.deep.er.0").to_string() == "flow.yaml:8:13");  // only texts have places; this is its object's
  CHECK(step.place("data.text").to_string() == "flow.yaml:10:9");
}

// --- several workflows --------------------------------------------------------------------------------------------

TEST_CASE("the first document is the main one; includes follow") {
  const test::Files files({{"flows/child.yaml", "id: child\ninclude: ../lib/deep.yaml\nsteps: [ { type: wait, duration: 1s } ]\n"},
                           {"lib/deep.yaml", "id: deep\nsteps: [ { type: wait, duration: 1s } ]\n"}});
  const auto read = check_text(
      "id: main\ninclude: [./child.yaml, ../lib/deep.yaml]\nsteps: [ { type: subworkflow, workflow_id: child } ]\n---\nid: second\nsteps: [ { type: wait, duration: 1s } ]\n",
      "flows/main.yaml", &files);
  INFO(test::lines_of(read.diagnostics));
  CHECK(read.diagnostics.empty());
  std::vector<std::string> ids;
  for (const Definition& each : read.definitions) ids.push_back(each.id);
  CHECK(ids == std::vector<std::string>{"main", "second", "child", "deep"});
  CHECK(read.definitions[2].file == "flows/child.yaml");
  CHECK(read.definitions[0].include == std::vector<std::string>{"./child.yaml", "../lib/deep.yaml"});
}

TEST_CASE("includes that fail say where they stand") {
  const test::Files files({{"a.yaml", "id: a\ninclude: b.yaml\nsteps: [ { type: wait, duration: 1s } ]\n"},
                           {"b.yaml", "id: b\ninclude: ./a.yaml\nsteps: [ { type: wait, duration: 1s } ]\n"}});
  CHECK(check_text("id: m\ninclude: gone.yaml\nsteps: [ { type: wait, duration: 1s } ]\n", "m.yaml", &files).codes() == "2:10 MF0109");
  const auto cycle = check_text("id: m\ninclude: a.yaml\nsteps: [ { type: wait, duration: 1s } ]\n", "m.yaml", &files);
  REQUIRE(cycle.diagnostics.size() == 1);
  CHECK(cycle.diagnostics[0].code == "MF0110");
  CHECK(cycle.diagnostics[0].where.to_string() == "b.yaml:2:10");
  CHECK(check_text("id: m\ninclude: m.yaml\nsteps: [ { type: wait, duration: 1s } ]\n", "m.yaml", &files).codes() == "2:10 MF0110");
}

TEST_CASE("paths start from the including file") {
  CHECK(builder::resolve_path("flows/main.yaml", "child.yaml") == "flows/child.yaml");
  CHECK(builder::resolve_path("flows/main.yaml", "../x/./y.yaml") == "x/y.yaml");
  CHECK(builder::resolve_path("main.yaml", "../y.yaml") == "../y.yaml");
  CHECK(builder::resolve_path("/a/b.yaml", "/c/d.yaml") == "/c/d.yaml");
  CHECK(builder::resolve_path("/a.yaml", "../../d.yaml") == "/d.yaml");
}

TEST_CASE("an error does not hide the others, nor what could be read") {
  const auto read = check_text("id: flow\ntimeout: soon\nsteps:\n  - { id: a, type: wait, duration: 1s, oops: 1 }\n  - { id: b, type: nap }\n");
  CHECK(read.codes() == "2:10 MF0220, 4:40 MF0201, 5:20 MF0204");
  CHECK(read.main().steps.size() == 2);
}

TEST_CASE("reading ten megabytes takes a moment") {
  std::string text = "id: big\nsteps:\n";
  for (int i = 0; text.size() < 2'000'000; ++i) {
    text += "  - id: s" + std::to_string(i) +
            "\n    type: message\n    destination: stock\n    action: reserve\n    data: { sku: \"{{ sku }}\", n: 3 }\n"
            "    retry: { strategy: exponential, max_attempts: 3, initial_delay: 1s }\n";
  }
  const auto start = std::chrono::steady_clock::now();
  const auto read = builder::read_definitions(text, "big.yaml", test::catalog());
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  CHECK(read.diagnostics.empty());
  CHECK(read.definitions.at(0).steps.size() > 5000);
  CHECK(taken.count() < 10);  // a guard against anything quadratic; about 0.3 s in a release build
}

TEST_CASE("a flood of unknown keys is told in time and up to a bound, without guesses after the first ones") {
  std::string text = "id: flow\n";
  for (int i = 0; i < 50'000; ++i) text += "versoin" + std::to_string(i) + ": 1\n";
  text += "steps: [ { type: wait, duration: 1s } ]\n";
  const auto start = std::chrono::steady_clock::now();
  const auto read = builder::read_definitions(text, "flood.yaml", test::catalog());
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  REQUIRE(read.diagnostics.size() == 10'001);
  CHECK(read.diagnostics.front().hint == "did you mean 'version'?");
  CHECK(read.diagnostics.back().code == builder::mf::too_big);
  CHECK(read.diagnostics.back().hint.empty());
  CHECK(taken.count() < 5);
}
