#include <fmt/format.h>

#include <memory>

#include "cli/bare_store.h"
#include "cli/bench_memory.h"
#include "cli/bench_recovery.h"
#include "cli/bench_sequential.h"
#include "cli/recording_store.h"
#include "cli/verbs.h"
#include "value/json.h"

namespace mapflow::cli {

namespace {

void print_figures(Stream& out, const SequentialFigures& figures) {
  const BenchLoad& load = figures.load;
  out.line(fmt::format("{} workflows of {} steps, {} at once, on {}", load.workflows, load.steps, load.concurrency, figures.store));
  out.line(fmt::format("  {:>12.0f}  steps/s", figures.steps_per_second()));
  out.line(fmt::format("  {:>12.0f}  workflows/s", load.workflows / figures.seconds));
  out.line(fmt::format("  {:>12.2f}  ms per workflow, median", figures.latency_p50_ms));
  out.line(fmt::format("  {:>12.2f}  ms per workflow, 99th percentile", figures.latency_p99_ms));
  out.line(fmt::format("  {:>12.4f}  CPU seconds per 1000 steps", figures.cpu_seconds / figures.steps() * 1000));
  out.line(fmt::format("  {:>12.1f}  MiB peak memory", figures.peak_rss_mib));
  out.line(fmt::format("  {:>12.2f}  seconds", figures.seconds));
}

struct LimitFigures {
  SequentialFigures engine;
  BareFigures bare;

  double ratio() const { return bare.seconds / engine.seconds; }
  Value to_value() const {
    return object({{"scenario", "store-limit"},
                   {"store", engine.store},
                   {"steps", engine.load.steps},
                   {"workflows", engine.load.workflows},
                   {"concurrency", engine.load.concurrency},
                   {"seconds", bare.seconds},
                   {"steps_per_second", engine.steps() / bare.seconds},
                   {"workflows_per_second", engine.load.workflows / bare.seconds},
                   {"transactions", bare.transactions},
                   {"bytes", bare.bytes},
                   {"engine", engine.to_value()},
                   {"ratio", ratio()}});
  }
};

/// Runs the engine on a new store, then writes the same bytes in the same transactions to a bare one beside it.
Result<LimitFigures> measure_limit(const BenchStoreLimitOptions& options) {
  MAPFLOW_ASSIGN(const auto bare, make_bare_store(options.store));
  LimitFigures figures;
  std::vector<RecordedTransaction> written;
  {
    MAPFLOW_ASSIGN(auto opened, persistence::open(options.store));
    const auto store = std::make_shared<RecordingStore>(std::move(opened));
    MAPFLOW_ASSIGN(figures.engine, run_sequential(options.load, store, [&] { written = store->take(); }));
  }
  MAPFLOW_ASSIGN(figures.bare, bare->write(written));
  return figures;
}

void print_limit(Stream& out, const LimitFigures& figures) {
  print_figures(out, figures.engine);
  out.line(fmt::format("a bare loop writing the same {:.1f} MiB in the same {} transactions", static_cast<double>(figures.bare.bytes) / (1 << 20),
                       figures.bare.transactions));
  out.line(fmt::format("  {:>12.0f}  steps/s", figures.engine.steps() / figures.bare.seconds));
  out.line(fmt::format("  {:>12.2f}  seconds", figures.bare.seconds));
  out.line(fmt::format("  {:>11.0f}%  of that is what the engine reaches", 100 * figures.ratio()));
}

/// The document itself, or its members one to a line.
ExitCode print_document(Console& console, const Result<Value>& figures, bool json) {
  if (!figures) return refuse(console, figures.error(), json);
  if (json) {
    console.document(*figures);
    return ExitCode::success;
  }
  for (const auto& [name, value] : figures->as_object()) {
    const std::string text = value.is_double() ? fmt::format("{:.3f}", value.as_double()) : value.is_text() ? std::string(value.as_text()) : to_json(value);
    console.out.line(fmt::format("  {:<34} {}", name.view(), text));
  }
  return ExitCode::success;
}

}  // namespace

ExitCode execute(const BenchSequentialOptions& options, Console& console) {
  auto store = persistence::open(options.store);
  if (!store) return refuse(console, store.error(), options.json);
  const auto figures = run_sequential(options.load, *std::move(store));
  if (!figures) return refuse(console, figures.error(), options.json);
  if (options.json) {
    console.document(figures->to_value());
  } else {
    print_figures(console.out, *figures);
  }
  return ExitCode::success;
}

ExitCode execute(const BenchLoopOptions& options, Console& console) {
  auto store = persistence::open(options.store);
  if (!store) return refuse(console, store.error(), options.json);
  return print_document(console, run_loop(options, *std::move(store)), options.json);
}

ExitCode execute(const BenchWaitingOptions& options, Console& console) {
  auto store = persistence::open(options.store);
  if (!store) return refuse(console, store.error(), options.json);
  return print_document(console, run_waiting(options, *std::move(store)), options.json);
}

ExitCode execute(const BenchRecoveryOptions& options, Console& console) {
  return print_document(console, run_recovery(options), options.json);
}

ExitCode execute(const BenchStoreLimitOptions& options, Console& console) {
  const auto figures = measure_limit(options);
  if (!figures) return refuse(console, figures.error(), options.json);
  if (options.json) {
    console.document(figures->to_value());
  } else {
    print_limit(console.out, *figures);
  }
  return ExitCode::success;
}

}  // namespace mapflow::cli
