// A whole cluster in one thread: nodes, one store, agents, clients, and everything that can go wrong, from one seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/faults.h"

namespace mapflow::sim {

struct ClusterPlan {
  std::uint64_t seed = 1;
  unsigned nodes = 3;
  Faults faults = all_faults();
  bool swarm = false;
  bool verbose = false;  ///< prints what happens
  Sabotage sabotage = Sabotage::none;
};

struct ClusterOutcome {
  std::uint64_t hash = 0;             ///< over everything that became durable, and how it ended
  std::vector<std::string> problems;  ///< empty: passed
  std::uint64_t actions = 0, commits = 0, crashes = 0;
};

ClusterOutcome run_cluster(const ClusterPlan& plan);

}  // namespace mapflow::sim
