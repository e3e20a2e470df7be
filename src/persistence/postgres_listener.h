// Hears of what is posted to the inbox, by whichever process. Its thread and connection exist only while somebody
// listens; when the connection breaks, what is posted meanwhile is not heard of, and need not be.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "persistence/postgres_leases.h"

namespace mapflow::persistence::postgres {

/// Thread safety: every call from any thread, but not from inside a hint.
class Listener {
 public:
  Listener(ConnectOptions options, const Schema& schema);
  ~Listener();

  using Hint = std::function<void(Partition)>;
  /// Calls the hint until the returned object is let go.
  std::shared_ptr<void> add(Hint hint);

 private:
  void run();
  bool pause();
  void tell(std::string_view payload);

  const ConnectOptions options_;
  const std::string channel_;
  int stop_ = -1;  ///< an eventfd: readable when the thread shall end
  std::mutex mutex_;
  std::list<Hint> hints_;
  std::thread thread_;
};

}  // namespace mapflow::persistence::postgres
