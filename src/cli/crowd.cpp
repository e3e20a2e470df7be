#include "cli/crowd.h"

#include <atomic>
#include <mutex>
#include <optional>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

namespace mapflow::cli {

namespace {

constexpr std::ptrdiff_t kStartsAtOnce = 1000;
constexpr std::uint32_t kVisitors = 64;  // threads

/// The first of what may fail on many threads.
class FirstFailure {
 public:
  void note(Error error) {
    const std::lock_guard lock(mutex_);
    if (!first_) first_ = std::move(error);
  }
  Status status() {
    const std::lock_guard lock(mutex_);
    return first_ ? Status(fail(*first_)) : Status();
  }

 private:
  std::mutex mutex_;
  std::optional<Error> first_;
};

}  // namespace

Status start_crowd(Engine& engine, std::uint32_t count, const std::function<CrowdMember(std::uint32_t)>& member,
                   const std::function<void(std::uint32_t, Run)>& started) {
  FirstFailure failure;
  std::counting_semaphore<> room(kStartsAtOnce);
  for (std::uint32_t number = 0; number < count; ++number) {
    room.acquire();
    CrowdMember next = member(number);
    engine.start_async(next.workflow, std::move(next.options), [&, number](Result<Run> run) {
      if (!run) failure.note(std::move(run).error());
      else if (started) started(number, *std::move(run));
      room.release();
    });
  }
  for (std::ptrdiff_t all = 0; all < kStartsAtOnce; ++all) room.acquire();
  return failure.status();
}

Status for_each_of(std::uint32_t count, const std::function<Status(std::uint32_t)>& visit) {
  FirstFailure failure;
  std::atomic<std::uint32_t> next{0};
  std::vector<std::jthread> threads;
  for (std::uint32_t thread = 0; thread < kVisitors; ++thread)
    threads.emplace_back([&] {
      for (std::uint32_t number = next++; number < count && failure.status(); number = next++)
        if (Status visited = visit(number); !visited) failure.note(std::move(visited).error());
    });
  threads.clear();
  return failure.status();
}

}  // namespace mapflow::cli
