#include "cli/news.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

#include "base/ensure.h"
#include "cli/text.h"

namespace mapflow::cli {

namespace {
constexpr std::size_t kMostEvents = 20'000;
constexpr std::size_t kMostLines = 2'000;
}  // namespace

News::News() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { ensure(descriptor_ >= 0, "an eventfd can be made"); }
News::~News() { ::close(descriptor_); }

void News::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t full_is_fine = write(descriptor_, &one, sizeof one);
}

void News::tell(const std::string& instance, const kernel::Event& event) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [this] { return closed_ || waiting_.events.size() < kMostEvents; });
  if (closed_) return;
  waiting_.events.push_back({instance, event});
  if (waiting_.events.size() == 1) wake();
}

void News::log(std::string_view agent, std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  if (waiting_.log.size() >= kMostLines) {
    ++dropped_lines_;
    return;
  }
  waiting_.log.push_back({std::string(agent), std::string(line)});
  if (waiting_.log.size() == 1) wake();
}

void News::ended(Result<Value> outcome) {
  const std::lock_guard lock(mutex_);
  waiting_.outcome = std::move(outcome);
  wake();
}

void News::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  room_.notify_all();
}

NewsBatch News::take() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t empty_is_fine = read(descriptor_, &count, sizeof count);
  const std::lock_guard lock(mutex_);
  if (dropped_lines_ > 0)
    waiting_.log.push_back({"", counted(std::exchange(dropped_lines_, 0), "log line") + " left out: they came too fast"});
  room_.notify_all();
  return std::exchange(waiting_, {});
}

}  // namespace mapflow::cli
