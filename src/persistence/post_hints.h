// Hears of what is posted to the inbox, by whichever process. Its thread exists only while somebody listens, and so
// does its connection; when that breaks, what is posted meanwhile is not heard of, and need not be.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>

#include "persistence/store.h"

namespace mapflow::persistence {

/// Thread safety: every call from any thread, but not from inside a hint.
class PostHints {
 public:
  /// Takes the number of a partition, as a text.
  using Tell = std::function<void(std::string_view partition)>;
  /// Connects and tells, until `stop` (a file descriptor) is readable or the connection is lost.
  using Listen = std::function<void(int stop, const Tell& tell)>;
  explicit PostHints(Listen listen);
  ~PostHints();
  PostHints(const PostHints&) = delete;
  PostHints& operator=(const PostHints&) = delete;

  using Hint = std::function<void(Partition)>;
  /// Calls the hint until the returned object is let go.
  std::shared_ptr<void> add(Hint hint);

  /// Whether a `stop` is readable, now or within some milliseconds.
  static bool stopped(int stop, int milliseconds = 0);

 private:
  void run();
  void tell(std::string_view payload);

  const Listen listen_;
  const int stop_;  ///< an eventfd
  std::mutex mutex_;
  std::list<Hint> hints_;
  std::thread thread_;
};

}  // namespace mapflow::persistence
