// sim: runs seeds through the simulated cluster and says which fail.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/cluster.h"
#include "sim/kernel_check.h"

namespace {

constexpr const char* kUsage =
    "usage: sim [--seed S] [--count N] [--nodes N] [--faults all|none|LIST] [--swarm] [--kernel] [--verbose] [--quiet]\n"
    "\n"
    "Runs N seeds from S on, each a whole cluster in one thread under virtual time, and checks what must hold.\n"
    "  --seed S       the first seed (1)\n"
    "  --count N      how many (1)\n"
    "  --nodes N      nodes of the cluster (3)\n"
    "  --faults LIST  what may go wrong: all, none, or names with commas between them (all)\n"
    "  --swarm        each seed leaves some of the faults out\n"
    "  --kernel       no cluster: one instance through the kernel alone\n"
    "  --verbose      prints everything that happens\n"
    "  --quiet        prints a line for failed seeds only\n"
    "Exit code: 0 when every seed passed, 1 when one failed, 2 for a wrong option.\n";

struct Options {
  mapflow::sim::ClusterPlan plan;
  std::string faults = "all";
  std::uint64_t count = 1;
  bool kernel = false;
  bool quiet = false;
};

template <class Number>
bool read_number(const char* text, Number& out) {
  if (!text) return false;
  const char* end = text + std::strlen(text);
  const auto read = std::from_chars(text, end, out);
  return read.ec == std::errc() && read.ptr == end;
}

std::optional<Options> read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    bool good = true;
    if (name == "--swarm") options.plan.swarm = true;
    else if (name == "--verbose") options.plan.verbose = true;
    else if (name == "--kernel") options.kernel = true;
    else if (name == "--quiet") options.quiet = true;
    else {
      if (name == "--seed") good = read_number(value, options.plan.seed);
      else if (name == "--count") good = read_number(value, options.count);
      else if (name == "--nodes") good = read_number(value, options.plan.nodes) && options.plan.nodes >= 1 && options.plan.nodes <= 20;
      else if (name == "--faults") good = value != nullptr;
      else if (name == "--sabotage" && value) {  // for tests of the simulator itself: it must notice
        const auto sabotage = mapflow::sim::parse_sabotage(value);
        good = sabotage.has_value();
        if (good) options.plan.sabotage = *sabotage;
      }
      else good = false;
      if (good && name == "--faults") options.faults = value;
      ++i;
    }
    if (!good) {
      std::fprintf(stderr, "sim: cannot make sense of '%s'\n%s", argv[std::min(i, argc - 1)], kUsage);
      return std::nullopt;
    }
  }
  const auto faults = mapflow::sim::parse_faults(options.faults);
  if (!faults) {
    std::fprintf(stderr, "sim: %s\n", faults.error().to_string().c_str());
    return std::nullopt;
  }
  options.plan.faults = *faults;
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = read_options(argc, argv);
  if (!options) return 2;
  const auto began = std::chrono::steady_clock::now();
  std::uint64_t failed = 0;
  for (std::uint64_t i = 0; i < options->count; ++i) {
    auto plan = options->plan;
    plan.seed += i;
    std::uint64_t hash = 0;
    std::vector<std::string> problems;
    if (options->kernel) {
      auto outcome = mapflow::sim::check_kernel(plan.seed, plan.verbose);
      hash = outcome.hash;
      problems = std::move(outcome.problems);
    } else {
      auto outcome = mapflow::sim::run_cluster(plan);
      hash = outcome.hash;
      problems = std::move(outcome.problems);
    }
    if (!options->quiet || !problems.empty())
      std::printf("seed %llu hash %016llx%s\n", static_cast<unsigned long long>(plan.seed), static_cast<unsigned long long>(hash),
                  problems.empty() ? "" : " FAILED");
    if (problems.empty()) continue;
    ++failed;
    for (const std::string& problem : problems) std::printf("    %s\n", problem.c_str());
    std::printf("    again: sim --seed %llu --nodes %u --faults %s%s%s --verbose\n", static_cast<unsigned long long>(plan.seed), plan.nodes,
                options->faults.c_str(), plan.swarm ? " --swarm" : "", options->kernel ? " --kernel" : "");
    std::fflush(stdout);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::fprintf(stderr, "%.1f seconds\n", took.count());
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(options->count - failed), static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}
