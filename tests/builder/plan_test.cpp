// Mode dry_run: what is known before anything has run, and what is not.
#include <doctest/doctest.h>

#include "builder/plan.h"
#include "builder/reader.h"
#include "steps/registry.h"
#include "value/json.h"

using namespace mapflow;

namespace {

/// The plan's steps.
Value planned(std::string_view steps, const Value& variables) {
  const auto kinds = steps::make_registry();
  const auto read = builder::read_definitions("id: w\nagents: { a: { queue: q } }\nsteps:\n" + std::string(steps), "w.yaml", *kinds);
  REQUIRE(!read.definitions.empty());
  return *builder::plan(read.definitions.front(), *kinds, variables).find("steps");
}

std::string json(const Value& plan, std::string_view path) {
  const Value* const found = plan.find_path(path);
  return found ? to_json(*found) : "";
}

}  // namespace

TEST_CASE("what follows from the variables alone is rendered, the rest stays and says what it waits for") {
  const Value plan = planned(R"(
  - { id: ask, type: message, destination: a, action: "{{ verb }}_it", data: { n: "{{ n + 1 }}", old: "{{ results.before.x }}" } }
)", object({{"n", 4}, {"verb", "do"}}));
  CHECK(json(plan, "0.fields.action") == R"("do_it")");
  CHECK(json(plan, "0.fields.data.n") == "5");
  CHECK(json(plan, "0.fields.data.old") == R"("{{ results.before.x }}")");
  CHECK(json(plan, "0.needs") == R"(["results.before"])");
}

TEST_CASE("variables that steps compute from what is known are known behind them") {
  const Value plan = planned(R"(
  - { id: t, type: transform, transformations: { m: "{{ n * 2 }}", "box.k": "{{ m + 1 }}" } }
  - { id: ask, type: message, destination: a, data: { m: "{{ m }}", k: "{{ box.k }}" } }
)", object({{"n", 4}, {"box", object({{"other", 1}})}}));
  CHECK(json(plan, "1.fields.data") == R"({"m":8,"k":9})");
}

TEST_CASE("a variable is unknown once a step may have changed it") {
  const Value plan = planned(R"(
  - { id: ask, type: message, destination: a, output_key: n }
  - { id: again, type: message, destination: a, data: "{{ n }}" }
  - { id: each, type: loop, items: 3, body: [ { id: t, type: transform, transformations: { m: "{{ m + 1 }}" } } ] }
  - { id: last, type: message, destination: a, data: "{{ m }}" }
)", object({{"n", 4}, {"m", 0}, {"item", 9}}));
  CHECK(json(plan, "1.fields.data") == R"("{{ n }}")");
  CHECK(json(plan, "2.blocks.0.steps.0.fields.transformations.m") == R"("{{ m + 1 }}")");
  CHECK(json(plan, "3.needs") == R"(["m"])");
}

TEST_CASE("a loop's own names are not those of the variables around it") {
  const Value plan = planned(R"(
  - { id: each, type: loop, items: "many", body: [ { id: ask, type: message, destination: a, data: "{{ item }}" } ] }
)", object({{"item", 9}, {"many", array({1, 2})}}));
  CHECK(json(plan, "0.fields.items") == "[1,2]");
  CHECK(json(plan, "0.blocks.0.steps.0.needs") == R"(["item"])");
}

TEST_CASE("conditions that are known say which way is taken, and what is skipped") {
  const Value plan = planned(R"(
  - { id: c, type: conditional, condition: "n > 3", if_true: [ { id: x, type: message, destination: a } ], if_false: [ { id: y, type: message, destination: a } ] }
  - { id: s, type: message, destination: a, when: "n > 5" }
  - { id: u, type: conditional, condition: "results.c", if_true: [ { id: z, type: message, destination: a } ] }
)", object({{"n", 4}}));
  CHECK(json(plan, "0.fields.condition") == "true");
  CHECK(json(plan, "0.blocks.0.taken") == "true");
  CHECK(json(plan, "0.blocks.1.taken") == "false");
  CHECK(json(plan, "1.skipped") == "true");
  CHECK(json(plan, "2.blocks.0.taken").empty());
}

TEST_CASE("a template that would fail with what is known is told of") {
  const Value plan = planned("  - { id: ask, type: message, destination: a, data: \"{{ n.x.y }}\" }\n", object({{"n", object({})}}));
  CHECK(plan.find_path("0.problems.0") != nullptr);
}
