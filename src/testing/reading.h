// What the readers of test files share: the file being read, and the templates in it.
#pragma once

#include <optional>
#include <string_view>

#include "builder/reading.h"
#include "jinja/jinja.h"
#include "kernel/templates.h"
#include "testing/test_file.h"

namespace mapflow::testing {

struct TestReading {
  builder::Reading& reading;
  const jinja::Environment& environment;

  /// Reports an unknown key of `map`; false for anything but a map (reported).
  bool expect_keys(builder::Node map, std::string_view what, std::span<const std::string_view> known);
  std::optional<jinja::Template> expression(builder::Node node, std::string_view what);
  kernel::ValueTemplate value(builder::Node node) { return value(node.to_value(), node.mark()); }
  kernel::ValueTemplate value(const Value& value, builder::Mark at);
};

/// A mock: one rule, or a list of them.
Mock read_mock(TestReading& from, builder::Node node);
/// Mocks by name, laid over those of `base`.
Mocks read_mocks(TestReading& from, builder::Node node, Mocks base);
/// The same for workflows, whose replies are {results, variables}.
Mocks read_workflow_mocks(TestReading& from, builder::Node node, Mocks base);
Action read_action(TestReading& from, builder::Node node);
Expectation read_expectation(TestReading& from, builder::Node node);

}  // namespace mapflow::testing
