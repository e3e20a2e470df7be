// The engine as a program uses it: give it definitions and agents, start instances, and it runs them to the end.
//
//   mapflow::Engine engine({.store = "sqlite:orders.db"});
//   engine.handler("price", [](const mapflow::StepInput& in) -> mapflow::Result<mapflow::Value> { … });
//   if (auto added = engine.add(definition); !added) …
//   auto run = engine.start("order_processing", {.input = input});
//   auto end = run->wait();                       // the document of the finished instance
//
// What it promises: once start, signal, pause, cancel … returned success, that survives a crash of the process (on a
// durable store); a step's result enters an instance once; agents are called at least once, with a stable
// idempotency key, and never before the record that makes them due is durable.
// Thread safety: every call may come from any thread, handlers and event callbacks included (but see wait()).
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "engine/agent.h"
#include "engine/handler.h"
#include "engine/load.h"
#include "kernel/history.h"
#include "kernel/step_kind.h"
#include "model/definition.h"
#include "persistence/store.h"
#include "value/value.h"

namespace mapflow {

namespace engine {
class Clock;
class Random;
class Node;
}  // namespace engine

struct EngineOptions {
  std::string store = "sqlite:mapflow.db";
  std::shared_ptr<persistence::Store> store_object = {};  ///< used instead of the URL when set
  std::shared_ptr<engine::AgentFactory> agents = {};      ///< transports for `agents:`; none: only handlers can be called
  std::vector<AgentConfig> configured_agents = {};        ///< agents that every definition may use
  std::map<std::string, std::string> secrets = {};        ///< by lower-case name
  std::string node = "local";                        ///< name of this node; unique among nodes on one store
  unsigned shards = 0;                               ///< 0: one per core
  unsigned workers = 0;                              ///< threads for handlers; 0: twice the cores, at least 4
  std::size_t payload_bytes = 1u << 20;              ///< largest message, reply, input or signal
  std::size_t max_instances = 1'000'000;             ///< unfinished ones, spread over the shards; beyond it, start is refused
  /// What the states of unfinished instances may take in memory, estimated. Beyond it, those that were used least
  /// recently sleep in the store until something is for them.
  std::size_t memory_bytes = 64u << 20;
  Duration lease = std::chrono::seconds(5);
  /// True: lease only partitions made for this process (`mapflow run`); false: share the store's partitions.
  bool private_partition = false;
  engine::LogLine log = {};                               ///< empty: nothing is logged
};

struct StartOptions {
  Value input = {};                  ///< an object, or null
  std::string id = {};               ///< empty: one is made up. A second start with the same id and input gives the first
  std::string correlation_id = {};
  std::vector<std::string> tags = {};
  /// Set: in mode debug, stopping before the steps with these ids (see Run::debug).
  std::optional<std::vector<std::string>> breakpoints = {};
};

using EventHandler = std::function<void(const std::string& instance, const kernel::Event& event)>;

/// What a program wants to be told of one step; either may be empty.
struct StepCallbacks {
  EventHandler on_success;  ///< it completed
  EventHandler on_failure;  ///< it failed for good, or timed out
};

/// A handle on one instance. Cheap to copy; good as long as its engine lives.
class Run {
 public:
  const std::string& id() const { return id_; }
  /// True: start() found the instance already there.
  bool existed() const { return existed_; }
  /// Waits until the instance is terminal or suspended and gives its outcome document ({"instance_id", "state", …}).
  /// Errors: timeout when `limit` passes first. Not for use inside handlers that run on a shard.
  Result<Value> wait(std::optional<Duration> limit = std::nullopt) const;
  /// The instance as it is now: the document of `show --json`.
  Result<Value> document() const;
  /// How far it is.
  Result<kernel::Progress> progress() const;
  Status pause(std::string reason = {}) const;
  Status resume() const;
  Status cancel(std::string reason = {}) const;
  Status terminate(std::string reason = {}) const;
  Status signal(std::string name, Value payload = {}) const;
  /// Tries a step again that suspended the instance or backs off. `step`: its path, or its id where that is unique;
  /// empty: every step that suspended the instance. Of a failed instance: goes back to where the step began, under the
  /// same idempotency key; empty: the step that failed it.
  Status retry(std::string step = {}) const;
  /// Gives a living step up as skipped, with this result.
  Status skip(std::string step, Value result = {}) const;
  /// Sets variables, by dotted name, while the instance is paused or suspended.
  Status update(Value variables) const;
  /// Debugs the instance: records what every template reads and gives, and stops (suspended) before the steps with these
  /// ids. Then step() lets one step begin and stops before the next; resume() goes on to the next of these.
  Status debug(std::vector<std::string> breakpoints) const;
  Status step() const;
  /// Makes a checkpoint here and now; one of the same name is replaced.
  Status checkpoint(std::string name) const;
  /// Goes back to a checkpoint, or to before a step, and on from there under new idempotency keys; also when the instance is
  /// over. What was done since is not undone. A paused instance stays paused. Errors: not_found; invalid_state when it
  /// is being compensated, or a step that it would rely on there was compensated since.
  Status rewind(kernel::Place place) const;
  /// Starts another instance of the same definition with the same input, tagged "rerun-of:<this id>". `id`: as in
  /// StartOptions.
  Result<Run> rerun(std::string id = {}) const;
  /// Raises (or lowers) what is given of its budget, and leaves the rest, while the instance is paused or suspended. Resume it
  /// to go on.
  Status change_budget(Budget budget) const;
  /// Answers a call that was left open: a message to a person, or one whose agent said that it answers later. `token`:
  /// the call's idempotency key. Errors: not_found when no such call waits for an answer (any more).
  Status complete(std::string token, Result<Value> answer) const;
  /// Calls `ended` once with what wait() would give, from a thread of the engine: it must not block.
  void on_end(std::function<void(Result<Value>)> ended) const;
  /// Calls `handler` for every event of this instance from now on, in order, while this node runs it; from a thread that
  /// all such handlers of the engine share. read_instance() tells what was before.
  void on_event(std::function<void(const kernel::Event& event)> handler) const;

