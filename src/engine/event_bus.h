// Events on their way from the shards to whoever listens.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/agent.h"
#include "kernel/history.h"

namespace mapflow::engine {

struct InstanceEvent {
  std::string instance;
  kernel::Event event;
};

/// What shards publish to. Thread safety: every call may come from any thread.
class EventSink {
 public:
  virtual ~EventSink() = default;
  /// Whether anybody listens; nobody makes events otherwise.
  virtual bool wanted() const = 0;
  /// Must not block. Events of one instance come in order.
  virtual void publish(std::vector<InstanceEvent> events) = 0;
};

/// Gives every subscriber all events on a thread of its own, so a slow one only delays itself.
class EventBus final : public EventSink {
 public:
  using Subscriber = std::function<void(const std::string& instance, const kernel::Event& event)>;

  /// At most `waiting` events wait per subscriber. Past that its oldest are dropped, and it is told how many by an
  /// event of type "events.dropped" with data {"count"}. What a subscriber throws goes no further; the first time, `log`
  /// is told.
  explicit EventBus(LogLine log = {}, std::size_t waiting = 100'000);
  /// Drops what waits; a callback that runs comes to its end.
  ~EventBus() override;

  void subscribe(Subscriber subscriber);
  /// Waits until every subscriber has seen what was published before, `limit` at most. Not for use in a subscriber.
  void flush(std::chrono::seconds limit);

  /// How many events wait for the subscriber that is the furthest behind.
  std::size_t waiting() const;

  bool wanted() const override { return wanted_.load(std::memory_order_relaxed); }
  void publish(std::vector<InstanceEvent> events) override;

 private:
  class Queue;
  const LogLine log_;
  const std::size_t limit_;
  std::atomic<bool> wanted_ = false;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Queue>> queues_;
};

}  // namespace mapflow::engine
