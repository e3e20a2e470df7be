#include "testing/play.h"

#include <doctest/doctest.h>

#include "builder/reader.h"
#include "builder/validator.h"
#include "steps/registry.h"
#include "testing/judge.h"

namespace mapflow::testing {

const kernel::KindRegistry& kinds() {
  static const auto registry = steps::make_registry();
  return *registry;
}

std::vector<Definition> definitions(std::string_view yaml) {
  builder::ReadResult read = builder::read_definitions(yaml, "flow.yaml", kinds());
  Diagnostics found = builder::validate(read.definitions, kinds());
  found.insert(found.end(), read.diagnostics.begin(), read.diagnostics.end());
  for (const Diagnostic& each : found) MESSAGE(each.to_string());
  REQUIRE(!has_errors(found));
  return std::move(read.definitions);
}

TestFile tests_of(std::string_view yaml) {
  ReadTests read = read_tests(yaml, "flow.test.yaml", kinds());
  for (const Diagnostic& each : read.diagnostics) MESSAGE(each.to_string());
  REQUIRE(read.diagnostics.empty());
  return std::move(read.tests);
}

Outcome played(std::string_view workflow, std::string_view tests, std::uint64_t seed) {
  const TestFile file = tests_of(tests);
  auto outcome = perform(file.cases.front(), definitions(workflow), seed);
  REQUIRE(outcome.has_value());
  return *std::move(outcome);
}

std::string lines(const std::vector<std::string>& findings) {
  std::string text;
  for (const std::string& each : findings) text += each + "\n";
  return text;
}

std::string findings(std::string_view workflow, std::string_view tests, std::uint64_t seed) {
  return lines(judge(tests_of(tests).cases.front().expect, played(workflow, tests, seed)));
}

}  // namespace mapflow::testing
