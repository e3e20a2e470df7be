// The patterns that C++ programs put together do what they say, played as workflow tests are.
#include "fluent/patterns.h"

#include <doctest/doctest.h>

#include "testing/judge.h"
#include "testing/play.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;

namespace {

Steps ask(const char* agent, const Data& data = {}, const char* name = "") { return branch(name).message(agent, "do", data).with_id(agent); }

/// What is found wrong when the steps run as the test says. Agents a, b and c are there; what they answer is the test's business.
std::string findings_of(const Steps& steps, const std::string& test) {
  const auto flow = workflow("flow").with_variables({{"items", array({1, 2, 3})}});
  for (const char* const agent : {"a", "b", "c"}) flow.with_agent(agent, "http", {{"url", "http://127.0.0.1:1/"}});
  const auto definition = flow.append(steps).build();
  INFO((definition ? "" : definition.error().to_string()));
  REQUIRE(definition.has_value());
  const TestFile file = tests_of("tests: [ " + test + " ]");
  const auto outcome = perform(file.cases.front(), {*definition}, 1);
  REQUIRE(outcome.has_value());
  return lines(judge(file.cases.front().expect, *outcome));
}

}  // namespace

TEST_CASE("fan out: what is said is merged, and who fails is left out") {
  CHECK(findings_of(pattern::fan_out("guide", {ask("a", {}, "x"), ask("b", {}, "y"), ask("c", {}, "z")}),
                    "{ agents: { a: { reply: { rain: no } }, b: { error: { code: gone, retryable: false } }, c: { reply: { rooms: 3 } } },"
                    "  expect: { results: { guide: { rain: no, rooms: 3 } } } }") == "");
}

TEST_CASE("extract, transform, load") {
  CHECK(findings_of(pattern::etl("rows", ask("a"), "results.a.rows", ask("b", {{"row", "{{ row }}"}}), ask("c", {{"rows", "{{ results.rows }}"}}), 2),
                    "{ agents: { a: { reply: { rows: [2, 3] } }, b: { reply: '{{ data.row * 10 }}' }, c: { reply: '{{ data.rows | sum }}' } },"
                    "  expect: { results: { rows: [20, 30], c: 50 }, calls: [a, b, b, c] } }") == "");
}

TEST_CASE("the best model is deployed behind a gate") {
  const pattern::Search search{.grid = "items", .train = ask("a", {{"rate", "{{ point }}"}}), .good = "results.best.score >= 6",
                               .deploy = ask("b", {{"model", "{{ results.best.model }}"}}), .keep = ask("c"), .max_concurrent = 3};
  const std::string trainer = "a: { reply: { model: 'm{{ data.rate }}', score: '{{ data.rate * FACTOR }}' } }, b: { reply: 1 }, c: { reply: 1 }";
  const auto played_with = [&](const std::string& factor, const std::string& expected) {
    std::string agents = trainer;
    agents.replace(agents.find("FACTOR"), 6, factor);
    return findings_of(pattern::ml_pipeline("best", search), "{ agents: { " + agents + " }, expect: " + expected + " }");
  };
  CHECK(played_with("2", "{ results: { best: { model: m3 } }, calls: [a, a, a, { agent: b, data: { model: m3 } }] }") == "");
  CHECK(played_with("1", "{ results: { best: { score: 3 } }, calls: { b: 0, c: 1 } }") == "");
}

TEST_CASE("a crawl asks for each page once, level by level, and passes over what fails") {
  const auto fetch = ask("a", {{"page", "{{ page }}"}});
  const std::string site = "{ agents: { a: [ { when: data.page == '/lost', error: { code: not_found, retryable: false } },"
                           "  { reply: { links: \"{{ {'/': ['/a', '/b', '/lost'], '/a': ['/', '/c']}.get(data.page, []) }}\" } } ] }, expect: ";
  CHECK(findings_of(pattern::crawl("site", "['/']", fetch, 9, 2), site + "{ results: { site: { pages: [/, /a, /b, /lost, /c] } }, calls: { a: 5 } } }") == "");
  CHECK(findings_of(pattern::crawl("site", "['/']", fetch, 1), site + "{ results: { site: { pages: [/] } }, calls: { a: 1 } } }") == "");
}

TEST_CASE("the reserve works when the other fails") {
  const Steps work = pattern::circuit_breaker("answer", ask("a"), ask("b"));
  CHECK(findings_of(work, "{ agents: { a: { reply: 1 } }, expect: { results: { answer: 1 } } }") == "");
  CHECK(findings_of(work, "{ agents: { a: { error: circuit_open }, b: { reply: 2 } }, expect: { results: { answer: 2 } } }") == "");
  const auto flow = workflow("flow").with_agent("a", "http", {{"url", "http://127.0.0.1:1/"}}, pattern::breaker(3, 1min, 30s)).append(ask("a")).build();
  CHECK(flow.has_value());
}

TEST_CASE("a debate ends when all agree, or with a vote") {
  const auto arguing = [](const char* agent) { return ask(agent, {{"others", "{{ talk_opinions }}"}}, agent); };
  const Steps debate = pattern::debate("talk", {arguing("a"), arguing("b"), arguing("c")}, 3);
  CHECK(findings_of(debate, "{ agents: { a: { reply: { choice: left } }, b: { reply: { choice: left } },"
                            "  c: [ { when: not data.others, reply: { choice: right } }, { reply: { choice: '{{ data.others.a.choice }}' } } ] },"
                            "  expect: { calls: { a: 2, c: 2 }, results: { talk: { winner: left } } } }") == "");
  CHECK(findings_of(debate, "{ agents: { a: { reply: { choice: left } }, b: { reply: { choice: left } }, c: { reply: { choice: right } } },"
                            "  expect: { calls: { a: 3 }, results: { talk: { winner: left } } } }") == "");
}

TEST_CASE("a person's remarks go into the next draft") {
  CHECK(findings_of(pattern::human_in_the_loop("text", ask("a", {{"remarks", "{{ text_remarks }}"}}), "ann", "Is it good?", 48h, 3),
                    "{ agents: { a: { reply: 'draft {{ call }}' } },"
                    "  do: [ { at: 1d, answer: text_review, payload: { accepted: false, remark: longer } },"
                    "        { at: 2d, answer: text_review, payload: { accepted: true } } ],"
                    "  expect: { calls: [a, ann, { agent: a, data: { remarks: [longer] } }, ann], elapsed: 2d } }") == "");
}

TEST_CASE("plan, do, judge, until it is good") {
  const pattern::Team team{.plan = ask("a"), .tasks = "results.a.tasks", .execute = ask("b", {{"task", "{{ task }}"}}),
                           .judge = ask("c", {{"work", "{{ results.report_work }}"}}), .good = "results.c.good", .max_concurrent = 2};
  CHECK(findings_of(pattern::planner("report", team, 3),
                    "{ agents: { a: { reply: { tasks: [1, 2] } }, b: { reply: '{{ data.task }}' }, c: { reply: { good: '{{ call == 2 }}' } } },"
                    "  expect: { calls: { a: 2, b: 4, c: 2 } } }") == "");
}
