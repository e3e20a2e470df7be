#include "engine/manual_executor.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace mapflow::engine {

struct ManualWorld::Shared {
  mutable std::mutex mutex;
  Timestamp now;
  std::uint64_t posted = 0;
  std::map<std::pair<Timestamp, std::uint64_t>, Task> tasks;  ///< by due time, then order of posting
  bool over = false;

  void add(Timestamp at, Task task) {
    const std::lock_guard lock(mutex);
    if (!over) tasks.emplace(std::pair(std::max(at, now), posted++), std::move(task));
  }
  std::optional<Task> take_due() {
    const std::lock_guard lock(mutex);
    if (tasks.empty() || tasks.begin()->first.first > now) return std::nullopt;
    Task task = std::move(tasks.begin()->second);
    tasks.erase(tasks.begin());
    return task;
  }
  Timestamp next() const {
    const std::lock_guard lock(mutex);
    return tasks.empty() ? kNever : tasks.begin()->first.first;
  }
  void move_to(Timestamp at) {
    const std::lock_guard lock(mutex);
    now = std::max(now, at);
  }
  Timestamp time() const {
    const std::lock_guard lock(mutex);
    return now;
  }
};

namespace {

template <class Shared>
class ManualExecutor final : public Executor {
 public:
  explicit ManualExecutor(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  void post(Task task) override { shared_->add(shared_->time(), std::move(task)); }
  void post_at(Timestamp at, Task task) override { shared_->add(at, std::move(task)); }

 private:
  std::shared_ptr<Shared> shared_;
};

template <class Shared>
class ManualClock final : public Clock {
 public:
  explicit ManualClock(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  Timestamp now() const override { return shared_->time(); }

 private:
  std::shared_ptr<Shared> shared_;
};

}  // namespace

ManualWorld::ManualWorld(Timestamp start) : shared_(std::make_shared<Shared>()) { shared_->now = start; }

ManualWorld::~ManualWorld() {
  // Tasks own what they work on, which may own executors of this world again: break the ring.
  decltype(shared_->tasks) left;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->over = true;
    left.swap(shared_->tasks);
  }
}

std::shared_ptr<const Clock> ManualWorld::clock() const { return std::make_shared<ManualClock<Shared>>(shared_); }
Timestamp ManualWorld::now() const { return shared_->time(); }
std::shared_ptr<Executor> ManualWorld::make_executor() { return std::make_shared<ManualExecutor<Shared>>(shared_); }

bool ManualWorld::step() {
  auto task = shared_->take_due();
  if (!task) return false;
  (*task)();
  return true;
}

std::size_t ManualWorld::run_ready(std::size_t most) {
  std::size_t ran = 0;
  while (ran < most && step()) ++ran;
  return ran;
}

Timestamp ManualWorld::next() const { return shared_->next(); }

void ManualWorld::advance(Duration span) {
  const Timestamp end = saturating_add(now(), span);
  run_ready();
  for (Timestamp at = next(); at <= end && at != kNever; at = next()) {
    shared_->move_to(at);
    run_ready();
  }
  shared_->move_to(end);
}

bool ManualWorld::run_until(const std::function<bool()>& done, Duration limit) {
  const Timestamp end = saturating_add(now(), limit);
  while (!done()) {
    if (step()) continue;
    const Timestamp at = next();
    if (at == kNever || at > end) return done();
    shared_->move_to(at);
  }
  return true;
}

}  // namespace mapflow::engine
