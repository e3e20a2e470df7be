#include "cli/bench_memory.h"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <vector>

#include "cli/crowd.h"
#include "cli/process_usage.h"
#include "engine/engine.h"

namespace mapflow::cli {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr const char* kLoop = "bench_loop";
constexpr const char* kWaiting = "bench_waiting";

double seconds_since(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

Definition loop_definition(const BenchLoopOptions& load) {
  Step body;
  body.id = "count";
  body.type = "transform";
  body.fields = object({{"transformations", object({{"last", "{{ item }}"}})}});
  Step loop;
  loop.id = "each";
  loop.type = "loop";
  loop.fields = object({{"items", load.iterations}, {"max_concurrent", load.window}, {"collect", "none"}});
  loop.branches.push_back({});
  loop.branches.back().role = "body";
  loop.branches.back().steps.push_back(std::move(body));
  Definition definition;
  definition.id = kLoop;
  definition.version = "1";
  definition.steps.push_back(std::move(loop));
  return definition;
}

Definition waiting_definition() {
  Step wait;
  wait.id = "until";
  wait.type = "wait";
  wait.fields = object({{"signal", "go"}});
  Definition definition;
  definition.id = kWaiting;
  definition.version = "1";
  definition.steps.push_back(std::move(wait));
  return definition;
}

std::string waiting_id(std::uint32_t number) { return fmt::format("w-{}", number); }

using Runs = std::vector<std::optional<Run>>;  ///< by number

/// Returns when all are started, durably.
Result<Runs> start_all(Engine& engine, std::uint32_t instances) {
  Runs runs(instances);
  MAPFLOW_TRY(start_crowd(
      engine, instances,
      [](std::uint32_t number) {
        StartOptions options;
        options.id = waiting_id(number);
        return CrowdMember{kWaiting, std::move(options)};
      },
      [&runs](std::uint32_t number, Run run) { runs[number] = std::move(run); }));
  return runs;
}

/// Signals one instance and waits for its end: it must have been given this very signal.
Status signal_and_check(const Run& run, std::uint32_t number) {
  MAPFLOW_TRY(run.signal("go", Value(number)));
  MAPFLOW_ASSIGN(const Value outcome, run.wait());
  const Value* const got = outcome.find_path("results.until");
  if (got && *got == Value(number)) return {};
  return fail(code::internal, "instance " + run.id() + " did not answer its signal");
}

}  // namespace

Result<Value> run_loop(const BenchLoopOptions& load, std::shared_ptr<persistence::Store> store) {
  Engine engine({.store_object = store, .shards = 1});
  MAPFLOW_TRY(engine.status());
  MAPFLOW_TRY(engine.add(loop_definition(load)));
  const double cpu_before = cpu_seconds();
  const auto begin = SteadyClock::now();
  MAPFLOW_ASSIGN(const Run run, engine.start(kLoop));
  MAPFLOW_ASSIGN(const Value outcome, run.wait());
  const double seconds = seconds_since(begin);
  const double cpu = cpu_seconds() - cpu_before;
  const Value* const state = outcome.find("state");
  if (!state || *state != Value("completed")) return fail(code::internal, "the loop did not complete");
  MAPFLOW_ASSIGN(const auto chunks, store->history(run.id()));
  std::size_t history_bytes = 0;
  for (const auto& chunk : chunks) history_bytes += chunk.records.size();
  return object({{"scenario", "loop"},
                 {"store", store->name()},
                 {"iterations", load.iterations},
                 {"max_concurrent", load.window},
                 {"seconds", seconds},
                 {"iterations_per_second", load.iterations / seconds},
                 {"cpu_seconds_per_1000_iterations", cpu / load.iterations * 1000},
                 {"history_mib", static_cast<double>(history_bytes) / (1 << 20)},
                 {"peak_rss_mib", peak_rss_mib()}});
}

Result<Value> run_waiting(const BenchWaitingOptions& load, std::shared_ptr<persistence::Store> store) {
  const std::string name = store->name();
  EngineOptions options;
  options.store_object = std::move(store);
  options.memory_bytes = std::size_t{load.memory_mib} << 20;
  Engine engine(std::move(options));
  MAPFLOW_TRY(engine.status());
  MAPFLOW_TRY(engine.add(waiting_definition()));
  const auto begin = SteadyClock::now();
  MAPFLOW_ASSIGN(const Runs runs, start_all(engine, load.instances));
  const double started = seconds_since(begin);
  const double waiting_rss = peak_rss_mib();
  MAPFLOW_TRY(for_each_of(load.instances, [&](std::uint32_t number) { return signal_and_check(*runs[number], number); }));
  return object({{"scenario", "waiting"},
                 {"store", name},
                 {"instances", load.instances},
                 {"memory_mib", load.memory_mib},
                 {"start_seconds", started},
                 {"signal_seconds", seconds_since(begin) - started},
                 {"answered", load.instances},
                 {"peak_rss_waiting_mib", waiting_rss},
                 {"peak_rss_mib", peak_rss_mib()}});
}

}  // namespace mapflow::cli
