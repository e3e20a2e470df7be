// Who wants to hear of which instance.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernel/history.h"

namespace mapflow::engine {

/// Thread safety: add() from any thread; publish() from one, in the order of the events.
class RunListeners {
 public:
  using Listener = std::function<void(const kernel::Event& event)>;

  void add(const std::string& instance, Listener listener);
  /// Tells those who listen to the instance. After its last event they are let go.
  void publish(const std::string& instance, const kernel::Event& event);

 private:
  using Listeners = std::shared_ptr<const std::vector<Listener>>;
  std::mutex mutex_;
  std::unordered_map<std::string, Listeners> by_instance_;
};

}  // namespace mapflow::engine
