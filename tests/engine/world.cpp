#include "engine/world.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>

#include <utility>

#include "builder/reader.h"
#include "persistence/memory.h"

namespace mapflow::testing {

using persistence::Partition;

Definition definition(std::string_view yaml) {
  static const auto kinds = steps::make_registry();
  builder::ReadResult read = builder::read_definitions(yaml, "test.yaml", *kinds);
  for (const Diagnostic& found : read.diagnostics) MESSAGE(found.where.to_string() << ": " << found.message);
  REQUIRE(!has_errors(read.diagnostics));
  return std::move(read.definitions.front());
}

// --- agents -----------------------------------------------------------------------------------------------------------

namespace {

class ScriptedAgent final : public engine::Agent {
 public:
  explicit ScriptedAgent(ScriptedAgents& agents) : agents_(agents) {}
  void call(Envelope envelope, engine::AgentDone done) override {
    agents_.seen.push_back(envelope);
    if (auto result = agents_.script ? agents_.script(envelope) : std::nullopt) {
      if (*result)
        done(mapflow::Reply{**result, std::nullopt});
      else
        done(fail(result->error()));
      return;
    }
    agents_.calls.push_back({std::move(envelope), std::move(done)});
  }
  void cancel(std::string_view envelope_id) override { agents_.cancelled.emplace_back(envelope_id); }

 private:
  ScriptedAgents& agents_;
};

/// Runs what is blocking as one more task of the world.
class ManualWorkers final : public engine::Workers {
 public:
  explicit ManualWorkers(std::shared_ptr<engine::Executor> executor) : executor_(std::move(executor)) {}
  bool try_post(engine::Task& task) override {
    executor_->post(std::move(task));
    return true;
  }

 private:
  std::shared_ptr<engine::Executor> executor_;
};

}  // namespace

Result<std::unique_ptr<engine::Agent>> ScriptedAgents::make(const AgentConfig& config, const engine::AgentContext&) {
  if (config.transport != "queue") return fail(code::invalid_input, "agents of this test are queues");
  return std::make_unique<ScriptedAgent>(*this);
}

void ScriptedAgents::answer(Result<Value> result) {
  REQUIRE(!calls.empty());
  Call call = std::move(calls.front());
  calls.pop_front();
  if (result)
    call.done(mapflow::Reply{*std::move(result), std::nullopt});
  else
    call.done(fail(std::move(result).error()));
}

std::size_t ScriptedAgents::seen_of(std::string_view action) const {
  return static_cast<std::size_t>(std::ranges::count(seen, action, &Envelope::action));
}

// --- the world --------------------------------------------------------------------------------------------------------

struct World::Sink final : engine::EventSink {
  explicit Sink(World& world) : world(world) {}
  bool wanted() const override { return true; }
  void publish(std::vector<engine::InstanceEvent> events) override {
    std::ranges::move(events, std::back_inserter(world.events));
  }
  World& world;
};

/// The programs come before the member: shards hold on to both.
struct World::NodeParts {
  std::shared_ptr<engine::ProgramCache> programs;
  std::unique_ptr<engine::Member> member;
};

World::World(std::uint32_t partitions)
    : time(from_micros(1'700'000'000'000'000)), store(persistence::make_memory_store({partitions})) {
  programs = std::make_shared<engine::ProgramCache>(*kinds_, *store);
}

World::~World() = default;

void World::add(Definition definition) {
  definition.agents.push_back({"agent", "queue", Value("work"), {}, {}});
  REQUIRE(programs->add(std::move(definition)));
}

engine::Member& World::node(const std::string& name, bool share) {
  const auto executor = time.make_executor();
  auto parts = std::make_unique<NodeParts>();
  engine::MemberContext context;
  context.node = name;
  context.share = share;
  context.control = time.make_executor();
  context.executors = {executor, time.make_executor()};
  context.clock = time.clock();
  context.random = std::make_shared<CountingRandom>();
  context.store = persistence::make_faulty_store(
      store, {[this](const persistence::StoreOperation& operation) {
                return faults ? faults(operation) : persistence::StoreDecision{};
              },
              [executor, clock = time.clock()](Duration delay, std::move_only_function<void()> function) {
                executor->post_at(saturating_add(clock->now(), delay), std::move(function));
              }});
  // A node knows only the definitions that it is given or finds in the store, as after a restart.
  parts->programs = std::make_shared<engine::ProgramCache>(*kinds_, *store);
  context.programs = parts->programs;
  context.events = std::make_shared<Sink>(*this);
  context.dispatch = {handlers, std::make_shared<engine::AgentPool>(agents, std::vector<AgentConfig>{}, engine::AgentContext{}),
                      std::make_shared<ManualWorkers>(time.make_executor()),
                      std::make_shared<const engine::Secrets>(std::map<std::string, std::string>{{"token", "s3cret"}})};
  context.log = [this](std::string_view, std::string_view line) { log.emplace_back(line); };
  context.options = options;
  parts->member = std::make_unique<engine::Member>(std::move(context));
  bool up = false;
  parts->member->start([&up](Result<Partition> own) { up = own.has_value(); });
  engine::Member& member = *parts->member;
  nodes_[name] = std::move(parts);
  CHECK(until([&up] { return up; }, std::chrono::minutes(1)));
  time.run_ready();
  return member;
}

void World::crash(const std::string& name) { nodes_.erase(name); }

bool World::stop(const std::string& name) {
  const auto stopped = std::make_shared<bool>(false);
  nodes_[name]->member->stop([stopped] { *stopped = true; });
  until([stopped] { return *stopped; }, std::chrono::minutes(1));
  nodes_.erase(name);
  return *stopped;
}

Partition World::partition_of(std::string_view id) const {
  return engine::shared_partition_of(id, store->shared_partitions());
}

std::shared_ptr<Heard> World::ask(const std::string& id, engine::Demand demand, const std::string& node) {
  const auto reply = std::make_shared<Heard>();
  const auto home = homes_.find(id);
  const Partition partition = home == homes_.end() ? partition_of(id) : home->second;
  nodes_[node]->member->shard_of(partition).request(
      {partition, id, std::move(demand), [reply](Result<Value> result) { reply->result = std::move(result); }});
  return reply;
}

std::shared_ptr<Heard> World::start(const std::string& id, std::string_view workflow, Value input,
                                    const std::string& node) {
  engine::StartDemand demand{programs->current(workflow), {}, true};
  demand.library = programs->library(*demand.program);
  demand.start.id = id;
  demand.start.input = std::move(input);
  homes_[id] = engine::start_partition_of(demand.program->definition(), id, store->shared_partitions());
  return ask(id, std::move(demand), node);
}

bool World::until(const std::function<bool()>& done, Duration limit) { return time.run_until(done, limit); }

bool World::until_state(const std::string& id, WorkflowState wanted, Duration limit) {
  return until([&] { return state(id) == wanted; }, limit);
}

WorkflowState World::state(const std::string& id) const {
  const auto found = stored(id);
  return found ? found->state.state : WorkflowState::pending;
}

Result<StoredInstance> World::stored(const std::string& id, bool events) const {
  return engine::read_stored_instance(*store, *programs, id, events);
}

}  // namespace mapflow::testing
