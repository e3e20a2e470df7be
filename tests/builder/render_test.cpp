// Diagnostics as people and editors see them.
#include <doctest/doctest.h>

#include "builder/render.h"
#include "value/json.h"

using namespace mapflow;
using builder::render;

namespace {

Diagnostic finding(std::uint32_t line, std::uint32_t column, std::string file = "f.yaml") {
  return {.severity = Severity::error, .code = "MF0301", .where = {std::move(file), line, column}, .message = "unknown agent 'x'", .hint = "did you mean 'y'?"};
}

constexpr const char* kFirst = "f.yaml:2:6: error: unknown agent 'x' (did you mean 'y'?) [MF0301]\n";

}  // namespace

TEST_CASE("a finding shows its line and a caret") {
  CHECK(render(finding(2, 6), "one\na: b: c\n") == std::string(kFirst) + "    2 | a: b: c\n      |      ^\n");
  CHECK(render(finding(2, 6), "one\r\na: b: c\r\n") == std::string(kFirst) + "    2 | a: b: c\n      |      ^\n");
}

TEST_CASE("columns count characters, and tabs keep the caret in place") {
  CHECK(render(finding(2, 6), "\né: ü: ß\n") == std::string(kFirst) + "    2 | é: ü: ß\n      |      ^\n");
  CHECK(render(finding(2, 6), "\n\ta:\tb c\n") == std::string(kFirst) + "    2 | \ta:\tb c\n      | \t  \t ^\n");
}

TEST_CASE("without a place or a source there is the first line alone") {
  CHECK(render(finding(2, 6), "") == kFirst);
  CHECK(render(finding(2, 6), "only one line") == kFirst);
  CHECK(render(finding(0, 0), "x") == "f.yaml: error: unknown agent 'x' (did you mean 'y'?) [MF0301]\n");
  CHECK(render(finding(2, 6), "\nab\n") == std::string(kFirst) + "    2 | ab\n      |   ^\n");  // past the end: after it
}

TEST_CASE("of a long line the part around the place is shown") {
  const std::string shown = render(finding(1, 5000), std::string(4999, '.') + "X" + std::string(5000, '.'));
  CHECK(shown.size() < 600);
  const auto source = shown.find("X"), caret = shown.rfind("^");
  REQUIRE(source != std::string::npos);
  CHECK(source - shown.find("    1 | ") == caret - shown.rfind("      | "));
}

TEST_CASE("several findings end with a count") {
  Diagnostics found{finding(1, 1), finding(2, 1)};
  found[1].severity = Severity::warning;
  const std::string shown = render(found, [](const std::string&) { return std::string_view("a\nb\n"); });
  CHECK(shown.ends_with("1 error, 1 warning\n"));
  CHECK(render(Diagnostics{}, nullptr).empty());
}

TEST_CASE("the same findings for editors") {
  CHECK(to_json(builder::to_value({finding(2, 6)})) ==
        R"({"ok":false,"diagnostics":[{"severity":"error","code":"MF0301","file":"f.yaml","line":2,"column":6,)"
        R"("message":"unknown agent 'x'","hint":"did you mean 'y'?"}]})");
  CHECK(to_json(builder::to_value(Diagnostics{})) == R"({"ok":true,"diagnostics":[]})");
}

TEST_CASE("findings are sorted by place, files as they came, and said once") {
  Diagnostics found{finding(5, 1, "b"), finding(2, 1, "b"), finding(9, 9, "a"), finding(5, 1, "b"), finding(2, 0, "b")};
  builder::sort_diagnostics(found);
  std::string order;
  for (const Diagnostic& each : found) order += each.where.to_string() + " ";
  CHECK(order == "b:2 b:2:1 b:5:1 a:9:9 ");
}
