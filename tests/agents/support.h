// What the agent tests share: collecting answers and log lines that arrive on other threads, and counting what is left.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "agents/transport.h"
#include "engine/agent.h"

namespace mapflow::agents::test {

/// Far longer than anything here takes; reaching it is a failure.
inline constexpr std::chrono::seconds kPatience{30};

/// A queue that threads fill and the test empties.
template <class T>
class Mailbox {
 public:
  void put(T item) {
    {
      const std::scoped_lock lock(mutex_);
      items_.push_back(std::move(item));
    }
    arrived_.notify_all();
  }
  /// The first item for which `wanted` holds, taken out together with those before it. Fails the test when none comes.
  template <class Wanted>
  T take(Wanted wanted) {
    std::unique_lock lock(mutex_);
    while (true) {
      while (!items_.empty()) {
        T item = std::move(items_.front());
        items_.pop_front();
        if (wanted(item)) return item;
      }
      if (arrived_.wait_for(lock, kPatience) == std::cv_status::timeout) throw std::runtime_error("nothing arrived");
    }
  }
  T take() {
    return take([](const T&) { return true; });
  }
  std::size_t size() {
    const std::scoped_lock lock(mutex_);
    return items_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<T> items_;
};

/// Where the `done` of calls leads.
class Answers {
 public:
  engine::AgentDone done() {
    return [box = box_](Result<Reply> answer) { box->put(std::move(answer)); };
  }
  Result<Reply> take() { return box_->take(); }
  std::size_t size() const { return box_->size(); }

 private:
  std::shared_ptr<Mailbox<Result<Reply>>> box_ = std::make_shared<Mailbox<Result<Reply>>>();
};

/// An agent's log.
class Log {
 public:
  engine::LogLine sink() {
    return [box = box_](std::string_view, std::string_view line) { box->put(std::string(line)); };
  }
  std::string take(std::string_view prefix) {
    return box_->take([&](const std::string& line) { return line.starts_with(prefix); });
  }
  std::size_t size() const { return box_->size(); }

 private:
  std::shared_ptr<Mailbox<std::string>> box_ = std::make_shared<Mailbox<std::string>>();
};

Envelope envelope(std::string id, Value data = {});
AgentConfig config(std::string name, std::string transport, Value settings);
/// Makes an agent; throws, and so fails the test, when that is refused.
std::unique_ptr<engine::Agent> make(Transport& transport, Value settings, const engine::AgentContext& context = {});
/// Calls and waits for the answer.
Result<Reply> ask(engine::Agent& agent, Envelope message = envelope("m-1"));

std::size_t open_fds();
std::size_t threads();
/// Waits until the count is as wanted; false when it stays another. For what a thread that nobody joins leaves behind.
bool settles(std::size_t (*count)(), std::size_t wanted);
/// Children of this program that have ended and were not reaped.
std::size_t zombies();
/// Waits until the process is gone, or a zombie of somebody else; false when it stays.
bool is_gone(pid_t pid);

}  // namespace mapflow::agents::test
