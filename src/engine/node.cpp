#include "engine/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <thread>
#include <utility>

#include "engine/command.h"
#include "engine/finished_instance.h"
#include "engine/instance_id.h"
#include "engine/start_demand.h"
#include "engine/stored_instance.h"
#include "steps/registry.h"

namespace mapflow::engine {
namespace {

constexpr std::size_t kWorkerQueue = 10'000;
constexpr Duration kOwnLease = std::chrono::seconds(2);    ///< of a process that shares nothing
constexpr Duration kTakeOver = std::chrono::seconds(10);   ///< how long a dead process's lease is waited for
constexpr std::chrono::seconds kDrain(30);                 ///< for messages on their way when the engine stops

/// Why an instance cannot be run here, in other words than those of leases.
Error not_to_be_had(const std::string& id, Error why) {
  if (!why.is(code::conflict)) return why;
  Error error(code::conflict, fmt::format("another process runs instance '{}'", id),
              "it can be watched and asked for things from here; to run it here, that process must end first");
  error.cause = std::make_shared<const Error>(std::move(why));
  return error;
}

}  // namespace

Node::Node(EngineOptions options) : options_(std::move(options)), kinds_(steps::make_registry()) {
  store_ = options_.store_object;
  if (!store_) {
    auto opened = persistence::open(options_.store);
    if (opened)
      store_ = *std::move(opened);
    else
      status_ = fail(std::move(opened).error());
  }
  if (store_) programs_ = std::make_shared<ProgramCache>(*kinds_, *store_);
}

Node::~Node() {
  inbox_hints_.reset();
  if (member_) {
    const auto stopped = std::make_shared<std::promise<void>>();
    auto done = stopped->get_future();
    member_->stop([stopped] { stopped->set_value(); });
    done.wait_for(kDrain);
    events_->flush(kDrain);  // so that who listens hears the last of it
  }
  // Nothing runs any more once the threads are gone; what still comes in from agents and workers finds nobody.
  for (const auto& executor : executors_) executor->stop();
  if (control_) control_->stop();
  member_.reset();
}

// --- before anything runs ---------------------------------------------------------------------------------------------

Status Node::status() const {
  const std::lock_guard lock(begin_mutex_);
  return status_;
}

void Node::add_handler(std::string name, RegisteredHandler handler) {
  const std::lock_guard lock(begin_mutex_);
  if (begun_) {
    status_ = fail(code::invalid_state, fmt::format("handler '{}' was registered after the engine had begun to run", name));
    return;
  }
  handlers_->set(std::move(name), std::move(handler));
}

Status Node::retry_policy(std::string name, RetryFunction function) {
  return kinds_->add_retry_policy(std::move(name), [function = std::move(function)](const RetryQuestion& question) -> std::optional<Duration> {
    try {
      return function(question);
    } catch (...) {
      return std::nullopt;
    }
  });
}

Status Node::add_kind(std::unique_ptr<const kernel::StepKind> kind) { return kinds_->add(std::move(kind)); }

Result<std::string> Node::add(Definition definition) {
  MAPFLOW_TRY(status());
  MAPFLOW_ASSIGN(const ProgramPtr program, programs_->add(std::move(definition)));
  MAPFLOW_TRY(program->check_retry_policies());
  return program->hash();
}

void Node::on_event(EventHandler handler) { events_->subscribe(std::move(handler)); }

void Node::on_event_of(const std::string& id, RunListeners::Listener listener) {
  run_listeners_->add(id, std::move(listener));
  std::call_once(run_listeners_subscribed_, [this] {
    on_event([listeners = run_listeners_](const std::string& instance, const kernel::Event& event) { listeners->publish(instance, event); });
  });
}

Load Node::load() const {
  Load load;
  load.events = events_->waiting();
  if (!has_member_.load(std::memory_order_acquire)) return load;
  member_->add_to(load);
  load.handlers += workers_->waiting();
  return load;
}

Status Node::begin() {
  const std::lock_guard lock(begin_mutex_);
  MAPFLOW_TRY(status_);
  if (!begun_) {
    begun_ = true;
    status_ = start_threads();
  }
  return status_;
}

Status Node::start_threads() {
  if (const std::string risk = store_->durability_risk(); !risk.empty() && options_.log)
    options_.log("store", fmt::format("{}: a crash may lose what was acknowledged, because {}", store_->name(), risk));
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  const unsigned shards = options_.private_partition ? 1 : options_.shards > 0 ? options_.shards : cores;
  control_ = std::make_shared<ThreadExecutor>("control");
  MemberContext context;
  for (unsigned shard = 0; shard < shards; ++shard) {
    executors_.push_back(std::make_shared<ThreadExecutor>(fmt::format("shard-{}", shard)));
    context.executors.push_back(executors_.back());
  }
  context.node = options_.node;
  context.share = !options_.private_partition;
  context.ttl = options_.lease;
  if (options_.private_partition) {
    context.node += '/' + make_instance_id(clock_->now(), *random_);
    context.ttl = std::min(context.ttl, kOwnLease);
  }
  context.control = control_;
  context.clock = clock_;
  context.random = random_;
  context.store = store_;
  context.programs = programs_;
  context.events = events_;
  context.log = options_.log;
  context.options.payload_bytes = options_.payload_bytes;
  context.options.max_instances = std::max<std::size_t>(1, options_.max_instances / shards);
  context.options.instance_bytes = options_.memory_bytes / shards;
  context.options.rows_at_once = options_.private_partition;
  context.options.details = store_->shows_details();
  const AgentContext agents{{}, options_.payload_bytes, options_.log};
  const unsigned workers = options_.workers > 0 ? options_.workers : std::max(4u, 2 * cores);
  workers_ = std::make_shared<WorkerPool>(workers, kWorkerQueue);
  context.dispatch = {handlers_, std::make_shared<AgentPool>(options_.agents, options_.configured_agents, agents),
                      workers_, std::make_shared<const Secrets>(options_.secrets)};
  member_ = std::make_unique<Member>(std::move(context));
  has_member_.store(true, std::memory_order_release);

  std::promise<Result<persistence::Partition>> own;
  member_->start([&own](Result<persistence::Partition> partition) { own.set_value(std::move(partition)); });
  MAPFLOW_ASSIGN(own_, own.get_future().get());
  inbox_hints_ = store_->on_post([this](persistence::Partition partition) { member_->shard_of(partition).glance(partition); });
  return {};
}

// --- starting ---------------------------------------------------------------------------------------------------------

persistence::Partition Node::home(std::string_view id) const {
  return options_.private_partition ? own_ : shared_partition_of(id, store_->shared_partitions());
}

void Node::start(std::string_view workflow, StartOptions options, std::function<void(Result<Started>)> answered) {
  if (Status begun = begin(); !begun) return answered(fail(std::move(begun).error()));
  auto demand = make_start(*programs_, workflow, std::move(options), options_.payload_bytes, clock_->now(), *random_);
  if (!demand) return answered(fail(std::move(demand).error()));
  start(*std::move(demand), std::move(answered));
}

void Node::start(StartDemand demand, std::function<void(Result<Started>)> answered) {
  const std::string id = demand.start.id;
  const persistence::Partition partition = options_.private_partition
                                               ? own_
                                               : start_partition_of(demand.program->definition(), id, store_->shared_partitions());
  ask(std::make_shared<Errand>(Errand{id, std::move(demand),
                                      [id, answered = std::move(answered)](Result<Value> existed) {
                                        if (!existed) return answered(fail(std::move(existed).error()));
                                        answered(Started{id, *existed == Value(true)});
                                      },
                                      partition}));
}

void Node::rerun(const std::string& id, std::string new_id, std::function<void(Result<Started>)> answered) {
  if (Status begun = begin(); !begun) return answered(fail(std::move(begun).error()));
  auto former = read_stored_instance(*store_, *programs_, id, false);
  if (!former) return answered(fail(std::move(former).error()));
  auto demand = make_rerun(*programs_, *former, std::move(new_id), clock_->now(), *random_);
  if (!demand) return answered(fail(std::move(demand).error()));
  start(*std::move(demand), std::move(answered));
}

Status Node::attach(const std::string& id) {
  MAPFLOW_TRY(begin());
  const auto row = store_->instance(id);
  if (row && row->finished) return {};
  if (!row && !row.error().is(code::not_found)) return fail(row.error());
  if (!row) MAPFLOW_TRY(read_stored_instance(*store_, *programs_, id, false));  // only just started: the log alone knows it
  const persistence::Partition partition = row ? row->partition : home(id);
  if (!options_.private_partition && partition.value < store_->shared_partitions()) return {};  // shared out anyway
  std::promise<Status> taken;
  member_->leases().take(partition, saturating_add(clock_->now(), kTakeOver),
                         [&taken](Status status) { taken.set_value(std::move(status)); });
  if (Status had = taken.get_future().get(); !had) return fail(not_to_be_had(id, std::move(had).error()));
  return {};
}

// --- requests ---------------------------------------------------------------------------------------------------------

Result<Value> Node::call(const std::string& id, Demand demand) {
  MAPFLOW_TRY(begin());
  const auto answered = std::make_shared<std::promise<Result<Value>>>();
  auto answer = answered->get_future();
  ask(std::make_shared<Errand>(Errand{id, std::move(demand),
                                      [answered](Result<Value> value) { answered->set_value(std::move(value)); },
                                      home(id)}));
  return answer.get();
}

Status Node::tell(const std::string& id, Demand demand) {
  MAPFLOW_TRY(check_payload(demand, options_.payload_bytes));
  MAPFLOW_TRY(call(id, std::move(demand)));
  return {};
}

Result<Value> Node::document(const std::string& id) { return call(id, DescribeDemand{}); }

void Node::watch(const std::string& id, ValueAnswer ended) {
  if (Status begun = begin(); !begun) return ended(fail(std::move(begun).error()));
  ask(std::make_shared<Errand>(Errand{id, WatchDemand{}, std::move(ended), home(id)}));
}

Result<Value> Node::wait(const std::string& id, std::optional<Duration> limit) {
  std::shared_ptr<Awaited> awaited;
  bool first = false;
  {
    const std::lock_guard lock(awaited_mutex_);
    std::shared_ptr<Awaited>& entry = awaited_[id];
    first = !entry;
    if (first) entry = std::make_shared<Awaited>();
    awaited = entry;
  }
  if (first)
    watch(id, [this, id, awaited](Result<Value> outcome) {
      {
        const std::lock_guard lock(awaited_mutex_);
        awaited_.erase(id);  // who asks from now on asks anew: a suspended instance may have gone on
      }
      const std::lock_guard lock(awaited->mutex);
      awaited->outcome = std::move(outcome);
      awaited->changed.notify_all();
    });
  std::unique_lock lock(awaited->mutex);
  const auto ended = [&] { return awaited->outcome.has_value(); };
  if (!limit)
    awaited->changed.wait(lock, ended);
  else if (!awaited->changed.wait_for(lock, *limit, ended))
    return fail(code::timeout, fmt::format("instance '{}' did not end within {}", id, format_duration(*limit)));
  return *awaited->outcome;
}

// --- the way of a request ---------------------------------------------------------------------------------------------

void Node::ask(ErrandPtr errand) {
  const persistence::Partition partition = errand->partition;
  Request request{partition, errand->id, errand->demand, {}};
  request.answer = [this, errand = std::move(errand)](Result<Value> value) mutable {
    const bool here = value || !(value.error().is(reroute::not_owner) || value.error().is(reroute::elsewhere) ||
                                 value.error().is(code::not_found));
    if (here) return errand->answer(std::move(value));
    // What follows reads the store, which is not for a shard's thread.
    control_->post([this, errand = std::move(errand), refused = std::move(value).error()]() mutable {
      look_up(std::move(errand), std::move(refused));
    });
  };
  member_->shard_of(partition).request(std::move(request));
}

void Node::look_up(ErrandPtr errand, Error refused) {
  auto found = store_->instance(errand->id);
  if (!found && !found.error().is(code::not_found)) return errand->answer(fail(std::move(found).error()));
  const std::optional<persistence::InstanceRow> row = found ? std::optional(*std::move(found)) : std::nullopt;
  const bool to_its_owner = row && (!row->finished || revives(errand->demand));
  if (to_its_owner && row->partition != errand->partition && !errand->moved) {
    errand->partition = row->partition;
    errand->moved = true;
    return ask(std::move(errand));
  }
  if (refused.is(code::not_found) && !row) {
    // Its owner does not know it. One that was only just accepted may still be on its way through an inbox.
    if (std::holds_alternative<WatchDemand>(errand->demand)) return ask_later(std::move(errand));
    return errand->answer(fail(code::not_found, fmt::format("no instance '{}'", errand->id)));
  }
  // Its owner knows it, but not the place or step that the request names.
  if (refused.is(code::not_found) && revives(errand->demand) && row->partition == errand->partition)
    return errand->answer(fail(std::move(refused)));
  ask_store(std::move(errand), row);
}

void Node::ask_store(ErrandPtr errand, const std::optional<persistence::InstanceRow>& row) {
  if (row && row->finished && revives(errand->demand)) return bring_back(std::move(errand));
  if (row && row->finished) return errand->answer(ask_finished(*row, errand->demand, *programs_, clock_->now()));
  if (std::holds_alternative<StartDemand>(errand->demand)) return start_elsewhere(std::move(errand));
  auto stored = read_stored_instance(*store_, *programs_, errand->id, false);
  if (std::holds_alternative<WatchDemand>(errand->demand)) {
    if (stored && stored->state.state == WorkflowState::suspended)
      return errand->answer(kernel::outcome_document(stored->state, clock_->now()));
    return ask_later(std::move(errand));
  }
  if (!stored) return errand->answer(fail(std::move(stored).error()));
  if (std::holds_alternative<DescribeDemand>(errand->demand))
    return errand->answer(kernel::instance_document(*stored->program, stored->state, clock_->now()));
  leave_command(std::move(errand));
}

/// The instance is over and its partition is run by nobody here.
void Node::bring_back(ErrandPtr errand) {
  if (!options_.private_partition || errand->taken) return leave_command(std::move(errand));
  errand->taken = true;
  const persistence::Partition partition = errand->partition;
  member_->leases().take(partition, saturating_add(clock_->now(), kTakeOver), [this, errand = std::move(errand)](Status taken) mutable {
    if (taken) return ask(std::move(errand));
    leave_command(std::move(errand));  // its owner will do it
  });
}

void Node::start_elsewhere(ErrandPtr errand) {
  const auto& demand = std::get<StartDemand>(errand->demand);
  auto stored = demand.id_given ? read_stored_instance(*store_, *programs_, errand->id, false)
                                : Result<StoredInstance>(fail(code::not_found, {}));
  if (!stored && stored.error().is(code::not_found)) return leave_command(std::move(errand));
  if (!stored) return errand->answer(fail(std::move(stored).error()));
  if (Status same = check_same_start(demand, stored->state); !same)
    return errand->answer(fail(std::move(same).error()));
  if (!options_.private_partition) return errand->answer(Value(true));
  // A process of its own goes on with it, once the process that had it is certainly gone.
  const auto take_over = saturating_add(clock_->now(), kTakeOver);
  const persistence::Partition partition = errand->partition;
  member_->leases().take(partition, take_over, [errand = std::move(errand)](Status taken) {
    if (!taken) return errand->answer(fail(not_to_be_had(errand->id, std::move(taken).error())));
    errand->answer(Value(true));
  });
}

void Node::leave_command(ErrandPtr errand) {
  // A start that was accepted for a partition of this process goes where it was accepted.
  const auto posted = store_->post(errand->partition, encode_command(errand->id, errand->demand, *store_));
  if (!posted) return errand->answer(fail(posted.error()));
  errand->answer(Value(false));
}

void Node::ask_later(ErrandPtr errand) {
  constexpr Duration kAskAgain = std::chrono::milliseconds(50);
  control_->post_at(saturating_add(clock_->now(), kAskAgain), [this, errand = std::move(errand)]() mutable {
    errand->partition = home(errand->id);
    errand->moved = false;
    ask(std::move(errand));
  });
}

}  // namespace mapflow::engine
