#include "cli/interrupts.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>

#include "base/ensure.h"

namespace mapflow::cli {

namespace {

// A signal handler can only reach what is static. Blocking the signals and reading a signalfd would need none of this,
// but agents' processes would inherit the blocked signals.
std::atomic<int> wake_descriptor{-1};
std::atomic<int> stops{0};
static_assert(std::atomic<int>::is_always_lock_free);

void on_signal(int number) {
  const int saved = errno;
  if (number != SIGWINCH && stops.fetch_add(1) > 0) _exit(130);
  const char byte = 1;
  if (const int descriptor = wake_descriptor.load(); descriptor >= 0) {
    [[maybe_unused]] const ssize_t full_is_fine = write(descriptor, &byte, 1);
  }
  errno = saved;
}

void handle(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(number, &action, nullptr);
}

bool ignored(int number) {
  struct sigaction action {};
  return sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

Interrupts::Interrupts() {
  std::array<int, 2> ends{};
  ensure(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0, "a pipe for signals can be made");
  read_end_ = ends[0];
  write_end_ = ends[1];
  stops = 0;
  wake_descriptor = write_end_;
  // A shell without job control starts background jobs with SIGINT ignored; whoever sends one still means it.
  for (const int number : {SIGINT, SIGTERM, SIGWINCH}) handle(number, on_signal);
  if (!ignored(SIGHUP)) handle(SIGHUP, on_signal);  // not under nohup
}

Interrupts::~Interrupts() {
  for (const int number : {SIGINT, SIGTERM, SIGWINCH}) handle(number, SIG_DFL);
  if (!ignored(SIGHUP)) handle(SIGHUP, SIG_DFL);
  wake_descriptor = -1;
  close(read_end_);
  close(write_end_);
}

void Interrupts::drain() {
  std::array<char, 64> bytes{};
  while (read(read_end_, bytes.data(), bytes.size()) > 0) {
  }
}

bool Interrupts::wait(std::chrono::milliseconds span) {
  pollfd signals{read_end_, POLLIN, 0};
  if (poll(&signals, 1, static_cast<int>(span.count())) > 0) drain();
  return stop_requested();
}

bool Interrupts::stop_requested() const { return stops.load() > 0; }

}  // namespace mapflow::cli
