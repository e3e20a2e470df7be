#include "server/metrics.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/batch.h"
#include "engine/clock.h"
#include "model/message.h"
#include "model/state.h"
#include "persistence/forwarding.h"

namespace mapflow::server {

namespace {

using Type = Family::Type;

constexpr std::size_t kMostCalls = 100'000;  // remembered at once; calls beyond are not counted by agent

const std::vector<double> kWorkSeconds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200};
const std::vector<double> kCommitSeconds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5};
const std::vector<double> kRecoverySeconds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
const std::vector<double> kBatchRecords{1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000};

double seconds(Duration span) { return static_cast<double>(span.count()) / 1e6; }

std::string text_of(const Value& data, std::string_view path) {
  const Value* found = data.find_path(path);
  return found && found->is_text() ? std::string(found->as_text()) : std::string();
}

std::optional<double> number_of(const Value& data, std::string_view path) {
  const Value* found = data.find_path(path);
  return found && found->is_number() ? std::optional(found->as_double()) : std::nullopt;
}

/// What an instance or step took, where its event says so.
std::optional<double> seconds_of(const Value& data) { return number_of(data, "seconds"); }

}  // namespace

Metrics::Metrics()
    : workflows_(Type::counter, "mapflow_workflows_total", "Instances that came to an end.", {"workflow", "outcome"}),
      workflow_seconds_(Type::histogram, "mapflow_workflow_duration_seconds", "From the start of an instance to its end.", {"workflow"}, kWorkSeconds),
      steps_(Type::counter, "mapflow_steps_total", "Steps that came to an end.", {"kind", "outcome"}),
      step_seconds_(Type::histogram, "mapflow_step_duration_seconds", "From the start of a step to its end, all attempts.", {"kind"}, kWorkSeconds),
      retries_(Type::counter, "mapflow_step_retries_total", "Attempts that failed and are followed by another."),
      compensations_(Type::counter, "mapflow_compensations_total", "Steps that were undone, or could not be.", {"outcome"}),
      requests_(Type::counter, "mapflow_agent_requests_total", "Calls of agents that were answered, failed or were given up.", {"agent", "outcome"}),
      tokens_(Type::counter, "mapflow_tokens_total", "Tokens that agents said they used.", {"agent", "direction"}),
      circuits_(Type::gauge, "mapflow_circuit_state", "Whether the circuit of an agent is open (1) or closed (0).", {"agent"}),
      limited_(Type::counter, "mapflow_rate_limited_total", "Calls that a limit of their agent made wait, or turned away.", {"agent"}),
      commit_seconds_(Type::histogram, "mapflow_store_commit_seconds", "From handing a commit to the store until it is durable.", {}, kCommitSeconds),
      batch_records_(Type::histogram, "mapflow_store_batch_records", "Records in one commit.", {}, kBatchRecords),
      commit_failures_(Type::counter, "mapflow_store_commit_failures_total", "Commits that the store refused, or did not answer."),
      leases_(Type::counter, "mapflow_lease_transfers_total", "Leases of partitions that this node was given."),
      recovery_(Type::histogram, "mapflow_recovery_seconds", "From getting the lease of a partition until it was read back and served.", {}, kRecoverySeconds),
      dropped_(Type::counter, "mapflow_events_dropped_total", "Events that came faster than they could be counted.") {}

// --- from events ------------------------------------------------------------------------------------------------------

void Metrics::take(const std::string& instance, const kernel::Event& event) {
  const std::size_t dot = event.type.find('.');
  if (dot == std::string::npos) return;
  const std::string_view about = std::string_view(event.type).substr(0, dot);
  const std::string what = event.type.substr(dot + 1);
  const std::lock_guard lock(mutex_);
  if (about == "workflow") {
    const auto state = parse_workflow_state(what);
    if (!state || !is_terminal(*state)) return;
    workflows_.add({event.workflow, what});
    if (const auto took = seconds_of(event.data)) workflow_seconds_.observe({event.workflow}, *took);
  } else if (about == "step") {
    take_step(instance, event, what);
  } else if (event.type == "agent.limited") {
    limited_.add({text_of(event.data, "agent")});
  } else if (about == "agent") {
    circuits_.set({text_of(event.data, "agent")}, what == "circuit_opened" ? 1 : 0);
  } else if (event.type == "partition.serving") {
    if (const auto took = seconds_of(event.data)) recovery_.observe({}, *took);
  } else if (event.type == "events.dropped") {
    if (const auto count = number_of(event.data, "count")) dropped_.add({}, *count);
    calls_.clear();  // nobody knows which of them are over
  }
}

