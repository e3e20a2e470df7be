// Where a test is played: one member of the engine, without threads, under virtual time, on a memory store, with mocks in the
// place of agents. The member may be killed and come back; the store stays.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "engine/event_bus.h"
#include "engine/letters.h"
#include "engine/manual_executor.h"
#include "engine/member.h"
#include "engine/program_cache.h"
#include "engine/stored_instance.h"
#include "kernel/step_kind.h"
#include "model/definition.h"
#include "persistence/store.h"
#include "testing/chance.h"
#include "testing/mock.h"
#include "testing/test_file.h"

namespace mapflow::testing {

/// Thread safety: none; everything runs in one thread.
class Stage {
 public:
  using Heard = std::function<void(const engine::InstanceEvent&)>;

  /// `test` must outlive it. `heard` is told every event that becomes known, in order per instance; events that a
  /// kill swallows are never told.
  Stage(const TestCase& test, std::uint64_t seed, Heard heard);
  ~Stage();

  /// Compiles the definitions. Errors: as kernel::compile.
  Status add(const std::vector<Definition>& definitions);
  /// The member comes up. Of no effect when it is.
  void boot();
  /// It is gone without a word.
  void kill();
  bool up() const { return member_ != nullptr; }

  /// Asks the member, once start_of() has told which instance this is about. `answer` is not called when a kill comes between.
  void ask(const std::string& id, engine::Demand demand, engine::Answer answer);
  /// The start of that workflow under that id. Errors: those of engine::make_start.
  Result<engine::StartDemand> start_of(const std::string& workflow, const std::string& id, Value input);

  engine::ManualWorld& time() { return time_; }
  const Scripts& scripts() const { return scripts_; }

  /// An instance as it is in the store. Errors: not_found.
  Result<StoredInstance> read(const std::string& id, bool events) const;
  /// The ids of all instances, children included.
  std::vector<std::string> instances() const;

 private:
  class Agents;
  class Sink;
  class Workers;
  std::shared_ptr<persistence::Store> way_to_store();
  engine::DispatchParts dispatch();
  std::map<std::string, std::string> secrets() const;

  const TestCase& test_;
  const std::unique_ptr<const kernel::KindRegistry> kinds_;  ///< with stand-ins for the workflows that have mocks
  const Heard heard_;
  engine::ManualWorld time_;
  Chance faults_;
  const std::shared_ptr<Chance> random_;
  Scripts scripts_;
  const std::shared_ptr<persistence::Store> store_;  ///< never fails: for looking
  const std::shared_ptr<engine::ProgramCache> programs_;
  persistence::Partition home_;                      ///< of the instance
  std::unique_ptr<engine::Member> member_;
};

}  // namespace mapflow::testing
