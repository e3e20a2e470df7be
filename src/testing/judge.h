// Compares what came of a test with what was expected.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "testing/performance.h"
#include "testing/test_file.h"
#include "value/value.h"

namespace mapflow::testing {

/// Where `found` is not as expected, a line each: "results.check.available: false instead of true". Objects hold at least what
/// is expected, lists whole; the text "*" fits everything.
std::vector<std::string> differences(const Value& expected, const Value& found, const std::string& where);

/// Everything that is not as expected, a finding each, of one or several lines; empty: the test is passed.
std::vector<std::string> judge(const Expectation& expect, const Outcome& outcome);

}  // namespace mapflow::testing
