// What an aggregate makes of the results of other steps.
#include <doctest/doctest.h>

#include "kernel/driver.h"
#include "steps/reduce.h"
#include "value/json.h"

using namespace mapflow;
using namespace mapflow::testing;

namespace {

Value json(std::string_view text) { return parse_json(text).value(); }

steps::Values list_of(std::string_view text) {
  const Value list = json(text);
  return {list.as_array().begin(), list.as_array().end()};
}

/// A workflow of a step "data" worth `data` and an aggregate "all" with these fields.
Driver run(std::string_view data, std::string_view fields) {
  Driver driver(workflow({message("data", "agent"), step("aggregate", "all", json(fields))}));
  const Value answer = json(data);
  driver.agent("agent", [=](const Envelope&) -> Result<Value> { return answer; });
  driver.start();
  driver.run();
  return driver;
}

std::string worth(std::string_view data, std::string_view fields) {
  Driver driver = run(data, fields);
  if (!driver.state.errors.empty()) return driver.state.errors.front().code;
  return to_json(*driver.result("all"));
}

}  // namespace

TEST_CASE("every reduction") {
  struct Case {
    const char *reduction, *values, *result;
  };
  const Case cases[] = {
      {"list", R"([1,"a",[2]])", R"([1,"a",[2]])"},
      {"list", "[]", "[]"},
      {"merge", R"([{"a":1,"o":{"x":1}},{"b":2,"o":{"y":2}}])", R"({"a":1,"o":{"y":2},"b":2})"},
      {"deep_merge", R"([{"a":1,"o":{"x":1}},{"b":2,"o":{"y":2}}])", R"({"a":1,"o":{"x":1,"y":2},"b":2})"},
      {"merge", "[]", "{}"},
      {"merge", "[1]", "invalid_input"},
      {"sum", "[1,2,3]", "6"},
      {"sum", "[1,2.5]", "3.5"},
      {"sum", "[9223372036854775807,1]", "9223372036854775808.0"},
      {"sum", "[]", "0"},
      {"sum", R"(["1"])", "invalid_input"},
      {"avg", "[1,2]", "1.5"},
      {"avg", "[]", "null"},
      {"min", "[3,1.5,2]", "1.5"},
      {"max", R"(["b","c","a"])", R"("c")"},
      {"max", R"([1,"a"])", "invalid_input"},
      {"min", "[]", "null"},
      {"count", "[1,1]", "2"},
      {"concat", R"(["a","b"])", R"("ab")"},
      {"concat", "[[1],[2,3]]", "[1,2,3]"},
      {"concat", R"(["a",[1]])", "invalid_input"},
      {"first", "[7,8]", "7"},
      {"last", "[7,8]", "8"},
      {"median", "[5,1,3]", "3"},
      {"median", "[4,1,3,2]", "2.5"},
      {"unique", R"([1,{"a":1,"b":2},1.0,{"b":2,"a":1},"1"])", R"([1,{"a":1,"b":2},"1"])"},
      {"flatten", "[[1,[2]],3]", "[1,[2],3]"},
  };
  for (const Case& each : cases) {
    const auto result = steps::reduce(each.reduction, list_of(each.values));
    CAPTURE(each.reduction);
    CAPTURE(each.values);
    CHECK(std::string(result ? to_json(*result) : result.error().code) == each.result);
  }
}

TEST_CASE("a vote names its winner, and says so when there is none") {
  CHECK(to_json(steps::vote(list_of(R"(["a","b","a"])"), false)) == R"({"winner":"a","count":2,"total":3,"tie":false,"tied":[]})");
  CHECK(to_json(steps::vote(list_of(R"(["b","a"])"), false)) == R"({"winner":null,"count":1,"total":2,"tie":true,"tied":["b","a"]})");
  CHECK(to_json(*steps::vote(list_of(R"(["b","a"])"), true).find("winner")) == R"("b")");
  CHECK(to_json(steps::vote({}, false)) == R"({"winner":null,"count":0,"total":0,"tie":false,"tied":[]})");
}

