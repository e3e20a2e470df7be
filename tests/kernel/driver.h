// Runs one instance through the kernel with scripted agents and virtual time: no threads, no store, no waiting.
//
// After every decision it replays all records from the start and checks that the result is the live state; so every
// kernel test is a replay test too.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "kernel/codec.h"
#include "kernel/machine.h"
#include "model/definition.h"
#include "steps/registry.h"

namespace mapflow::testing {

// --- definitions in a few words -----------------------------------------------------------------------------------

Step step(std::string type, std::string id, Value fields = {});
Step message(std::string id, std::string agent, Value data = {});
Step transform(std::string id, std::string target, Value source);
Branch branch(std::string role, Block steps, std::string name = {});
Step with(Step step, Branch branch);       ///< one more of the step's own blocks
Step hooked(Step step, std::string role, Block steps);
Step retried(Step step, std::uint32_t attempts, Duration delay = std::chrono::seconds(1));
Definition workflow(Block steps);

// --- running them -------------------------------------------------------------------------------------------------

using Script = std::function<Result<Value>(const Envelope&)>;

/// Registered retry policies by name.
using Policies = std::map<std::string, RetryFunction>;

class Driver {
 public:
  explicit Driver(Definition definition, Policies policies = {});

  /// What an agent or handler answers. Without one, the call stays unanswered.
  void agent(std::string name, Script script) { scripts_[std::move(name)] = std::move(script); }

  void start(Value input = {});
  /// Gives the kernel one input. Effects are put in `calls`, not carried out.
  kernel::Commit give(kernel::Input input);
  /// Answers calls and lets time pass until nothing is left to do, or `until` is reached.
  void run(Timestamp until = kNever);
  /// Answers the oldest unanswered call that has a script; false when there is none.
  bool answer_one();
  /// As if the process had died: the state is read back from the records alone, calls in flight are lost.
  void crash();
  void let_pass(Duration span) { now += span; }
  /// Looks the place up in the records, as the engine does, and asks for it.
  kernel::Commit rewind(kernel::Place place, bool same_execution = false);

  WorkflowState state_name() const { return state.state; }
  const Value* result(std::string_view id) const { return state.results.find(id); }
  const Value* variable(std::string_view dotted) const { return state.variables.find_path(dotted); }
  /// Types and paths of all events, "step.completed pay", in order, without those of bookkeeping.
  std::vector<std::string> story() const;

  std::shared_ptr<const kernel::Program> program;
  kernel::State state;
  Timestamp now = from_micros(1'000'000'000'000);
  std::vector<kernel::Record> records;
  std::deque<kernel::PlaceCall> calls;        ///< placed and not answered
  std::vector<Envelope> sent;                 ///< every call ever placed
  std::vector<kernel::DropCall> dropped;
  kernel::DecideLimits limits;

 private:
  void check_replay() const;

  std::unique_ptr<kernel::KindRegistry> kinds_;
  jinja::Environment environment_;
  std::map<std::string, Script> scripts_;
  std::vector<kernel::Event> events_;
};

/// What the driver compares states by: everything that is stored.
std::string fingerprint(const kernel::State& state);

}  // namespace mapflow::testing
