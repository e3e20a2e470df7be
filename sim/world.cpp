#include "sim/world.h"

#include <algorithm>
#include <utility>

namespace mapflow::sim {

void WorldExecutor::post(engine::Task task) {
  if (!dead_) ready_.push_back(std::move(task));
}

void WorldExecutor::post_at(Timestamp at, engine::Task task) {
  if (dead_ || at == kNever) return;
  timed_.push({at - skew_, posted_++, std::move(task)});
}

bool WorldExecutor::runnable(Timestamp now) {
  if (dead_ || now < frozen_until_) return false;
  while (!timed_.empty() && timed_.top().at <= now) {
    ready_.push_back(std::move(timed_.top().task));
    timed_.pop();
  }
  return !ready_.empty();
}

World::~World() {
  // Tasks own what they work on, which may own executors again: break the ring.
  for (const auto& executor : std::exchange(executors_, {})) kill(executor);
  outside_.dead_ = true;
  while (!outside_.timed_.empty()) {
    const engine::Task dropped = std::move(outside_.timed_.top().task);
    outside_.timed_.pop();
  }
}

void World::after(Duration span, engine::Task task) { outside_.post_at(now_ + span, std::move(task)); }

std::shared_ptr<WorldExecutor> World::make_executor(Duration skew) {
  auto executor = std::make_shared<WorldExecutor>();
  executor->skew_ = skew;
  executors_.push_back(executor);
  return executor;
}

void World::kill(const std::shared_ptr<WorldExecutor>& executor) {
  executor->dead_ = true;
  std::erase(executors_, executor);
  const auto ready = std::exchange(executor->ready_, {});
  const auto timed = std::exchange(executor->timed_, {});
}

Timestamp World::next() const {
  Timestamp first = outside_.timed_.empty() ? kNever : outside_.timed_.top().at;
  for (const auto& executor : executors_) {
    Timestamp at = executor->timed_.empty() ? kNever : executor->timed_.top().at;
    if (!executor->ready_.empty()) at = now_;
    if (at != kNever) first = std::min(first, std::max(at, executor->frozen_until_));
  }
  return first;
}

/// Finds out who could act now.
bool World::take_due() {
  while (!outside_.timed_.empty() && outside_.timed_.top().at <= now_) {
    due_.push_back(std::move(outside_.timed_.top().task));
    outside_.timed_.pop();
  }
  runnable_.clear();
  for (const auto& executor : executors_)
    if (executor->runnable(now_)) runnable_.push_back(executor.get());
  return !due_.empty() || !runnable_.empty();
}

bool World::step() {
  if (!take_due()) {
    const Timestamp at = next();
    if (at == kNever) return false;
    now_ = std::max(now_, at);
    take_due();
  }
  ++actions_;
  const std::size_t choice = chance_.below(due_.size() + runnable_.size());
  engine::Task task;
  if (choice < due_.size()) {
    std::swap(due_[choice], due_.back());
    task = std::move(due_.back());
    due_.pop_back();
  } else {
    auto& ready = runnable_[choice - due_.size()]->ready_;
    task = std::move(ready.front());
    ready.pop_front();
  }
  task();
  now_ += Duration(static_cast<std::int64_t>(chance_.below(100)));
  return true;
}

}  // namespace mapflow::sim
