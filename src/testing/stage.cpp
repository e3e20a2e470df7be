#include "testing/stage.h"

#include <map>
#include <utility>

#include "base/ensure.h"
#include "engine/start_demand.h"
#include "persistence/faulty.h"
#include "steps/registry.h"

namespace mapflow::testing {

using persistence::Partition;
using persistence::StoreCall;
using persistence::StoreDecision;
using persistence::StoreFault;

namespace {

// Longer than any test: nothing but the workflow's own timers falls due.
constexpr Duration kNoTicks = std::chrono::hours(24 * 3650);
constexpr const char* kNode = "test";
constexpr std::size_t kPayloadBytes = engine::ShardOptions().payload_bytes;

std::shared_ptr<persistence::Store> empty_store() {
  auto opened = persistence::open("memory:");
  ensure(opened.has_value(), "a store in memory needs nothing");
  return *std::move(opened);
}

steps::StandIns mocked_workflows(const TestCase& test) {
  steps::StandIns ids;
  for (const auto& [id, mock] : test.workflows) ids.insert(id);
  return ids;
}

/// The agent that answers for them all.
AgentConfig stand_in() {
  AgentConfig config;
  config.name = steps::kStandIn;
  return config;
}

}  // namespace

// --- mocks ------------------------------------------------------------------------------------------------------------

/// Agents of every transport.
class Stage::Agents final : public engine::AgentFactory {
 public:
  explicit Agents(Stage& stage) : stage_(stage), executor_(stage.time_.make_executor()) {}
  Result<std::unique_ptr<engine::Agent>> make(const AgentConfig& config, const engine::AgentContext&) override {
    return std::make_unique<MockedAgent>(*this, config.name, config.transport == "human");
  }
  std::vector<std::string> transports() const override { return {}; }

 private:
  class MockedAgent final : public engine::Agent {
   public:
    MockedAgent(Agents& agents, std::string name, bool person) : agents_(agents), name_(std::move(name)), person_(person) {}

    void call(Envelope envelope, engine::AgentDone done) override {
      engine::ManualWorld& time = agents_.stage_.time_;
      Scripts& scripts = agents_.stage_.scripts_;
      Scripts::Given given = name_ == steps::kStandIn ? scripts.workflow_called(envelope, time.now()) : scripts.agent_called(name_, envelope, person_, time.now());
      waiting_->insert_or_assign(envelope.id, std::move(done));
      if (given.how == MockAnswer::How::silent) return;
      // Not from within the call: replies come as they do from outside.
      agents_.executor_->post_at(saturating_add(time.now(), given.delay),
                                 [all = waiting_, id = envelope.id, given = std::move(given)]() mutable { settle(*all, id, reply_of(std::move(given))); });
    }
    void cancel(std::string_view id) override { settle(*waiting_, std::string(id), fail(code::cancelled, "nobody waits for the answer any more")); }

   private:
    using Waiting = std::map<std::string, engine::AgentDone>;
    static void settle(Waiting& all, const std::string& id, Result<Reply> reply) {
      auto found = all.extract(id);
      if (!found.empty()) found.mapped()(std::move(reply));
    }
    static Result<Reply> reply_of(Scripts::Given given) {
      if (!given.answer) return fail(std::move(given.answer).error());
      Reply reply{*std::move(given.answer), std::nullopt, given.how == MockAnswer::How::pending};
      reply.usage = usage_in(reply.result);
      return reply;
    }

    Agents& agents_;
    const std::string name_;
    const bool person_;
    const std::shared_ptr<Waiting> waiting_ = std::make_shared<Waiting>();  ///< calls without an answer, by envelope id
  };

  Stage& stage_;
  const std::shared_ptr<engine::Executor> executor_;
};

/// Runs what would block as one more task.
class Stage::Workers final : public engine::Workers {
 public:
  explicit Workers(std::shared_ptr<engine::Executor> executor) : executor_(std::move(executor)) {}
  bool try_post(engine::Task& task) override {
    executor_->post(std::move(task));
    return true;
  }

 private:
  const std::shared_ptr<engine::Executor> executor_;
};

class Stage::Sink final : public engine::EventSink {
 public:
  explicit Sink(const Heard& heard) : heard_(heard) {}
  bool wanted() const override { return true; }
  void publish(std::vector<engine::InstanceEvent> events) override {
    for (const engine::InstanceEvent& event : events) heard_(event);
  }

