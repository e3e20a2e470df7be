#include "testing/judge.h"

#include <doctest/doctest.h>

#include "testing/coverage.h"
#include "testing/play.h"
#include "testing/report.h"

using namespace mapflow;
using namespace mapflow::testing;

TEST_CASE("objects hold at least what is expected, lists whole, and a star anything") {
  const Value found = object({{"a", 1}, {"b", array({1, object({{"c", 2}, {"d", 3}})})}});
  CHECK(differences(object({{"b", array({"*", object({{"c", 2.0}})})}}), found, "x").empty());
  CHECK(lines(differences(object({{"a", 2}, {"b", array({1})}, {"e", 0}}), found, "x")) ==
        "x.a: 1 instead of 2\nx.b: [1,{\"c\":2,\"d\":3}] instead of [1]\nx.e: missing\n");
}

TEST_CASE("every kind of expectation can fail") {
  const char* const flow = R"(
id: flow
agents: { a: { http: { url: "http://127.0.0.1:1/" } } }
steps:
  - { id: one, type: message, destination: a, action: one, compensate: { id: undo, type: message, destination: a, action: undo } }
  - { id: two, type: message, destination: a, action: two, data: 2 }
)";
  const std::string found = findings(flow, R"(
agents: { a: [ { when: action == 'two', error: { code: no, message: not today, retryable: false } }, { reply: 1 } ] }
tests:
  - expect:
      state: failed
      results: { one: 2 }
      variables: { x: 1 }
      errors: []
      calls: [a.two]
      order: [a.two, a.one]
      compensations: []
      elapsed: { at_least: 1s }
      that: [ "calls|length == 2", "nothing > 1" ]
)");
  for (const char* const each : {"state: compensated instead of failed (not today)\n  no: not today [step two]\n", "results.one: 1 instead of 2\n", "variables.x: missing\n",
                                 "errors: [{\"code\":\"no\"", "calls: expected are\n  a.two\nbut there were\n  a.one null\n  a.two 2\n  a.undo null\n",
                                 "order: expected is\n  a.two\n  a.one\nbut the calls were\n  a.one null\n  a.two 2\n  a.undo null\n",
                                 "compensations: [one] instead of []\n", "elapsed: 0s, not at least 1s\n", "that: calls|length == 2 is not so\n", "that: nothing > 1: "}) {
    CAPTURE(each);
    CHECK(found.find(each) != std::string::npos);
  }
  CAPTURE(found);
  CHECK(findings(flow, "{ agents: { a: { reply: 1 } }, tests: [ { expect: { calls: { a: 3, a.one: 1 } } } ] }") == "calls of a: 2 instead of 3\n");
}

TEST_CASE("coverage is of steps, blocks, and the ways that have no block") {
  const char* const choices = R"(
id: flow
steps:
  - { id: maybe, type: transform, when: "n > 1", transformations: { m: 1 } }
  - { id: pick, type: conditional, condition: "n > 2", if_true: [ { id: big, type: transform, transformations: { m: 2 } } ] }
  - { id: way, type: conditional, switch: [ { when: "n == 0", steps: [ { id: zero, type: transform, transformations: { m: 3 } } ] } ],
      otherwise: [ { id: other, type: transform, transformations: { m: 4 } } ] }
  - { id: each, type: loop, items: "n", body: [ { id: turn, type: transform, transformations: { m: 5 } } ] }
)";
  Coverage coverage;
  for (const Definition& each : definitions(choices)) coverage.expect(each);
  const auto missed = [&] {
    std::vector<std::string> out;
    for (const auto& each : coverage.missed()) out.push_back(each.what);
    return lines(out);
  };
  CHECK(coverage.steps().all == 8);
  CHECK(coverage.ways().all == 6);
  coverage.count(played(choices, "tests: [ { input: { n: 0 } } ]").stories);
  CHECK(missed() == "step 'maybe'\npick: if_true\nstep 'big'\nway: otherwise\nstep 'other'\neach: body\nstep 'turn'\n");
  coverage.count(played(choices, "tests: [ { input: { n: 3 } } ]").stories);
  CHECK(missed() == "");
  CHECK(coverage.steps().reached == 8);
}

TEST_CASE("reports for machines escape what people write") {
  const Reports reports{{"a<b>.yaml", {{"fine & good", {"a", 3, 1}, {}, 0, 0.25}, {"# \"bad\"", {"a", 5, 1}, {"one\ntwo\x01"}, 7, 0.5}}}};
  CHECK(to_junit(reports) ==
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"2\" failures=\"1\">\n"
        "  <testsuite name=\"a&lt;b&gt;.yaml\" tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\" time=\"0.750\">\n"
        "    <testcase name=\"fine &amp; good\" classname=\"a&lt;b&gt;.yaml\" file=\"a&lt;b&gt;.yaml\" line=\"3\" time=\"0.250\"/>\n"
        "    <testcase name=\"# &quot;bad&quot;\" classname=\"a&lt;b&gt;.yaml\" file=\"a&lt;b&gt;.yaml\" line=\"5\" time=\"0.500\">\n"
        "      <failure message=\"one&#10;two\xEF\xBF\xBD\">one&#10;two\xEF\xBF\xBD</failure>\n    </testcase>\n  </testsuite>\n</testsuites>\n");
  CHECK(to_tap(reports) ==
        "TAP version 14\n1..2\nok 1 - a<b>.yaml: fine & good\nnot ok 2 - a<b>.yaml: \\# \"bad\"\n  ---\n"
        "  message: \"one\\ntwo\\u0001\"\n  at: \"a:5:1\"\n  seed: 7\n  ...\n");
}
