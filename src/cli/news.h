// What happens on the engine's threads while `run` works, brought to the thread that shows it.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "kernel/history.h"
#include "value/value.h"

namespace mapflow::cli {

struct LogEntry {
  std::string agent, line;
};

struct InstanceEvent {
  std::string instance;
  kernel::Event event;
};

struct NewsBatch {
  std::vector<InstanceEvent> events;
  std::vector<LogEntry> log;
  std::optional<Result<Value>> outcome;  ///< of the instance that is followed; told once
};

/// Thread safety: tell(), log() and ended() from any thread, the rest from one.
class News {
 public:
  News();
  ~News();
  News(const News&) = delete;
  News& operator=(const News&) = delete;

  /// Waits while too many events are waiting to be shown, so that memory stays bounded.
  void tell(const std::string& instance, const kernel::Event& event);
  /// Never waits; lines past a bound are counted and dropped.
  void log(std::string_view agent, std::string_view line);
  void ended(Result<Value> outcome);
  /// From now on nothing waits and nothing is kept.
  void close();

  /// Readable while there are news; for poll().
  int descriptor() const { return descriptor_; }
  NewsBatch take();

 private:
  void wake();

  int descriptor_;
  std::mutex mutex_;
  std::condition_variable room_;
  NewsBatch waiting_;
  std::size_t dropped_lines_ = 0;
  bool closed_ = false;
};

}  // namespace mapflow::cli
