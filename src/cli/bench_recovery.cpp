#include "cli/bench_recovery.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cli/crowd.h"
#include "cli/process_usage.h"
#include "cli/wire.h"
#include "engine/engine.h"

namespace mapflow::cli {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr const char* kSignalled = "bench_signalled";
constexpr const char* kTimed = "bench_timed";
constexpr const char* kCalling = "bench_calling";
constexpr const char* kHandler = "work";
constexpr std::uint32_t kProbes = 64;                     // instances that are asked for until all answer
constexpr Duration kTimerSpread = std::chrono::seconds(10);
constexpr Duration kPatience = std::chrono::minutes(2);   // beyond what is expected
constexpr Duration kGlance = std::chrono::milliseconds(2);

double seconds_since(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

Definition one_step(const char* id, const char* type, Value fields) {
  Step step;
  step.id = "only";
  step.type = type;
  step.fields = std::move(fields);
  Definition definition;
  definition.id = id;
  definition.version = "1";
  definition.steps.push_back(std::move(step));
  return definition;
}

Status add_workflows(Engine& engine) {
  MAPFLOW_TRY(engine.add(one_step(kSignalled, "wait", object({{"signal", "go"}}))));
  MAPFLOW_TRY(engine.add(one_step(kTimed, "wait", object({{"until", "{{ due }}"}}))));
  MAPFLOW_TRY(engine.add(one_step(kCalling, "custom", object({{"handler", kHandler}}))));
  return {};
}

/// Instance `number` of `count`, by what its last digit says.
const char* workflow_of(std::uint32_t number) {
  const std::uint32_t digit = number % 10;
  return digit < 4 ? kSignalled : digit < 8 ? kTimed : kCalling;
}
std::string instance_id(std::uint32_t number) { return fmt::format("r-{}", number); }
std::uint32_t number_of(std::string_view id) {
  std::uint32_t number = 0;
  std::from_chars(id.data() + 2, id.data() + id.size(), number);
  return number;
}

/// When the timers come due: one after the other, in the order of the instances.
struct Schedule {
  Timestamp first;
  std::uint32_t instances;
  Timestamp due(std::uint32_t number) const { return first + kTimerSpread * number / instances; }
};

// --- the process that is killed ---------------------------------------------------------------------------------------

Status populate(const BenchRecoveryOptions& load, const Schedule& schedule) {
  Engine engine({.store = load.store, .node = "first"});
  MAPFLOW_TRY(engine.status());
  engine.handler(kHandler, [](const StepInput&) -> Result<Value> {
    while (true) ::pause();  // until the process is killed
  });
  MAPFLOW_TRY(add_workflows(engine));
  MAPFLOW_TRY(start_crowd(engine, load.instances, [&](std::uint32_t number) {
    StartOptions options;
    options.id = instance_id(number);
    options.input = object({{"due", format_timestamp(schedule.due(number))}});
    return CrowdMember{workflow_of(number), std::move(options)};
  }));
  ::kill(::getpid(), SIGKILL);
  return {};
}

/// Errors: internal when it ended in any other way than by being killed.
Status populate_and_die(const BenchRecoveryOptions& load, const Schedule& schedule) {
  const pid_t child = ::fork();
  if (child < 0) return fail(code::unavailable, "this process cannot be forked");
  if (child == 0) {
    const Status failed = populate(load, schedule);
    fmt::print(stderr, "{}\n", failed.error().to_string());
    ::_exit(1);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  if (!WIFSIGNALED(status)) return fail(code::internal, "the process that was to be killed ended by itself");
  return {};
}

Status wait_for_leases(persistence::Store& store) {
  while (true) {
    MAPFLOW_ASSIGN(const std::vector<persistence::Lease> leases, store.leases());
    Timestamp latest = Timestamp::min();
    for (const persistence::Lease& lease : leases) latest = std::max(latest, lease.expires);
    if (latest < now()) return {};
    std::this_thread::sleep_for(latest - now() + kGlance);
  }
}

// --- the process that takes over --------------------------------------------------------------------------------------

/// Which instances have come to their end, and when.
class Ends {
 public:
  explicit Ends(std::uint32_t instances) : ended_(instances) {}

  void note(const std::string& id, const kernel::Event& event) {
    if (event.type != "workflow.completed") return;
    const std::uint32_t number = number_of(id);
    ended_[number] = to_micros(event.at);
    ++(event.workflow == kSignalled ? signalled : event.workflow == kTimed ? timed : called);
  }
  /// Errors: internal, when it is still not so at `until`.
  Status wait(const std::atomic<std::uint32_t>& count, std::uint32_t wanted, Timestamp until) const {
    while (count < wanted) {
      if (now() > until) return fail(code::internal, fmt::format("{} of {} workflows did not come to their end", wanted - count, wanted));
      std::this_thread::sleep_for(kGlance);
    }
    return {};
  }
  Timestamp ended(std::uint32_t number) const { return from_micros(ended_[number]); }

  std::atomic<std::uint32_t> signalled{0}, timed{0}, called{0};

 private:
  std::vector<std::atomic<std::int64_t>> ended_;
};

std::vector<std::uint32_t> numbers_of(const char* workflow, std::uint32_t instances) {
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t number = 0; number < instances; ++number)
    if (workflow_of(number) == workflow) numbers.push_back(number);
  return numbers;
}

Status signal(Engine& engine, std::uint32_t number) {
  MAPFLOW_ASSIGN(const Run run, engine.attach(instance_id(number)));
  return run.signal("go");
}

/// How late the timers fired, sorted. Errors: internal when one fired too early.
Result<std::vector<double>> lateness_ms(const Ends& ends, const std::vector<std::uint32_t>& timed, const Schedule& schedule) {
  std::vector<double> late;
  for (const std::uint32_t number : timed) {
    const Duration by = ends.ended(number) - schedule.due(number);
    if (by < Duration(0)) return fail(code::internal, "timer of " + instance_id(number) + " fired too early");
    late.push_back(std::chrono::duration<double, std::milli>(by).count());
  }
  std::ranges::sort(late);
  return late;
}

Result<Value> take_over(const BenchRecoveryOptions& load, const Schedule& schedule, std::shared_ptr<persistence::Store> store) {
  const std::string name = store->name();
  const std::vector<std::uint32_t> signalled = numbers_of(kSignalled, load.instances);
  const std::vector<std::uint32_t> timed = numbers_of(kTimed, load.instances);
  const auto calling = static_cast<std::uint32_t>(load.instances - signalled.size() - timed.size());
  const auto probes = std::min(kProbes, static_cast<std::uint32_t>(signalled.size()));

  Ends ends(load.instances);
  Engine engine({.store_object = std::move(store), .node = "second"});
  MAPFLOW_TRY(engine.status());
  engine.on_event([&ends](const std::string& id, const kernel::Event& event) { ends.note(id, event); });
  engine.handler(kHandler, [](const StepInput&) -> Result<Value> { return Value(); }, HandlerMode::immediate);
  MAPFLOW_TRY(add_workflows(engine));
  const Timestamp patience = saturating_add(now(), kPatience);
  const double cpu_before = cpu_seconds();
  const auto begin = SteadyClock::now();
  MAPFLOW_TRY(engine.serve());
  MAPFLOW_TRY(for_each_of(probes, [&](std::uint32_t probe) { return signal(engine, signalled[probe]); }));
  MAPFLOW_TRY(ends.wait(ends.signalled, probes, patience));
  const double serving = seconds_since(begin);
  const double serving_cpu = cpu_seconds() - cpu_before;
  if (now() >= schedule.first) return fail(code::internal, "the first timer was due before the node served", "raise --timer-seconds");
  MAPFLOW_TRY(ends.wait(ends.called, calling, patience));
  const double called = seconds_since(begin);
  const double served_rss = peak_rss_mib();
  MAPFLOW_TRY(ends.wait(ends.timed, static_cast<std::uint32_t>(timed.size()), saturating_add(schedule.due(load.instances), kPatience)));
  MAPFLOW_ASSIGN(const std::vector<double> late, lateness_ms(ends, timed, schedule));
  const auto others = static_cast<std::uint32_t>(signalled.size()) - probes;
  MAPFLOW_TRY(for_each_of(others, [&](std::uint32_t other) { return signal(engine, signalled[probes + other]); }));
  MAPFLOW_TRY(ends.wait(ends.signalled, static_cast<std::uint32_t>(signalled.size()), saturating_add(now(), kPatience)));
  return object({{"scenario", "recovery"},
                 {"store", name},
                 {"instances", load.instances},
                 {"serving_seconds", serving},
                 {"serving_cpu_seconds", serving_cpu},
                 {"calls_made_again", calling},
                 {"calls_answered_seconds", called},
                 {"timers_fired", timed.size()},
                 {"timer_late_ms", late.empty() ? Value() : object({{"p50", late[late.size() / 2]}, {"max", late.back()}})},
                 {"signals_answered", signalled.size()},
                 {"peak_rss_serving_mib", served_rss},
                 {"peak_rss_mib", peak_rss_mib()}});
}

}  // namespace

Result<Value> run_recovery(const BenchRecoveryOptions& load) {
  {
    MAPFLOW_ASSIGN(const auto store, persistence::open(load.store));
    if (!store->durable()) return fail(code::invalid_input, "there is nothing to take over from a store that is not durable");
  }
  const Schedule schedule{saturating_add(now(), std::chrono::seconds(load.timer_seconds)), load.instances};
  MAPFLOW_TRY(populate_and_die(load, schedule));
  MAPFLOW_ASSIGN(std::shared_ptr<persistence::Store> store, persistence::open(load.store));
  MAPFLOW_TRY(wait_for_leases(*store));
  return take_over(load, schedule, std::move(store));
}

}  // namespace mapflow::cli
