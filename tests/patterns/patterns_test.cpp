#include "patterns/patterns.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <regex>

#include "builder/formatter.h"
#include "builder/reader.h"
#include "builder/validator.h"
#include "steps/registry.h"
#include "testing/test_file.h"

using namespace mapflow;
using patterns::Settings;

namespace {

std::map<std::string, std::string> files_of(std::string_view pattern, const Settings& settings = {}) {
  const auto files = patterns::project(pattern, settings);
  REQUIRE(files.has_value());
  std::map<std::string, std::string> out;
  for (const patterns::File& file : *files) out[file.path] = file.text;
  return out;
}

std::string refusal(std::string_view pattern, const Settings& settings) {
  const auto files = patterns::project(pattern, settings);
  return files ? "" : files.error().to_string();
}

}  // namespace

TEST_CASE("the library has what comes up again and again") {
  std::vector<std::string> names;
  for (const patterns::Pattern& each : patterns::all()) names.push_back(each.name);
  CHECK(std::ranges::is_sorted(names));
  for (const char* const wanted : {"etl", "ml_pipeline", "approval", "four_eyes", "escalation", "saga", "circuit_breaker", "fan_out", "map_reduce", "retry",
                                   "quorum", "debate", "planner", "human_in_the_loop", "crawl", "poller", "dead_letter"}) {
    CAPTURE(wanted);
    CHECK(std::ranges::find(names, wanted) != names.end());
  }
}

TEST_CASE("every pattern is complete, sound, gives no warning, and is in the canonical spelling") {
  const auto kinds = steps::make_registry();
  for (const patterns::Pattern& pattern : patterns::all()) {
    CAPTURE(pattern.name);
    CHECK(pattern.parameters.size() > 1);
    const auto files = files_of(pattern.name);
    CHECK(files.contains("README.md"));
    CHECK(std::ranges::any_of(files, [](const auto& file) { return file.first.starts_with("agents/"); }));
    for (const auto& [path, text] : files) {
      CAPTURE(path);
      CHECK_FALSE(std::regex_search(text, std::regex("@[a-z_]+@")));
      CHECK(text.ends_with("\n"));
    }
    builder::ReadResult read = builder::read_definitions(files.at("workflow.yaml"), "workflow.yaml", *kinds);
    for (const Diagnostic& each : builder::validate(read.definitions, *kinds)) read.diagnostics.push_back(each);
    for (const Diagnostic& each : read.diagnostics) MESSAGE(each.to_string());
    CHECK(read.diagnostics.empty());
    CHECK(read.definitions.front().id == pattern.name);
    CHECK(builder::format_text(files.at("workflow.yaml"), "workflow.yaml", *kinds).text == files.at("workflow.yaml"));
    const auto tests = testing::read_tests(files.at("workflow.test.yaml"), "workflow.test.yaml", *kinds);
    CHECK(tests.diagnostics.empty());
    CHECK(tests.tests.cases.size() > 1);
  }
}

TEST_CASE("each parameter shows in the project, and is held to its type") {
  for (const patterns::Pattern& pattern : patterns::all())
    for (const patterns::Parameter& parameter : pattern.parameters) {
      CAPTURE(pattern.name);
      CAPTURE(parameter.name);
      const bool span = parameter.type == patterns::ParameterType::duration, number = parameter.type == patterns::ParameterType::number;
      const std::string other = span ? "77s" : number ? "0.77" : parameter.type == patterns::ParameterType::id ? "mine" : "77";
      CHECK(files_of(pattern.name, {{parameter.name, other}}).at("workflow.yaml") != files_of(pattern.name).at("workflow.yaml"));
      CHECK(refusal(pattern.name, {{parameter.name, "{ }"}}).starts_with("invalid_input: parameter '" + parameter.name + "' must be "));
    }
  CHECK(refusal("saga", {{"attempts", "0"}}) != "");
  CHECK(refusal("saga", {{"attempts", "3x"}}) != "");
  CHECK(refusal("saga", {{"attempt", "3"}}) == "invalid_input: pattern 'saga' has no parameter 'attempt' (did you mean 'attempts'?)");
  CHECK(refusal("sage", {}) == "not_found: there is no pattern 'sage' (did you mean 'saga'?)");
}
