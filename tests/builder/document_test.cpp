// Text to positioned values: scalars, anchors, merge keys, bounds.
#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "builder/catalog.h"
#include "builder/document.h"
#include "value/json.h"

using namespace mapflow;
using builder::Document;
using builder::Mark;
using builder::Node;
using builder::parse_documents;

namespace {

Value value_of(std::string_view text) {
  const auto parsed = parse_documents(text, "t.yaml");
  INFO(test::lines_of(parsed.diagnostics));
  REQUIRE(parsed.diagnostics.empty());
  REQUIRE(parsed.documents.size() == 1);
  return parsed.documents[0].root().to_value();
}

std::string json_of(std::string_view text) { return to_json(value_of(text)); }

/// "code line:column" of the only finding.
std::string fault_of(std::string_view text, const builder::DocumentLimits& limits = {}) {
  const auto parsed = parse_documents(text, "t.yaml", limits);
  INFO(test::lines_of(parsed.diagnostics));
  REQUIRE(parsed.diagnostics.size() == 1);
  const Diagnostic& one = parsed.diagnostics[0];
  return one.code + " " + std::to_string(one.where.line) + ":" + std::to_string(one.where.column);
}

double seconds_of(const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TEST_CASE("plain scalars follow the core schema; quoted ones are texts") {
  CHECK(json_of("[null, ~, Null, NULL, ]") == "[null,null,null,null]");
  CHECK(json_of("[true, False, TRUE, yes, off, on]") == R"([true,false,true,"yes","off","on"])");
  CHECK(json_of("[0, -7, +3, 007, 0x1F, 0o17, 0b1, 1_000]") == R"([0,-7,3,7,31,15,"0b1","1_000"])");
  CHECK(json_of("[1.5, .5, 1., 1e3, -2.5E-1, 1.2.3, '1.5', \"7\"]") == R"([1.5,0.5,1.0,1000.0,-0.25,"1.2.3","1.5","7"])");
  CHECK(json_of("[9223372036854775807, -9223372036854775808]") == "[9223372036854775807,-9223372036854775808]");
  CHECK(value_of("9223372036854775808").is_double());
  CHECK(json_of("[2026-12-01, 12:30, 1e, --, '', \"\"]") == R"(["2026-12-01","12:30","1e","--","",""])");
  CHECK(json_of("[!!str 7, !!int 7, !!float 7.5, ! 7]") == R"(["7",7,7.5,"7"])");
}

TEST_CASE("JSON is YAML") {
  CHECK(json_of(R"({"a": [1, 2.5, true, null, "x\u00e9\ud83d\ude00\/\n"], "b": {}})") == R"({"a":[1,2.5,true,null,"xé😀/\n"],"b":{}})");
  CHECK(json_of("{\n\t\"a\":\t1,\n\t\"b\": []\n}\n") == R"({"a":1,"b":[]})");
}

TEST_CASE("block texts keep or fold their lines") {
  CHECK(json_of("a: |\n  one\n  two\nb: >-\n  one\n  two\n") == R"({"a":"one\ntwo\n","b":"one two"})");
}

TEST_CASE("anchors, aliases and merge keys") {
  CHECK(json_of("a: &x {k: 1}\nb: *x\nc: [*x, *x]") == R"({"a":{"k":1},"b":{"k":1},"c":[{"k":1},{"k":1}]})");
  CHECK(json_of("a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}") == R"({"a":{"k":1,"l":2},"b":{"l":3,"k":1}})");
  CHECK(json_of("a: &x {k: 1}\nb: &y {k: 2, m: 4}\nc: {<<: [*x, *y]}") == R"({"a":{"k":1},"b":{"k":2,"m":4},"c":{"k":1,"m":4}})");
  CHECK(json_of("a: &x {k: 1}\nb: &y {<<: *x, l: 2}\nc: {<<: *y}") == R"({"a":{"k":1},"b":{"l":2,"k":1},"c":{"l":2,"k":1}})");
  CHECK(json_of("{\"<<\": 1}") == R"({"<<":1})");
  CHECK(json_of("a: &x 1\na2: &x 2\nb: *x") == R"({"a":1,"a2":2,"b":2})");
  CHECK(json_of("- &n name\n- {*n : 1}") == R"(["name",{"name":1}])");
}

TEST_CASE("several documents, empty ones left out") {
  const auto parsed = parse_documents("a: 1\n---\n---\nb: 2\n...\n# done\n", "t.yaml");
  CHECK(parsed.diagnostics.empty());
  REQUIRE(parsed.documents.size() == 2);
  CHECK(to_json(parsed.documents[1].root().to_value()) == R"({"b":2})");
  CHECK(parse_documents("", "t.yaml").documents.empty());
  CHECK(parse_documents("\xEF\xBB\xBFid: x\n", "t.yaml").documents.size() == 1);
}

TEST_CASE("every node knows where it begins") {
  const auto parsed = parse_documents("é: ü\nq: \"x\"\nlist:\n  - 7\nblock: |\n\n    first\n  \nempty:\n", "t.yaml");
  REQUIRE(parsed.documents.size() == 1);
  const Node root = parsed.documents[0].root();
  const auto at = [](Mark mark) { return std::to_string(mark.line) + ":" + std::to_string(mark.column); };
  CHECK(at(root.find("é").mark()) == "1:4");
  CHECK(at(root.find("q").mark()) == "2:5");
  CHECK(at(root.find("list").key_mark()) == "3:1");
  CHECK(at((*root.find("list").children().begin()).mark()) == "4:5");
  CHECK(at(root.find("block").mark()) == "6:5");
  CHECK(root.find("block").layout() == builder::TextLayout::lines);
  CHECK(root.find("q").layout() == builder::TextLayout::in_line);
  CHECK(at(root.find("empty").mark()) == "9:1");
}

TEST_CASE("numbers remember how they were written") {
  const auto parsed = parse_documents("v: 1.10\nw: '1.10'\n", "t.yaml");
  CHECK(parsed.documents[0].root().find("v").written() == "1.10");
  CHECK(parsed.documents[0].root().find("w").written() == "");
}

TEST_CASE("a fault in the text is one finding at its place") {
  CHECK(fault_of("a: 1\n\xFF\n") == "MF0101 2:1");
  CHECK(fault_of("é: \xED\xA0\x80") == "MF0101 1:4");                 // a surrogate
  CHECK(fault_of("a: \xC0\xAF") == "MF0101 1:4");                     // an overlong form
  CHECK(fault_of(std::string("a: b\0c", 6)) == "MF0101 1:5");
  CHECK(fault_of("\xFF\xFE" "a") == "MF0101 1:1");                    // UTF-16
  CHECK(fault_of("a: 1\na: 2\n") == "MF0104 2:1");
  CHECK(fault_of("a: {{ x }}\n") == "MF0105 1:5");
  CHECK(fault_of("a: *x\n") == "MF0106 1:4");
  CHECK(fault_of("a: &x [*x]\n") == "MF0106 1:8");
  CHECK(fault_of("{<<: 1}\n") == "MF0107 1:6");
  CHECK(fault_of("a: .inf\n") == "MF0108 1:4");
  CHECK(fault_of("a: 1e999\n") == "MF0108 1:4");
  CHECK(fault_of("%FOO bar\n---\na: 1\n") == "MF0102 1:1");
}

TEST_CASE("a document whose duplicate keys are many is read in time") {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "k" + std::to_string(i) + ": 1\n";
  CHECK(parse_documents(text, "t.yaml").diagnostics.empty());
  CHECK(fault_of(text + "k7: 2\n") == "MF0104 20001:1");
}

TEST_CASE("bounds hold before memory does") {
  CHECK(fault_of(std::string(2000, 'x'), {.max_bytes = 1000}) == "MF0103 1:1");
  CHECK(fault_of(std::string(300, '[') + std::string(300, ']')).starts_with("MF0103"));
  CHECK(fault_of("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]", {.max_nodes = 5}).starts_with("MF0103"));
  // Aliases in aliases: small text, huge tree.
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n";
  for (char name = 'b'; name < 'k'; ++name) {
    bomb += std::string(1, name) + ": &" + name + " [";
    for (int i = 0; i < 9; ++i) bomb += std::string(i ? ", *" : "*") + static_cast<char>(name - 1);
    bomb += "]\n";
  }
  CHECK(fault_of(bomb).starts_with("MF0103"));
  // Aliases make a tree deeper than its text.
  std::string ladder = "a0: &a0 [x]\n";
  for (int i = 1; i < 300; ++i) ladder += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
  CHECK(fault_of(ladder).starts_with("MF0103"));
  // Merges of merges.
  std::string merges = "a: &a {";
  for (int i = 0; i < 1000; ++i) merges += "k" + std::to_string(i) + ": 1, ";
  merges += "}\nb:\n";
  for (int i = 0; i < 3000; ++i) merges += " - {<<: *a}\n";
  CHECK(fault_of(merges).starts_with("MF0103"));
}

TEST_CASE("hostile texts end soon") {
  const std::string texts[] = {std::string(100'000, '['), std::string(100'000, '{'), std::string(50'000, '?') , std::string(200'000, '%') + "\n---\n",
                               std::string(200'000, '!'), std::string(200'000, '&'), "a: " + std::string(300'000, '"'),
                               std::string(100'000, '-'), "- " + std::string(200'000, ' '), std::string(200'000, '\n') + "a"};
  for (const std::string& text : texts) {
    INFO(text.substr(0, 5));
    CHECK(seconds_of([&] { (void)parse_documents(text, "t.yaml"); }) < 5);
  }
}
