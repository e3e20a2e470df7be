// Plays tests that stand in a text, on definitions that stand in another.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/step_kind.h"
#include "model/diagnostic.h"
#include "testing/coverage.h"
#include "testing/performance.h"
#include "testing/test_file.h"

namespace mapflow::testing {

const kernel::KindRegistry& kinds();
/// The definitions of a text; the test fails when there is anything wrong with it.
std::vector<Definition> definitions(std::string_view yaml);
/// The tests of a text, likewise.
TestFile tests_of(std::string_view yaml);
/// The first test of a text, played under one seed.
Outcome played(std::string_view workflow, std::string_view tests, std::uint64_t seed = 1);
/// Each on a line of its own; "" when there is none.
std::string lines(const std::vector<std::string>& findings);
/// What is found wrong with it, as lines.
std::string findings(std::string_view workflow, std::string_view tests, std::uint64_t seed = 1);

}  // namespace mapflow::testing
