// What the tests of stores share: waiting for commits, making rows, temporary folders.
#pragma once

#include <doctest/doctest.h>

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "persistence/store.h"
#include "support/child_process.h"

namespace mapflow::persistence::testing {

using namespace std::chrono_literals;
using mapflow::testing::ChildProcess;

inline constexpr Timestamp kNow = from_micros(1'800'000'000'000'000);
inline constexpr Duration kTtl = 5s;

/// Collects what the `done`s of many commits say, in the order in which they were called.
class Outcomes {
 public:
  /// A `done` that files its outcome under the number.
  CommitDone done(int number);
  /// All outcomes once there are `count`. Fails the test when they do not come.
  std::map<int, Result<LogPosition>> wait(std::size_t count);
  std::vector<int> order();

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::map<int, Result<LogPosition>> outcomes_;
  std::vector<int> order_;
};

/// Commits and waits for the outcome.
Result<LogPosition> commit(Store& store, Commit commit);

Lease acquire(Store& store, Partition partition, std::string_view node = "n1", Timestamp now = kNow);
Commit log_commit(const Lease& lease, std::string log);
InstanceRow row(std::string id, Partition partition, std::uint64_t seq = 0);
std::vector<std::string> log_texts(Store& store, Partition partition);
std::vector<std::string> ids(const std::vector<InstanceRow>& rows);

template <class T>
std::string error_code(const Result<T>& result) {
  return result ? "ok" : result.error().code;
}

/// A folder of its own, gone at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

}  // namespace mapflow::persistence::testing