 private:
  friend class Engine;
  Run(engine::Node& node, std::string id, bool existed) : node_(&node), id_(std::move(id)), existed_(existed) {}
  engine::Node* node_;
  std::string id_;
  bool existed_ = false;
};

class Engine {
 public:
  /// Opens the store and starts the threads. What can go wrong is told by status() and by every later call.
  explicit Engine(EngineOptions options);
  /// Stops taking work, waits for commits in flight, gives its leases back. Running instances stay in the store.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  Status status() const;

  /// Registers what `custom` steps call by name. Before the first start.
  void handler(std::string name, Handler function, HandlerMode mode = HandlerMode::pooled);
  /// The same for a handler that is a coroutine (engine/async.h).
  void coroutine(std::string name, AsyncHandler function);
  /// Registers what `retry: { strategy: custom, custom: NAME }` names. It decides nothing by clock or chance of its own:
  /// the same question gets the same answer. What it throws counts as "no more". Before the first add(). Errors: conflict.
  Status retry_policy(std::string name, RetryFunction function);
  /// Adds a step kind. Before the first add().
  Status add_kind(std::unique_ptr<const kernel::StepKind> kind);
  /// The kinds definitions may use, for readers and validators.
  const KindCatalog& kinds() const;
  /// Compiles a definition and makes it startable by its id; an older one of the same id keeps its instances.
  /// Gives its content hash.
  Result<std::string> add(Definition definition);

  /// Starts an instance; durable when it returns. Errors: not_found (no such workflow), invalid_input (the input does
  /// not fit variables_schema), conflict (the id exists with another input), resource_exhausted (with retry_after).
  Result<Run> start(std::string_view workflow, StartOptions options = {});
  /// The same with nothing but an input: `engine.start("order_processing", input)`.
  template <std::same_as<Value> Input>
  Result<Run> start(std::string_view workflow, Input input) {
    return start(workflow, StartOptions{.input = std::move(input)});
  }
  /// As start, but returns at once: `answered` is called once, with what start would give, perhaps before this returns,
  /// perhaps from a thread of the engine: it must not block.
  void start_async(std::string_view workflow, StartOptions options, std::function<void(Result<Run>)> answered);
  /// Begins to take over what the store holds for this node. Implied by start and attach, so only for nodes that
  /// start nothing themselves.
  Status serve();
  /// A handle on an instance that exists, running or over. Takes an unfinished one over when nobody else owns it.
  /// Errors: not_found, conflict (another node owns it).
  Result<Run> attach(std::string_view id);

  /// Calls `handler` for every event of every instance this node runs, in order per instance, on a thread of its own; and
  /// for those of the node itself, whose instance is empty.
  /// A slow handler loses nothing for others; past 100,000 waiting events its oldest are dropped, and it is told so
  /// by an event of type "events.dropped". What it throws is caught, and logged the first time.
  void on_event(EventHandler handler);
  /// Tells of one step of every instance of a workflow. `step`: its id. As on_event.
  void on_step(std::string workflow, std::string step, StepCallbacks callbacks);

  /// What this node has to do at this moment. Waits for nothing; zeros before the first start, serve or attach.
  engine::Load load() const;

  persistence::Store& store();

 private:
  std::unique_ptr<engine::Node> node_;
};

/// An instance as it is in the store, owned by whoever. `events`: also its history, one {"seq", "at", "type", …} each.
/// Reads the row and the log behind it; never lags. Errors: not_found, corrupt, unavailable.
struct StoredInstance {
  std::shared_ptr<const kernel::Program> program;
  kernel::State state;
  std::vector<kernel::Event> events;
};
Result<StoredInstance> read_instance(persistence::Store& store, std::string_view id, const kernel::KindRegistry& kinds,
                                     bool events);

}  // namespace mapflow
