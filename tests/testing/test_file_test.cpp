#include "testing/test_file.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "testing/play.h"

using namespace mapflow;
using namespace mapflow::testing;

namespace {

std::string problems(std::string_view yaml, const std::string& file = "a.test.yaml") {
  std::vector<std::string> out;
  for (const Diagnostic& each : read_tests(yaml, file, kinds()).diagnostics) out.push_back(each.to_string());
  std::ranges::sort(out);
  return lines(out);
}

}  // namespace

TEST_CASE("the workflow is the one that the file is named after, or that it names") {
  CHECK(tests_of("tests: [ { name: x } ]").workflow == "flow.yaml");
  CHECK(read_tests("{ workflow: ../b.yaml, with: c.yaml, tests: [ { name: x } ] }", "tests/a.yaml", kinds()).tests.workflow == "b.yaml");
  CHECK(read_tests("{ workflow: b.yaml, with: c.yaml, tests: [ { name: x } ] }", "tests/a.yaml", kinds()).tests.with.front() == "tests/c.yaml");
  CHECK(problems("tests: [ { name: x } ]", "a.yaml").find("nothing says which workflow is tested") != std::string::npos);
}

TEST_CASE("what a file says counts for all of its tests, until a test says otherwise") {
  const TestFile file = tests_of(R"(
now: 2031-05-01T00:00:00Z
agents: { a: { reply: 1 }, b: { reply: 1 } }
tests:
  - { name: one }
  - { name: two, agents: { b: [ { reply: 2, times: 1 }, { error: gone } ] }, within: 1h, input: { x: 1 } }
)");
  REQUIRE(file.cases.size() == 2);
  CHECK(format_timestamp(file.cases[0].now) == "2031-05-01T00:00:00Z");
  CHECK(file.cases[0].agents.at("b").size() == 1);
  CHECK(file.cases[1].agents.at("b").size() == 2);
  CHECK(file.cases[1].agents.contains("a"));
  CHECK(file.cases[1].expect.state == WorkflowState::completed);
}

TEST_CASE("everything that is wrong with a file is told, with its place") {
  CHECK(problems(R"(
agent: {}
agents:
  a: { repl: 1 }
  b: { reply: 1, error: no }
  c: { reply: "{{ 1 + }}" }
  d: { when: "x ==", reply: 1 }
tests:
  - name: x
    do: [ { at: soon, signal: s }, { resume: , pause: }, { down: 1s } ]
    expect: { state: complete, that: "1 +", call: [] }
  - name: x
)") ==
             "a.test.yaml:10:17: error: 'at': 'soon' is not a duration (write seconds as a number, or a text like 250ms, 10s, 5m, 2h, 1d, PT5M) [MF0220]\n"
             "a.test.yaml:10:48: error: 'resume' and 'pause' are two things to do (make each an entry of its own) [MF0208]\n"
             "a.test.yaml:10:58: error: nothing says what is done (one of signal, answer, pause, resume, cancel, terminate, retry, skip, update, rewind, checkpoint, kill) [MF0203]\n"
             "a.test.yaml:10:60: error: unknown key 'down' in do (known are at, after) [MF0201]\n"
             "a.test.yaml:11:22: error: 'state' cannot be 'complete' (did you mean 'completed'?) [MF0205]\n"
             "a.test.yaml:11:42: error: unexpected end of the expression, expected an expression [MF0402]\n"
             "a.test.yaml:11:45: error: unknown key 'call' in expect (did you mean 'calls'?) [MF0201]\n"
             "a.test.yaml:12:11: error: two tests are called 'x' [MF0205]\n"
             "a.test.yaml:2:1: error: unknown key 'agent' in a file of tests (did you mean 'agents'?) [MF0201]\n"
             "a.test.yaml:4:6: error: a mock does nothing (say one of reply, error, silent, pending; several answers one after the other are a `sequence`) [MF0203]\n"
             "a.test.yaml:4:8: error: unknown key 'repl' in a mock (did you mean 'reply'?) [MF0201]\n"
             "a.test.yaml:5:6: error: a mock does several things at once (say one of reply, error, silent, pending; several answers one after the other are a `sequence`) [MF0205]\n"
             "a.test.yaml:6:23: error: unexpected end of print statement [MF0401]\n"
             "a.test.yaml:7:19: error: unexpected end of the expression, expected an expression [MF0402]\n");
  CHECK(problems("{ agents: { a: { error: { code: no, message: \"{{ 1 + }}\" } } }, tests: [ { name: x } ] }").find("MF0401") != std::string::npos);
  CHECK(problems("") == "a.test.yaml:1:1: error: there is no test in this file [MF0111]\n");
  CHECK(problems("tests: {}") == "a.test.yaml:1:8: error: 'tests' must be a list of tests [MF0202]\n");
  CHECK(problems("[]") == "a.test.yaml:1:1: error: 'a file of tests' must be an object, not a list [MF0202]\n");
}
