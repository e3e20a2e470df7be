#include "engine/event_bus.h"

#include <pthread.h>

#include <algorithm>
#include <exception>
#include <string_view>
#include <utility>

namespace mapflow::engine {

using Batch = std::shared_ptr<const std::vector<InstanceEvent>>;

/// One subscriber: its waiting events and its thread.
class EventBus::Queue {
 public:
  Queue(Subscriber subscriber, const LogLine& log, std::size_t limit)
      : subscriber_(std::move(subscriber)), log_(log), limit_(limit) {
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), "events");
  }
  ~Queue() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void push(const Batch& batch) {
    const std::lock_guard lock(mutex_);
    batches_.push_back(batch);
    waiting_ += batch->size();
    while (waiting_ > limit_) {
      waiting_ -= batches_.front()->size();
      dropped_ += batches_.front()->size();
      batches_.pop_front();
    }
    changed_.notify_all();
  }
  void flush(std::chrono::steady_clock::time_point end) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, end, [this] { return stopped_ || (batches_.empty() && dropped_ == 0 && !busy_); });
  }
  std::size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return stopped_ || !batches_.empty() || dropped_ > 0; });
      if (stopped_) return;
      const std::uint64_t dropped = std::exchange(dropped_, 0);
      Batch batch;
      if (!batches_.empty()) {
        batch = std::move(batches_.front());
        batches_.pop_front();
        waiting_ -= batch->size();
      }
      busy_ = true;
      lock.unlock();
      if (dropped > 0) tell_dropped(dropped);
      if (batch)
        for (const InstanceEvent& event : *batch) tell(event.instance, event.event);
      lock.lock();
      busy_ = false;
      changed_.notify_all();
    }
  }
  void tell_dropped(std::uint64_t count) {
    kernel::Event event;
    event.type = "events.dropped";
    event.data = object({{"count", count}});
    tell({}, event);
  }
  void tell(const std::string& instance, const kernel::Event& event) {
    try {
      subscriber_(instance, event);
    } catch (const std::exception& thrown) {
      complain(thrown.what());
    } catch (...) {
      complain("something that is no std::exception");
    }
  }
  void complain(std::string_view what) {
    if (std::exchange(complained_, true) || !log_) return;
    log_("engine", "a handler of events threw and is called again with the next: " + std::string(what));
  }

  const Subscriber subscriber_;
  const LogLine& log_;
  const std::size_t limit_;
  bool complained_ = false;  ///< its own thread alone looks at it
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> batches_;
  std::size_t waiting_ = 0;
  std::uint64_t dropped_ = 0;
  bool busy_ = false;
  bool stopped_ = false;
  std::thread thread_;
};

EventBus::EventBus(LogLine log, std::size_t waiting) : log_(std::move(log)), limit_(waiting) {}
EventBus::~EventBus() = default;

void EventBus::subscribe(Subscriber subscriber) {
  const std::lock_guard lock(mutex_);
  queues_.push_back(std::make_unique<Queue>(std::move(subscriber), log_, limit_));
  wanted_.store(true, std::memory_order_relaxed);
}

void EventBus::publish(std::vector<InstanceEvent> events) {
  if (events.empty()) return;
  const Batch batch = std::make_shared<const std::vector<InstanceEvent>>(std::move(events));
  const std::lock_guard lock(mutex_);
  for (const auto& queue : queues_) queue->push(batch);
}

std::size_t EventBus::waiting() const {
  const std::lock_guard lock(mutex_);
  std::size_t most = 0;
  for (const auto& queue : queues_) most = std::max(most, queue->waiting());
  return most;
}

void EventBus::flush(std::chrono::seconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  const std::lock_guard lock(mutex_);
  for (const auto& queue : queues_) queue->flush(end);
}

}  // namespace mapflow::engine
