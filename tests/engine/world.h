// A store and the nodes on it, in one thread under virtual time, with agents that do what a test says.
//
// The nodes are real members (engine/member.h): real shards, dispatchers and lease keepers. A crash is what it is
// outside: the member is gone, the store stays.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/manual_executor.h"
#include "engine/member.h"
#include "engine/stored_instance.h"
#include "persistence/faulty.h"
#include "persistence/store.h"
#include "steps/registry.h"

namespace mapflow::testing {

/// The definitions in a YAML text; the test fails when there is anything wrong with it.
Definition definition(std::string_view yaml);

/// Counts up: ids and seeds that are the same in every run.
class CountingRandom final : public engine::Random {
 public:
  std::uint64_t next() override { return ++last_ * 0x9E3779B97F4A7C15u; }

 private:
  std::uint64_t last_ = 0;
};

/// Agents of every name. A call waits in `calls` until the test answers it, unless `script` answers at once.
class ScriptedAgents final : public engine::AgentFactory {
 public:
  struct Call {
    Envelope envelope;
    engine::AgentDone done;
  };
  std::function<std::optional<Result<Value>>(const Envelope&)> script;
  std::deque<Call> calls;
  std::vector<Envelope> seen;              ///< every call ever made
  std::vector<std::string> cancelled;      ///< ids of calls that were given up

  Result<std::unique_ptr<engine::Agent>> make(const AgentConfig& config, const engine::AgentContext&) override;
  std::vector<std::string> transports() const override { return {"queue"}; }
  /// Answers the oldest unanswered call.
  void answer(Result<Value> result);
  std::size_t seen_of(std::string_view action) const;
};

/// What became of a request.
struct Heard {
  std::optional<Result<Value>> result;
  bool answered() const { return result.has_value(); }
  bool ok() const { return result && result->has_value(); }
  std::string code() const { return !result ? "unanswered" : *result ? "" : result->error().code; }
};

class World {
 public:
  explicit World(std::uint32_t partitions = 2);
  ~World();

  /// Every call that nodes make of the store is asked here first.
  std::function<persistence::StoreDecision(const persistence::StoreOperation&)> faults;
  engine::ShardOptions options;
  std::shared_ptr<ScriptedAgents> agents = std::make_shared<ScriptedAgents>();
  std::shared_ptr<engine::HandlerTable> handlers = std::make_shared<engine::HandlerTable>();
  std::vector<engine::InstanceEvent> events;    ///< published by any node
  std::vector<std::string> log;

  std::shared_ptr<engine::ProgramCache> programs;  ///< what add() compiled

  engine::ManualWorld time;
  std::shared_ptr<persistence::Store> store;    ///< never fails: for looking

  void add(Definition definition);
  /// Starts a node and lets it take its leases.
  engine::Member& node(const std::string& name = "a", bool share = true);
  /// The node is gone without a word.
  void crash(const std::string& name = "a");
  /// The node hands everything over and ends. True when it came to its end.
  bool stop(const std::string& name = "a");

  /// Asks the node that is named; the reply comes when the world has run.
  std::shared_ptr<Heard> ask(const std::string& id, engine::Demand demand, const std::string& node = "a");
  std::shared_ptr<Heard> start(const std::string& id, std::string_view workflow, Value input = {},
                               const std::string& node = "a");
  persistence::Partition partition_of(std::string_view id) const;

  /// Lets virtual time pass until `done`. False when `limit` passed first.
  bool until(const std::function<bool()>& done, Duration limit = std::chrono::minutes(10));
  bool until_state(const std::string& id, WorkflowState state, Duration limit = std::chrono::minutes(10));
  /// The instance as the store has it; `pending` when it has none.
  WorkflowState state(const std::string& id) const;
  Result<StoredInstance> stored(const std::string& id, bool events = false) const;

 private:
  struct Sink;
  struct NodeParts;
  std::unique_ptr<kernel::KindRegistry> kinds_ = steps::make_registry();
  std::map<std::string, std::unique_ptr<NodeParts>> nodes_;
  std::map<std::string, persistence::Partition> homes_;  ///< of what start() started
};

}  // namespace mapflow::testing
