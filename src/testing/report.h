// The outcome of tests for machines: JUnit XML and TAP.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "value/value.h"

namespace mapflow::testing {

struct CaseReport {
  std::string name;
  Location where;
  std::vector<std::string> findings;  ///< empty: passed
  std::uint64_t seed = 0;             ///< under which it failed; 0: it has no faults
  double seconds = 0;                 ///< of the machine's clock
};

struct FileReport {
  std::string file;
  std::vector<CaseReport> cases;
};
using Reports = std::vector<FileReport>;

std::size_t failures(const Reports& reports);
std::size_t tests(const Reports& reports);

/// As Jenkins, GitLab and their kin read it: testsuites/testsuite/testcase/failure.
std::string to_junit(const Reports& reports);
/// Test Anything Protocol, version 14 (https://testanything.org/tap-version-14-specification.html).
std::string to_tap(const Reports& reports);
/// [{file, name, where, passed, seconds, findings, seed?}]
Value to_value(const Reports& reports);

}  // namespace mapflow::testing