TEST_CASE("a quorum is reached or the step fails with no_quorum") {
  CHECK(worth(R"([1,2,2])", R"({"source_steps":["data[*]"],"aggregation":"quorum"})") == "2");
  CHECK(worth(R"([1,2,2])", R"({"source_steps":["data[*]"],"aggregation":"quorum","quorum":3})") == "no_quorum");
  CHECK(worth(R"([])", R"({"source_steps":["data[*]"],"aggregation":"quorum","quorum":1})") == "no_quorum");
  Driver driver = run("[1,2]", R"({"source_steps":["data[*]"],"aggregation":"quorum"})");
  CHECK(driver.state.errors.front().details == R"({"needed":2,"answers":[{"value":1,"count":1},{"value":2,"count":1}]})");
}

TEST_CASE("a source may go into a result") {
  const std::string_view data = R"({"x":{"price":3},"y":{"price":4},"z":{}})";
  CHECK(worth(data, R"({"source_steps":["data[*].price"],"aggregation":"sum"})") == "7");
  CHECK(worth(data, R"({"source_steps":["data.x.price","data.y"]})") == R"([3,{"price":4}])");
  CHECK(worth("3", R"({"source_steps":["data[*]"]})") == "invalid_input");
}

TEST_CASE("a source without a result is left out, or fails the step") {
  CHECK(worth("[1,null,3]", R"({"source_steps":["data[*]"]})") == "[1,3]");
  CHECK(worth("[1,null,3]", R"({"source_steps":["data[*]"],"on_missing":"fail"})") == "invalid_input");
  CHECK(worth("null", R"({"source_steps":["data"]})") == "[]");
}

TEST_CASE("where and by see each value and where it came from") {
  CHECK(worth("[1,5,9]", R"({"source_steps":["data[*]"],"where":"value > 1 and source != 'data[2]'"})") == "[5]");
  CHECK(worth(R"([{"n":"a","s":2},{"n":"b","s":7},{"n":"c","s":7}])",
              R"({"source_steps":["data[*]"],"aggregation":"best","by":"value.s"})") == R"({"n":"b","s":7})");
  CHECK(worth("[2,3]", R"({"source_steps":["data[*]"],"aggregation":"best"})") == "3");
  CHECK(worth("[2]", R"({"source_steps":["data[*]"],"where":"valeu > 1"})") == "template_error");
}

TEST_CASE("a custom aggregation is an expression or a handler") {
  CHECK(worth("[2,3]", R"({"source_steps":["data[*]"],"aggregation":"custom","expression":"values|sum * 10"})") == "50");
  Driver driver(workflow({message("data", "agent"), step("aggregate", "all", json(R"({"source_steps":["data"],"aggregation":"custom","reducer":"r"})"))}));
  driver.agent("agent", [](const Envelope&) -> Result<Value> { return Value(4); });
  driver.agent("r", [](const Envelope& in) -> Result<Value> { return in.data; });
  driver.start();
  driver.run();
  CHECK(to_json(*driver.result("all")) == R"({"values":[4],"sources":["data"]})");
}

TEST_CASE("inside a loop an aggregate sees its own iteration's results") {
  Step loop = with(step("loop", "each", json(R"({"items":[1,2]})")),
                   branch("body", {message("a", "agent", json(R"("{{ item }}")")), message("b", "agent", json(R"("{{ item * 10 }}")")),
                                   step("aggregate", "s", json(R"({"source_steps":["a","b"],"aggregation":"sum"})"))}));
  Driver driver(workflow({loop}));
  driver.agent("agent", [](const Envelope& in) -> Result<Value> { return in.data; });
  driver.start();
  driver.run();
  CHECK(to_json(*driver.result("each")) == "[11,22]");
}