 private:
  const Heard& heard_;
};

// --- the member -------------------------------------------------------------------------------------------------------

Stage::Stage(const TestCase& test, std::uint64_t seed, Heard heard)
    : test_(test), kinds_(steps::make_registry(mocked_workflows(test))), heard_(std::move(heard)), time_(test.now), faults_(seed),
      random_(std::make_shared<Chance>(~seed)), scripts_(test.agents, test.handlers, test.workflows), store_(empty_store()),
      programs_(std::make_shared<engine::ProgramCache>(*kinds_, *store_)) {}

Stage::~Stage() = default;

Status Stage::add(const std::vector<Definition>& definitions) {
  for (const Definition& definition : definitions) MAPFLOW_TRY(programs_->add(definition));
  return {};
}

std::shared_ptr<persistence::Store> Stage::way_to_store() {
  if (test_.faults.store <= 0) return store_;
  const auto decide = [this](const persistence::StoreOperation& operation) {
    // A lease that is not got is tried for again in a third of its time, which is years here.
    const bool of_leases = operation.call <= StoreCall::leases;
    if (of_leases || !faults_.hits(test_.faults.store)) return StoreDecision{};
    constexpr StoreFault kFaults[] = {StoreFault::error_before, StoreFault::error_after, StoreFault::lease_lost};
    return StoreDecision{kFaults[faults_.below(std::size(kFaults))], {}};
  };
  return persistence::make_faulty_store(store_, {decide, {}});
}

std::map<std::string, std::string> Stage::secrets() const {
  std::map<std::string, std::string> known = test_.secrets;
  for (const std::string& workflow : programs_->workflows())
    if (const Value& named = programs_->current(workflow)->secrets(); named.is_object())
      for (const auto& [name, token] : named.as_object()) known.try_emplace(std::string(name.view()), name.view());
  return known;
}

engine::DispatchParts Stage::dispatch() {
  auto handlers = std::make_shared<engine::HandlerTable>();
  for (const auto& [name, mock] : test_.handlers)
    handlers->set(
        name,
        [this, name](const StepInput& in) -> Result<Value> {
          auto given = scripts_.handler_called(name, in.envelope, time_.now());
          return std::move(given.answer);
        },
        HandlerMode::immediate);
  return {std::move(handlers), std::make_shared<engine::AgentPool>(std::make_shared<Agents>(*this), std::vector{stand_in()}, engine::AgentContext{}),
          std::make_shared<Workers>(time_.make_executor()), std::make_shared<const engine::Secrets>(secrets())};
}

void Stage::boot() {
  if (up()) return;
  engine::MemberContext context;
  context.node = kNode;
  context.ttl = kNoTicks;
  context.control = time_.make_executor();
  context.executors = {time_.make_executor()};
  context.clock = time_.clock();
  context.random = random_;
  context.store = way_to_store();
  // It knows only the definitions that it finds in the store, as after a restart.
  context.programs = std::make_shared<engine::ProgramCache>(*kinds_, *store_);
  context.events = std::make_shared<Sink>(heard_);
  context.dispatch = dispatch();
  context.options.inbox_poll = kNoTicks;
  member_ = std::make_unique<engine::Member>(std::move(context));
  member_->start([](Result<Partition>) {});
}

void Stage::kill() { member_.reset(); }

void Stage::ask(const std::string& id, engine::Demand demand, engine::Answer answer) {
  member_->shard_of(home_).request({home_, id, std::move(demand), std::move(answer)});
}

Result<engine::StartDemand> Stage::start_of(const std::string& workflow, const std::string& id, Value input) {
  StartOptions options;
  options.id = id;
  options.input = std::move(input);
  MAPFLOW_ASSIGN(engine::StartDemand demand, engine::make_start(*programs_, workflow, std::move(options), kPayloadBytes, time_.now(), *random_));
  home_ = engine::start_partition_of(demand.program->definition(), id, store_->shared_partitions());
  return demand;
}

Result<StoredInstance> Stage::read(const std::string& id, bool events) const {
  return engine::read_stored_instance(*store_, *programs_, id, events);
}

std::vector<std::string> Stage::instances() const {
  std::vector<std::string> ids;
  persistence::ListQuery query;
  do {
    const auto page = store_->list(query);
    if (!page) break;
    for (const persistence::InstanceRow& row : page->rows) ids.push_back(row.id);
    query.cursor = page->next_cursor;
  } while (!query.cursor.empty());
  return ids;
}

}  // namespace mapflow::testing