void Metrics::take_step(const std::string& instance, const kernel::Event& event, const std::string& what) {
  if (what == "called") return take_call(instance, event);
  if (what == "use") return take_use(instance, event);
  if (what == "retrying") {
    retries_.add({});
    return end_call(instance, event, text_of(event.data, "error.code"), true);
  }
  if (what == "compensated" || what == "compensation_failed") return compensations_.add({what == "compensated" ? "completed" : "failed"});
  const auto state = parse_step_state(what);
  if (!state || !is_settled(*state)) return;
  steps_.add({event.kind, what});
  if (const auto took = seconds_of(event.data)) step_seconds_.observe({event.kind}, *took);
  const std::string code = text_of(event.data, "error.code");
  end_call(instance, event, *state == StepState::completed ? "ok" : code.empty() ? what : code, false);
}

void Metrics::take_call(const std::string& instance, const kernel::Event& event) {
  if (text_of(event.data, "input.kind") != "agent" || calls_.size() >= kMostCalls) return;
  calls_[{instance, event.path}] = text_of(event.data, "input.target");
}

/// Comes before the end of the call that it is about.
void Metrics::take_use(const std::string& instance, const kernel::Event& event) {
  const auto call = calls_.find({instance, event.path});
  if (call == calls_.end()) return;
  for (const std::string direction : {"input", "output"})
    if (const double tokens = number_of(event.data, "use." + direction + "_tokens").value_or(0); tokens > 0)
      tokens_.add({call->second, direction}, tokens);
}

void Metrics::end_call(const std::string& instance, const kernel::Event& event, const std::string& outcome, bool again) {
  const auto call = calls_.find({instance, event.path});
  if (call == calls_.end()) return;
  requests_.add({call->second, outcome});
  if (!again) calls_.erase(call);
}

// --- from the store ---------------------------------------------------------------------------------------------------

void Metrics::committed(Duration took, std::size_t records, bool good) {
  const std::lock_guard lock(mutex_);
  if (!good) return commit_failures_.add({});
  commit_seconds_.observe({}, seconds(took));
  if (records > 0) batch_records_.observe({}, static_cast<double>(records));
}

void Metrics::lease_taken() {
  const std::lock_guard lock(mutex_);
  leases_.add({});
}

namespace {

std::size_t count_records(const std::string& log) {
  std::size_t count = 0;
  if (log.empty()) return count;
  const Status read = engine::read_batch(log, [&count](const engine::RecordGroup& group) -> Status {
    count += group.count;
    return {};
  });
  return read ? count : 0;
}

class MeteredStore final : public persistence::ForwardingStore {
 public:
  MeteredStore(std::shared_ptr<persistence::Store> store, std::shared_ptr<Metrics> metrics)
      : ForwardingStore(std::move(store)), metrics_(std::move(metrics)) {}

  void commit(persistence::Commit commit, persistence::CommitDone done) override {
    const auto begun = std::chrono::steady_clock::now();
    const std::size_t records = count_records(commit.log);
    inner().commit(std::move(commit), [metrics = metrics_, begun, records,
                                       done = std::move(done)](Result<persistence::LogPosition> position) mutable {
      const auto took = std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - begun);
      metrics->committed(took, records, position.has_value());
      done(std::move(position));
    });
  }
  Result<persistence::Lease> acquire(persistence::Partition partition, std::string_view node, Duration ttl, Timestamp now) override {
    auto lease = inner().acquire(partition, node, ttl, now);
    if (lease) metrics_->lease_taken();
    return lease;
  }

 private:
  const std::shared_ptr<Metrics> metrics_;
};

}  // namespace

std::shared_ptr<persistence::Store> metered(std::shared_ptr<persistence::Store> store, std::shared_ptr<Metrics> metrics) {
  return std::make_shared<MeteredStore>(std::move(store), std::move(metrics));
}

// --- the page ---------------------------------------------------------------------------------------------------------

namespace {

/// Every state and every queue, also those with nothing in them, so that a series never vanishes.
void write_load(std::string& out, const engine::Load& load) {
  Family instances(Type::gauge, "mapflow_instances", "Instances of this node that are not over.", {"state"});
  for (std::size_t state = 0; state < engine::kLivingStates; ++state)
    instances.set({std::string(to_string(static_cast<WorkflowState>(state)))}, static_cast<double>(load.instances[state]));
  instances.write(out);
  Family depth(Type::gauge, "mapflow_queue_depth", "What waits in this node.", {"queue"});
  for (const auto& [queue, waiting] : {std::pair("letters", load.letters), std::pair("inputs", load.inputs), std::pair("turns", load.turns),
                                       std::pair("agents", load.agents), std::pair("handlers", load.handlers), std::pair("events", load.events)})
    depth.set({queue}, static_cast<double>(waiting));
  depth.write(out);
}

}  // namespace

std::string Metrics::text(const engine::Load& load) const {
  std::string out;
  write_load(out, load);
  const std::lock_guard lock(mutex_);
  for (const Family* family : {&workflows_, &workflow_seconds_, &steps_, &step_seconds_, &retries_, &compensations_, &requests_, &tokens_,
                               &circuits_, &limited_, &commit_seconds_, &batch_records_, &commit_failures_, &leases_, &recovery_, &dropped_})
    family->write(out);
  return out;
}

}  // namespace mapflow::server
