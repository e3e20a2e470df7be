// Definitions to canonical documents and back.
#include <doctest/doctest.h>

#include <random>
#include <string>

#include "builder/catalog.h"
#include "builder/printer.h"
#include "builder/random_definition.h"
#include "value/json.h"

using namespace mapflow;
using builder::PlacesIn;
using builder::content_hash;
using builder::read_definition;
using builder::to_document;
using test::same;

namespace {

Definition reread(const Value& document) {
  auto read = read_definition(document, test::catalog());
  INFO(test::lines_of(read.diagnostics));
  REQUIRE(read.diagnostics.empty());
  return std::move(read.definitions.at(0));
}

constexpr const char* kText = R"(
id: flow
version: 2
variables: { regex: "${not.a.template}" }
agents: { s: { queue: s, rate_limit: 5/s } }
steps:
  - type: message
    destination: s
    data: { literal: "$${x}", short: "${y.z}" }
    retry: 3
    timeout: 90
    on_error: { type: wait, duration: 1s }
  - type: conditional
    switch: [ { when: "{{ a }}", steps: { type: wait, signal: go } } ]
    otherwise: []
  - type: parallel
    steps: [ { id: x, type: wait, duration: 1s }, { named: [ { type: wait, duration: 1s }, { type: wait, duration: 2s } ] } ]
)";

}  // namespace

TEST_CASE("the canonical document") {
  CHECK(to_json(to_document(test::read_sound(kText))) ==
        R"({"id":"flow","version":"2","variables":{"regex":"${not.a.template}"},"agents":{"s":{"queue":"s","rate_limit":"5/s"}},"steps":[)"
        R"({"id":"message_1","type":"message","destination":"s","data":{"literal":"$${x}","short":"{{ y.z }}"},"timeout":"1m30s",)"
        R"("retry":{"max_attempts":3},"on_error":[{"id":"wait_1","type":"wait","duration":"1s"}]},)"
        R"({"id":"conditional_1","type":"conditional","switch":[{"when":"a","steps":[{"id":"wait_2","type":"wait","signal":"go"}]}],"otherwise":[]},)"
        R"({"id":"parallel_1","type":"parallel","steps":[{"id":"x","type":"wait","duration":"1s"},)"
        R"({"named":[{"id":"wait_4","type":"wait","duration":"1s"},{"id":"wait_5","type":"wait","duration":"2s"}]}]}]})");
}

TEST_CASE("limits and budgets are read, printed and read back") {
  const Definition once = test::read_sound(R"(
id: flow
priority: 9
concurrency: { max_running: 3, key: "{{ customer.id }}", limit: 2, on_conflict: replace, max_waiting: 50 }
budget: { tokens: 5, cost_usd: 0.25, steps: 7, wall_time: 1h, on_exceeded: suspend }
variables: { customer: { id: 1 } }
steps:
  - { id: a, type: message, destination: x, budget: { tokens: 4, cost_usd: 0.5 } }
)");
  REQUIRE(once.concurrency);
  CHECK(*once.concurrency == Concurrency{3, "customer.id", 2, OnConflict::replace, 50});
  CHECK(once.priority == 9);
  CHECK(once.steps.front().budget == StepBudget{4, 0.5});
  const Value document = to_document(once);
  CHECK(to_json(*document.find("concurrency")) == R"({"max_running":3,"key":"customer.id","limit":2,"on_conflict":"replace","max_waiting":50})");
  const Definition again = reread(document);
  CHECK(again.concurrency == once.concurrency);
  CHECK(again.priority == 9);
  CHECK(again.budget == once.budget);
  CHECK(again.steps.front().budget == once.steps.front().budget);
  CHECK(content_hash(again) == content_hash(once));
}

TEST_CASE("a document read back is the same definition, by value and through text") {
  const Definition once = test::read_sound(kText);
  CHECK(same(once, reread(to_document(once))));
  const Definition through_text = test::read_sound(to_json_pretty(to_document(once)));
  CHECK(same(once, through_text));
}

TEST_CASE("random definitions survive the round trip") {
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    const Definition made = test::random_definition(seed);
    const Value document = to_document(made);
    const Definition back = reread(document);
    CHECK_MESSAGE(same(made, back), to_json(document) << "\n" << to_json(to_document(back)));
    CHECK(content_hash(made) == content_hash(back));
    const Definition through_text = test::read_sound(to_json(document));
    CHECK(same(made, through_text));
  }
}

TEST_CASE("the hash is of the meaning, not of the spelling") {
  const auto hash = [](std::string_view text) { return content_hash(test::read_sound(text)); };
  const std::string plain = hash("id: f\nsteps:\n  - { type: conditional, condition: x, if_true: { type: wait, duration: 5s } }\n");
  CHECK(plain.size() == 64);
  CHECK(plain == hash("# other text\nsteps: [ { if_true: [ { duration: 5s, type: wait } ], condition: \"{{ x }}\", type: conditional } ]\nid: f\nversion: 1\n"));
  CHECK(plain != hash("id: f\nsteps:\n  - { type: conditional, condition: y, if_true: { type: wait, duration: 5s } }\n"));
  CHECK(plain != hash("id: f\nversion: 2\nsteps:\n  - { type: conditional, condition: x, if_true: { type: wait, duration: 5s } }\n"));
}

TEST_CASE("places can travel with the document") {
  const Definition once = test::read_sound(kText);
  const Definition back = reread(to_document(once, PlacesIn::document));
  CHECK(back.file == "flow.yaml");
  CHECK(back.places == once.places);
  CHECK(back.agents.at(0).where == once.agents.at(0).where);
  for (std::size_t i = 0; i < once.steps.size(); ++i) {
    const Step& a = once.steps[i];
    const Step& b = back.steps.at(i);
    CHECK(a.where == b.where);
    CHECK(a.places == b.places);
    for (std::size_t j = 0; j < a.branches.size(); ++j) CHECK(a.branches[j].where == b.branches.at(j).where);
    for (std::size_t j = 0; j < a.hooks.size(); ++j) CHECK(a.hooks[j].where == b.hooks.at(j).where);
  }
  CHECK(content_hash(back) == content_hash(once));
}

TEST_CASE("places are no part of the plain document") {
  const std::string plain = to_json(to_document(test::read_sound(kText)));
  CHECK(plain.find("$places") == std::string::npos);
  CHECK(plain.find("$file") == std::string::npos);
}
