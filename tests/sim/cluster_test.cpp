// The simulator as a test: seeds pass, the same seed tells the same story, and broken rules are noticed.
#include <doctest/doctest.h>

#include "sim/cluster.h"

using namespace mapflow::sim;

namespace {

ClusterPlan seed(std::uint64_t number) {
  ClusterPlan plan;
  plan.seed = number;
  return plan;
}

std::string first_problem(const ClusterOutcome& outcome) { return outcome.problems.empty() ? "" : outcome.problems.front(); }

/// The first seed from 1 on that notices the sabotage; 0: none of `most` does.
std::uint64_t noticed(Sabotage sabotage, std::uint64_t most = 200) {
  for (std::uint64_t number = 1; number <= most; ++number) {
    ClusterPlan plan = seed(number);
    plan.sabotage = sabotage;
    if (!run_cluster(plan).problems.empty()) return number;
  }
  return 0;
}

}  // namespace

TEST_CASE("clusters come to the end that the oracle foresaw, whatever fails") {
  for (std::uint64_t number = 1; number <= 60; ++number) {
    const ClusterOutcome outcome = run_cluster(seed(number));
    CHECK_MESSAGE(outcome.problems.empty(), "sim --seed ", number, ": ", first_problem(outcome));
  }
}

TEST_CASE("without faults, and on a single node, the end is the same") {
  for (std::uint64_t number = 1; number <= 20; ++number) {
    ClusterPlan plan = seed(number);
    plan.faults = {};
    plan.nodes = 1;
    const ClusterOutcome outcome = run_cluster(plan);
    CHECK_MESSAGE(outcome.problems.empty(), "sim --faults none --nodes 1 --seed ", number, ": ", first_problem(outcome));
  }
}

TEST_CASE("a seed tells the same story every time, and another seed another one") {
  for (const std::uint64_t number : {3u, 14u, 25u}) {
    const ClusterOutcome once = run_cluster(seed(number));
    const ClusterOutcome again = run_cluster(seed(number));
    CHECK(once.hash == again.hash);
    CHECK(once.actions == again.actions);
    CHECK(once.hash != run_cluster(seed(number + 1)).hash);
  }
}

TEST_CASE("a swarm leaves some faults out, by seed") {
  const Faults all = all_faults();
  const Faults some = swarm(all, Chance(1));
  CHECK(some.size() < all.size());
  CHECK(some == swarm(all, Chance(1)));
  CHECK(some != swarm(all, Chance(2)));
}

TEST_CASE("faults are named on the command line") {
  CHECK(parse_faults("all") == all_faults());
  CHECK(parse_faults("none")->empty());
  CHECK(parse_faults("crash,skew") == Faults{Fault::crash, Fault::skew});
  CHECK(parse_faults("crahs").error().is(mapflow::code::invalid_input));
}

// --- each broken rule is noticed within 200 seeds -----------------------------------------------------------------

TEST_CASE("effects released before the commit is durable are noticed") { CHECK(noticed(Sabotage::early_done) > 0); }
TEST_CASE("a commit that is acknowledged though it was dropped is noticed") { CHECK(noticed(Sabotage::dropped_commit) > 0); }
TEST_CASE("a commit under an epoch that is over is noticed when it is let through") { CHECK(noticed(Sabotage::stale_epoch) > 0); }
TEST_CASE("a command lost from the inbox is noticed") { CHECK(noticed(Sabotage::lost_command) > 0); }
TEST_CASE("a log that is cut too early is noticed") { CHECK(noticed(Sabotage::early_cut) > 0); }
TEST_CASE("agents that are called beyond their limits are noticed") { CHECK(noticed(Sabotage::open_gates, 400) > 0); }
TEST_CASE("instances that run though it is not their turn are noticed") { CHECK(noticed(Sabotage::scattered_turns, 400) > 0); }
TEST_CASE("an answer that is taken though it is not what the step expects is noticed") { CHECK(noticed(Sabotage::blind_expect) > 0); }
TEST_CASE("an answer that is taken for another call than its token says is noticed") { CHECK(noticed(Sabotage::stray_answer) > 0); }
TEST_CASE("a commit that is written twice is noticed") { CHECK(noticed(Sabotage::double_write) > 0); }
