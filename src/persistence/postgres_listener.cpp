#include "persistence/postgres_listener.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <charconv>
#include <utility>

#include "base/ensure.h"

namespace mapflow::persistence::postgres {
namespace {

constexpr int kPauseMilliseconds = 500;  ///< between tries to connect

}  // namespace

Listener::Listener(ConnectOptions options, const Schema& schema)
    : options_(std::move(options)), channel_(inbox_channel(schema)), stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  ensure(stop_ >= 0, "no file descriptor is left");
}

Listener::~Listener() {
  eventfd_write(stop_, 1);
  if (thread_.joinable()) thread_.join();
  close(stop_);
}

std::shared_ptr<void> Listener::add(Hint hint) {
  const std::lock_guard lock(mutex_);
  const auto place = hints_.insert(hints_.end(), std::move(hint));
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  return std::shared_ptr<void>(&*place, [this, place](void*) {
    const std::lock_guard last(mutex_);
    hints_.erase(place);
  });
}

void Listener::run() {
  do {
    auto db = Connection::open(options_);
    if (!db || !(*db)->query("LISTEN \"" + channel_ + '"')) continue;
    while ((*db)->usable()) {
      (*db)->notifications([this](std::string_view, std::string_view payload) { tell(payload); });
      (*db)->wait(stop_);
      pollfd stop{stop_, POLLIN, 0};
      if (poll(&stop, 1, 0) > 0) return;
    }
  } while (!pause());
}

/// True when it is time to end.
bool Listener::pause() {
  pollfd stop{stop_, POLLIN, 0};
  return poll(&stop, 1, kPauseMilliseconds) > 0;
}

void Listener::tell(std::string_view payload) {
  std::uint32_t number = 0;
  if (std::from_chars(payload.data(), payload.data() + payload.size(), number).ec != std::errc()) return;
  const std::lock_guard lock(mutex_);
  for (const Hint& hint : hints_) hint(Partition(number));
}

}  // namespace mapflow::persistence::postgres
