// Carries out requests on instances of a store for a process that runs none of them, as the command line's verbs do.
//
//   request ─> the partition's inbox: durable ─┬─ a node has the partition ─> it reads its inbox
//                                              └─ nobody has it ────────────> takes the lease, reads the inbox, lets go
//           <─ the outcome, read from the instance
//
// While it holds a lease it decides and calls nobody: what follows from a request happens when somebody runs the
// instance. docs/design/verbs.md says why.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/time.h"
#include "engine/clock.h"
#include "engine/engine.h"
#include "engine/letters.h"
#include "engine/program_cache.h"
#include "engine/random.h"
#include "persistence/store.h"

namespace mapflow::engine {

/// The process that runs an instance now, as far as the leases say.
struct Runner {
  std::string node;            ///< empty: nobody
  bool serving = false;        ///< it shares the store's partitions, as `mapflow serve` does
};

/// Thread safety: none; one thread uses it. Every call may block for as long as the store does, and `limit`.
class Clerk {
 public:
  /// `kinds` must outlive it.
  Clerk(std::shared_ptr<persistence::Store> store, const kernel::KindRegistry& kinds);

  /// Carries out one request; its effect is durable on success. `key`: a request with the key of one that came before
  /// is not carried out again and gets its answer; empty: a new one. Errors: not_found; what the kernel refuses with
  /// (invalid_state, conflict …); timeout when whoever runs the instance did not get to it within `limit`: it stays in
  /// the inbox then; those of the store.
  Status tell(const std::string& id, Demand demand, Duration limit, const std::string& key = {});

  struct Started {
    std::string id;
    bool existed = false;
  };
  /// Accepts a new instance of what add() was given last under that workflow id; any serving node runs it. Errors: as
  /// Engine::start, and timeout as for tell().
  Result<Started> start(std::string_view workflow, StartOptions options, Duration limit);
  /// Accepts another instance of the same definition with the same input. Errors: not_found, and as for start().
  Result<Started> rerun(const std::string& id, std::string new_id, Duration limit);
  /// Compiles a definition, so that it can be started. Errors: as Engine::add.
  Status add(Definition definition);

  /// Errors: not_found, corrupt, unavailable.
  Result<StoredInstance> read(std::string_view id, bool events = false);
  Result<Runner> runner(std::string_view id);

  ProgramCache& programs() { return *programs_; }
  persistence::Store& store() { return *store_; }

 private:
  Result<Started> accept(StartDemand demand, Duration limit);
  Status leave(persistence::Partition partition, std::string command, Duration limit);
  Result<bool> is_read(persistence::Partition partition, persistence::InboxPosition position);
  Status read_inbox(persistence::Lease lease, persistence::InboxPosition position);
  Status outcome(const std::string& id, const Demand& demand, const std::string& key);
  Result<persistence::Partition> partition_of(std::string_view id);

  const std::shared_ptr<persistence::Store> store_;
  const std::shared_ptr<SystemClock> clock_ = std::make_shared<SystemClock>();
  const std::shared_ptr<SystemRandom> random_ = std::make_shared<SystemRandom>();
  const std::shared_ptr<ProgramCache> programs_;
};

}  // namespace mapflow::engine
