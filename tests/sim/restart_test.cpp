// Restarting after every single record leads to the same end.
#include <doctest/doctest.h>

#include "sim/restart_check.h"

using namespace mapflow::sim;

TEST_CASE("after every single record of 200 workflows a restart from what is stored leads to the foreseen end") {
  std::size_t records = 0, commits = 0, restarts = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const RestartOutcome outcome = check_restarts(seed);
    CHECK_MESSAGE(outcome.problems.empty(), "seed ", seed, ": ", outcome.problems.empty() ? "" : outcome.problems.front());
    records += outcome.records;
    commits += outcome.commits;
    restarts += outcome.restarts;
  }
  MESSAGE(restarts, " restarts after ", commits, " commits of ", records, " records");
  CHECK(restarts >= commits);
}
