// Executors without threads: any number of them under one virtual time, run step by step by whoever holds the world.
// For tests and the simulator.
//
//   ManualWorld world(start);
//   auto shard_executor = world.make_executor();   … give it and world.clock() to what is tested …
//   world.run_ready();                             // everything that is due now
//   world.advance(seconds(5));                     // and everything that falls due on the way
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "engine/clock.h"
#include "engine/executor.h"

namespace mapflow::engine {

/// Thread safety: posting to its executors may come from any thread; everything else from one.
class ManualWorld {
 public:
  explicit ManualWorld(Timestamp start);
  ~ManualWorld();
  ManualWorld(const ManualWorld&) = delete;
  ManualWorld& operator=(const ManualWorld&) = delete;

  std::shared_ptr<const Clock> clock() const;
  Timestamp now() const;
  /// Its tasks run in the order of posting, mixed fairly with those of the other executors.
  std::shared_ptr<Executor> make_executor();

  /// Runs one task that is due; false when there is none.
  bool step();
  /// Runs tasks until none is due. Gives their number; stops at `most`.
  std::size_t run_ready(std::size_t most = SIZE_MAX);
  /// When the next task is due; kNever when there is none.
  Timestamp next() const;
  /// Moves the time on by `span`, running what falls due on the way, each at its own time.
  void advance(Duration span);
  /// Runs, moving the time on from task to task, until `done` says true or `limit` of virtual time has passed. Gives
  /// what `done` said last.
  bool run_until(const std::function<bool()>& done, Duration limit);

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace mapflow::engine
