#include "value/schema.h"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "value/json.h"

using namespace mapflow;

namespace {

Value json(std::string_view text) { return parse_json(text).value(); }

std::string findings(std::string_view schema, std::string_view value) {
  const auto compiled = Schema::compile(json(schema));
  REQUIRE_MESSAGE(compiled.has_value(), compiled.error().message);
  std::string out;
  for (const auto& each : compiled->check(json(value))) out += "[" + each.path + "] " + each.message + "\n";
  return out;
}

}  // namespace

TEST_CASE("every finding says where and what") {
  const char* order = R"({"type": "object", "required": ["id", "items"], "additionalProperties": false,
    "properties": {"id": {"type": "string", "minLength": 2}, "total": {"type": "number", "minimum": 0},
                   "items": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/item"}}},
    "$defs": {"item": {"type": "object", "required": ["sku"], "properties": {"count": {"type": "integer"}}}}})";
  CHECK(findings(order, R"({"id": "A1", "items": [{"sku": "x", "count": 2.0}]})").empty());
  CHECK(findings(order, R"({"id": "A", "items": [{"sku": "x"}, {"count": "2"}], "totl": 1, "total": -1})") ==
        "[id] has 1 characters, fewer than 2\n[items.1] has no member 'sku'\n[items.1.count] is a string, not integer\n"
        "[] has the unknown member 'totl'\n[total] is less than 0\n");
}

TEST_CASE("a schema may refer to itself; a value nested past all reason is refused, not followed") {
  const char* tree = R"({"properties": {"next": {"$ref": "#"}, "value": {"type": "integer"}}})";
  CHECK(findings(tree, R"({"next": {"next": {"value": 1}}})").empty());
  CHECK(findings(tree, R"({"next": {"next": {"value": "x"}}})") == "[next.next.value] is a string, not integer\n");
  CHECK_FALSE(findings(R"({"$ref": "#"})", "1").empty());
}

TEST_CASE("what is no schema, or more than is supported, is refused with its place") {
  for (const char* text : {R"({"type": "strin"})", R"({"properties": {"a": 5}})", R"({"pattern": "("})", R"({"$ref": "#/$defs/none"})",
                           R"({"$ref": "http://example.com/s"})", R"({"unevaluatedProperties": false})", "7"}) {
    CAPTURE(text);
    const auto compiled = Schema::compile(json(text));
    REQUIRE_FALSE(compiled);
    CHECK(compiled.error().is(code::invalid_input));
  }
  CHECK(Schema::compile(json(R"({"properties": {"a": {"type": 5}}})")).error().message.find("/properties/a/type") != std::string::npos);
}

// The keywords that drafts 7 and 2020-12 share, on the official test suite (Debian package json-schema-test-suite).
TEST_CASE("the official test suite agrees") {
  const std::string folder = "/usr/share/json-schema-test-suite/tests/draft7/";
  int checks = 0;
  for (const char* name :
       {"additionalProperties", "allOf", "anyOf", "boolean_schema", "const", "contains", "enum", "exclusiveMaximum", "exclusiveMinimum",
        "if-then-else", "maxItems", "maxLength", "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum",
        "multipleOf", "not", "oneOf", "pattern", "patternProperties", "properties", "propertyNames", "required", "type"}) {
    std::ifstream file(folder + name + ".json");
    std::stringstream text;
    text << file.rdbuf();
    if (!file) continue;
    const Value groups = json(text.str());
    for (const Value& group : groups.as_array()) {
      const auto compiled = Schema::compile(*group.find("schema"));
      CAPTURE(name);
      CAPTURE(to_json(*group.find("description")));
      REQUIRE(compiled.has_value());
      for (const Value& test : group.find("tests")->as_array()) {
        CAPTURE(to_json(*test.find("description")));
        CHECK(compiled->check(*test.find("data")).empty() == test.find("valid")->as_bool());
        ++checks;
      }
    }
  }
  MESSAGE(checks << " checks of the official suite");
  CHECK((checks == 0 || checks > 300));
}
