// Virtual time, and everything that happens in it, one action at a time.
//
// Whoever has something to do, an executor of a node or the world outside, waits here; which of those that are due goes
// first is drawn by lot. So a seed is a complete story: nothing else decides what happens when.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <queue>
#include <vector>

#include "engine/clock.h"
#include "engine/executor.h"
#include "engine/random.h"
#include "sim/chance.h"

namespace mapflow::sim {

/// A node's executor. Its time is the world's, moved by the node's skew.
class WorldExecutor final : public engine::Executor {
 public:
  void post(engine::Task task) override;
  void post_at(Timestamp at, engine::Task task) override;

 private:
  friend class World;
  struct Timed {
    Timestamp at;
    std::uint64_t order;
    mutable engine::Task task;
    bool operator<(const Timed& other) const { return at != other.at ? at > other.at : order > other.order; }
  };
  bool runnable(Timestamp now);

  Duration skew_{};
  Timestamp frozen_until_{};
  bool dead_ = false;
  std::uint64_t posted_ = 0;
  std::deque<engine::Task> ready_;
  std::priority_queue<Timed> timed_;
};

class World {
 public:
  explicit World(std::uint64_t seed) : chance_(mix(seed, "world")) {}
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  /// What has not happened never will.
  ~World();

  Timestamp now() const { return now_; }
  Chance& chance() { return chance_; }
  std::uint64_t actions() const { return actions_; }

  /// Something outside the nodes happens after `span`.
  void after(Duration span, engine::Task task);
  std::shared_ptr<WorldExecutor> make_executor(Duration skew);
  void freeze(WorldExecutor& executor, Timestamp until) { executor.frozen_until_ = until; }
  bool frozen(const WorldExecutor& executor) const { return now_ < executor.frozen_until_; }
  /// What it had to do is never done.
  void kill(const std::shared_ptr<WorldExecutor>& executor);

  /// One action, after moving the time on to it. False when there is nothing left to happen.
  bool step();

 private:
  bool take_due();
  Timestamp next() const;

  Chance chance_;
  Timestamp now_ = from_micros(1'700'000'000'000'000);
  std::uint64_t actions_ = 0;
  std::vector<std::shared_ptr<WorldExecutor>> executors_;
  WorldExecutor outside_;            ///< only its timed tasks are used
  std::vector<engine::Task> due_;
  std::vector<WorldExecutor*> runnable_;
};

/// A node's clock.
class WorldClock final : public engine::Clock {
 public:
  WorldClock(const World& world, Duration skew) : world_(world), skew_(skew) {}
  Timestamp now() const override { return world_.now() + skew_; }

 private:
  const World& world_;
  const Duration skew_;
};

class WorldRandom final : public engine::Random {
 public:
  explicit WorldRandom(Chance chance) : chance_(chance) {}
  std::uint64_t next() override { return chance_.next(); }

 private:
  Chance chance_;
};

}  // namespace mapflow::sim
