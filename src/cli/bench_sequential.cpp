#include "cli/bench_sequential.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "cli/console.h"
#include "cli/process_usage.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "engine/engine.h"

namespace mapflow::cli {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr const char* kWorkflow = "bench_sequential";
constexpr const char* kHandler = "nothing";

Definition sequential_definition(std::uint32_t steps) {
  Definition definition;
  definition.id = kWorkflow;
  definition.version = "1";
  for (std::uint32_t i = 1; i <= steps; ++i) {
    Step step;
    step.id = "step_" + std::to_string(i);
    step.type = "custom";
    step.fields = object({{"handler", kHandler}});
    definition.steps.push_back(std::move(step));
  }
  return definition;
}

/// Keeps `concurrency` workflows running: each end starts the next one, on the engine's own threads.
class Driver {
 public:
  Driver(Engine& engine, const BenchLoad& load) : engine_(engine), load_(load), latencies_(load.workflows) {}

  Status run() {
    const std::uint32_t at_once = std::min(load_.concurrency, load_.workflows);
    for (std::uint32_t i = 0; i < at_once; ++i) start_next();
    std::unique_lock lock(mutex_);
    over_.wait(lock, [this] { return over_count_ == load_.workflows || (failure_ && over_count_ == started_); });
    if (failure_) return fail(*failure_);
    return {};
  }

  double latency_ms(double quantile) {
    const auto nth = latencies_.begin() + static_cast<std::ptrdiff_t>(quantile * static_cast<double>(latencies_.size() - 1));
    std::ranges::nth_element(latencies_, nth);
    return static_cast<double>(nth->count()) / 1e6;
  }

 private:
  void start_next() {
    const std::uint32_t number = started_.fetch_add(1);
    if (number >= load_.workflows) {
      started_.fetch_sub(1);
      return;
    }
    const auto asked = SteadyClock::now();
    engine_.start_async(kWorkflow, {}, [this, number, asked](Result<Run> run) {
      if (!run) return end(run.error());
      run->on_end([this, number, asked](Result<Value> outcome) {
        latencies_[number] = SteadyClock::now() - asked;
        if (!outcome) return end(outcome.error());
        const Value* state = outcome->find("state");
        if (!state || *state != Value("completed")) return end(Error(code::internal, "a workflow did not complete: " +
                                                                      (state && state->is_text() ? std::string(state->as_text()) : "")));
        end(std::nullopt);
      });
    });
  }

  void end(std::optional<Error> failure) {
    bool go_on = false;
    {
      const std::lock_guard lock(mutex_);
      if (failure && !failure_) failure_ = std::move(failure);
      go_on = !failure_;
    }
    if (go_on) start_next();
    const std::lock_guard lock(mutex_);  // run() returns, and this object may go, as soon as the lock is free
    if (++over_count_ >= load_.workflows || failure_) over_.notify_one();
  }

  Engine& engine_;
  const BenchLoad& load_;
  std::vector<std::chrono::nanoseconds> latencies_;
  std::atomic<std::uint32_t> started_{0};
  std::mutex mutex_;
  std::condition_variable over_;
  std::uint32_t over_count_ = 0;
  std::optional<Error> failure_;
};

}  // namespace

Value SequentialFigures::to_value() const {
  return object({{"scenario", "sequential"},
                 {"store", store},
                 {"steps", load.steps},
                 {"workflows", load.workflows},
                 {"concurrency", load.concurrency},
                 {"shards", load.shards},
                 {"seconds", seconds},
                 {"steps_per_second", steps_per_second()},
                 {"workflows_per_second", load.workflows / seconds},
                 {"latency_ms", object({{"p50", latency_p50_ms}, {"p99", latency_p99_ms}})},
                 {"cpu_seconds_per_1000_steps", cpu_seconds / steps() * 1000},
                 {"peak_rss_mib", peak_rss_mib}});
}

Result<SequentialFigures> run_sequential(const BenchLoad& load, std::shared_ptr<persistence::Store> store,
                                         const std::function<void()>& ended) {
  SequentialFigures figures{.load = load, .store = store->name()};
  if (load.shards == 0) figures.load.shards = std::max(1u, std::thread::hardware_concurrency());
  Engine engine({.store_object = std::move(store), .shards = figures.load.shards});
  MAPFLOW_TRY(engine.status());
  engine.handler(kHandler, [](const StepInput&) -> Result<Value> { return Value(); }, HandlerMode::immediate);
  MAPFLOW_TRY(engine.add(sequential_definition(load.steps)));
  MAPFLOW_TRY(engine.serve());
  Driver driver(engine, load);
  const double cpu_before = cpu_seconds();
  const auto before = SteadyClock::now();
  MAPFLOW_TRY(driver.run());
  figures.seconds = std::chrono::duration<double>(SteadyClock::now() - before).count();
  figures.cpu_seconds = cpu_seconds() - cpu_before;
  if (ended) ended();
  figures.latency_p50_ms = driver.latency_ms(0.5);
  figures.latency_p99_ms = driver.latency_ms(0.99);
  figures.peak_rss_mib = peak_rss_mib();
  return figures;
}

}  // namespace mapflow::cli
