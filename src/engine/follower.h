// Follows one instance by reading the store, whoever runs it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/program_cache.h"
#include "kernel/history.h"
#include "kernel/state.h"
#include "persistence/store.h"

namespace mapflow::engine {

/// Thread safety: none; one thread uses it.
class Follower {
 public:
  /// `store` and `programs` must outlive it.
  Follower(persistence::Store& store, ProgramCache& programs, std::string id)
      : store_(store), programs_(programs), id_(std::move(id)) {}

  /// What happened since the last call, in order; the first call gives everything that is kept. Costs little when nothing
  /// happened. Errors: not_found, corrupt, unavailable.
  Result<std::vector<kernel::Event>> next();

  /// The instance after the events so far. Not before the first next() that succeeded.
  const kernel::State& state() const { return state_; }
  const kernel::Program& program() const { return *program_; }

 private:
  Status read_all(std::vector<kernel::Event>& events);
  Status read_log(std::vector<kernel::Event>& events);
  Status look_at_row(std::vector<kernel::Event>& events);

  persistence::Store& store_;
  ProgramCache& programs_;
  const std::string id_;
  ProgramPtr program_;
  kernel::State state_;
  persistence::Partition partition_;
  persistence::LogPosition from_{1};  ///< of the log entry that is read next
  unsigned quiet_ = 0;                ///< calls since something happened
};

}  // namespace mapflow::engine
