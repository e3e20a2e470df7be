#include "persistence/post_hints.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <charconv>
#include <utility>

#include "base/ensure.h"

namespace mapflow::persistence {
namespace {

constexpr int kPauseMilliseconds = 500;  ///< between tries to connect

}  // namespace

PostHints::PostHints(Listen listen) : listen_(std::move(listen)), stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  ensure(stop_ >= 0, "no file descriptor is left");
}

PostHints::~PostHints() {
  eventfd_write(stop_, 1);
  if (thread_.joinable()) thread_.join();
  close(stop_);
}

std::shared_ptr<void> PostHints::add(Hint hint) {
  const std::lock_guard lock(mutex_);
  const auto place = hints_.insert(hints_.end(), std::move(hint));
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  return std::shared_ptr<void>(&*place, [this, place](void*) {
    const std::lock_guard last(mutex_);
    hints_.erase(place);
  });
}

bool PostHints::stopped(int stop, int milliseconds) {
  pollfd source{stop, POLLIN, 0};
  return poll(&source, 1, milliseconds) > 0;
}

void PostHints::run() {
  do {
    listen_(stop_, [this](std::string_view partition) { tell(partition); });
  } while (!stopped(stop_, kPauseMilliseconds));
}

void PostHints::tell(std::string_view payload) {
  std::uint32_t number = 0;
  if (std::from_chars(payload.data(), payload.data() + payload.size(), number).ec != std::errc()) return;
  const std::lock_guard lock(mutex_);
  for (const Hint& hint : hints_) hint(Partition(number));
}

}  // namespace mapflow::persistence
