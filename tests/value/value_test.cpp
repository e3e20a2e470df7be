#include "value/value.h"

#include <doctest/doctest.h>

#include "value/json.h"

using namespace mapflow;

TEST_CASE("a copy keeps what it had when the original changes") {
  Value order = object({{"lines", array({1, 2})}, {"total", 3}});
  const Value before = order;
  REQUIRE(order.set_path("lines.0", 9));
  order.set("total", 11);
  CHECK(to_json(order) == R"({"lines":[9,2],"total":11})");
  CHECK(to_json(before) == R"({"lines":[1,2],"total":3})");
}

TEST_CASE("objects keep the order of their keys, however large, and find every key") {
  Object members;
  for (int i = 0; i < 1000; ++i) members.set("k" + std::to_string(i), i);
  CHECK(members.erase("k500"));
  CHECK_FALSE(members.erase("k500"));
  members.set("k500", -1);
  REQUIRE(members.size() == 1000);
  CHECK((members.end() - 1)->key.view() == "k500");
  for (int i = 0; i < 1000; ++i) CHECK(members.find("k" + std::to_string(i))->as_integer() == (i == 500 ? -1 : i));
  CHECK(members.find("k1000") == nullptr);
}

TEST_CASE("dotted paths reach members and elements, and make objects on the way") {
  Value root;
  REQUIRE(root.set_path("a.b.c", 1));
  REQUIRE(root.set_path("a.list", array({1, 2})));
  REQUIRE(root.set_path("a.list.1", "x"));
  CHECK(root.find_path("a.list.1")->as_text() == "x");
  CHECK(root.find_path("a.list.2") == nullptr);
  CHECK(root.find_path("a.b.c.d") == nullptr);
  CHECK_FALSE(root.set_path("a.b.c.d", 1));
  CHECK_FALSE(root.set_path("a.list.7", 1));
  CHECK_FALSE(root.set_path("a..b", 1));
}

TEST_CASE("equality is JSON's: numbers by weight, objects without order; identity is stricter") {
  CHECK(Value(1) == Value(1.0));
  CHECK_FALSE(Value(1).identical(Value(1.0)));
  CHECK_FALSE(Value(1) == Value(true));
  CHECK(object({{"a", 1}, {"b", 2}}) == object({{"b", 2}, {"a", 1}}));
  CHECK_FALSE(object({{"a", 1}, {"b", 2}}).identical(object({{"b", 2}, {"a", 1}})));
}

TEST_CASE("JSON text survives a round trip with its types") {
  for (const char* text :
       {"null", "true", "-9223372036854775808", "9223372036854775807", "1.0", "-0.0", "1e+16", "0.1", "\"\"", "[]", "{}",
        R"({"b":1,"a":[{"c":null},"\u0000\n\"\\x"]})", "\"\xC3\xA9\xF0\x9F\x98\x80\""}) {
    CAPTURE(text);
    const auto value = parse_json(text);
    REQUIRE(value);
    CHECK(to_json(*value) == text);
    CHECK(parse_json(to_json_pretty(*value)).value().identical(*value));
  }
  CHECK(to_canonical_json(parse_json(R"({"b":1,"a":2})").value()) == R"({"a":2,"b":1})");
  CHECK(to_json(Value("bad \xFF byte")) == "\"bad \xEF\xBF\xBD byte\"");
}

TEST_CASE("text that is not JSON is refused with its place") {
  const auto missing = parse_json("{\n  \"a\": tru\n}");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().where.line == 2);
  for (const char* text : {"", "{", "[1,]", "{\"a\" 1}", "1 2", "nan", "'x'", "\"\xFF\"", "\"\\ud800\"", "01"}) {
    CAPTURE(text);
    const auto value = parse_json(text);
    REQUIRE_FALSE(value);
    CHECK(value.error().is(code::invalid_input));
  }
  CHECK(parse_json(std::string(600, '[') + std::string(600, ']')).error().is(code::resource_exhausted));
  CHECK(parse_json("[1,2,3]", {.max_bytes = 4}).error().is(code::resource_exhausted));
}

TEST_CASE("JSON numbers: 64 bit integers are exact, others are the nearest double, and what no double holds is said") {
  CHECK(parse_json("9223372036854775807").value().identical(Value(INT64_MAX)));
  CHECK(parse_json("-9223372036854775808").value().identical(Value(INT64_MIN)));
  CHECK(parse_json("9223372036854775808").value().identical(Value(9223372036854775808.0)));
  CHECK(parse_json("-0").value().identical(Value(0)));
  CHECK(parse_json("[0.1,1E2,1e-2]").value().identical(Value(Array{Value(0.1), Value(100.0), Value(0.01)})));
  CHECK(parse_json("0e308").value().identical(Value(0.0)));
  for (const char* tiny : {"1e-400", "0.00000000000000000000001e-310", "1e-99999999999"}) {
    CAPTURE(tiny);
    CHECK(parse_json(tiny).value().identical(Value(0.0)));
  }
  const std::string big = "1" + std::string(400, '0');
  for (const std::string& number : {big, "-" + big, std::string("1e309"), std::string("1e99999999999")}) {
    CAPTURE(number);
    const auto read = parse_json("[1,\n" + number + "]");
    REQUIRE_FALSE(read);
    CHECK(read.error().message == "not JSON: Number too big to be stored in double.");
    CHECK(read.error().where.line == 2);
  }
}
