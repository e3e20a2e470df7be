#include "agents/process_loop.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "agents/log_lines.h"
#include "agents/reply.h"

namespace mapflow::agents {

namespace {

constexpr std::uint64_t kWakeup = 0;  // no call has this serial
constexpr std::chrono::seconds kLastReaping{2};

}  // namespace

// A call's process goes through: running -> (asked to end -> killed ->) ended, with pipes still open -> over.
struct ProcessLoop::ProcessCall final : Call {
  enum class Ending : std::uint8_t { none, cancelled, too_large };

  ProcessTask task;
  Process process;
  std::string input;
  std::size_t written = 0;
  std::string output;
  LogLines errors;
  std::optional<ProcessExit> exit;
  Ending ending = Ending::none;  ///< why we end it; none: it ends by itself
  bool killed = false;
  Clock::time_point deadline = Clock::time_point::max();  ///< of what comes next: KILL, or not waiting any longer

  explicit ProcessCall(ProcessTask given) : task(std::move(given)), errors(std::move(task.on_error_line)) {
    owner = task.owner;
    id = std::move(task.id);
    done = std::move(task.done);
  }
};

ProcessLoop::ProcessLoop(ProcessLimits limits, UniqueFd epoll, UniqueFd wakeup)
    : CallLoop({.max_running = limits.max_running}),
      limits_(limits),
      epoll_(std::move(epoll)),
      wakeup_(std::move(wakeup)) {}

ProcessLoop::~ProcessLoop() = default;

Result<std::shared_ptr<ProcessLoop>> ProcessLoop::make(ProcessLimits limits) {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  UniqueFd wakeup(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  epoll_event event{.events = EPOLLIN, .data = {.u64 = kWakeup}};
  if (!epoll || !wakeup || ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wakeup.get(), &event) != 0)
    return fail(code::resource_exhausted, fmt::format("cannot watch processes: {}", std::strerror(errno)));
  return std::shared_ptr<ProcessLoop>(new ProcessLoop(limits, std::move(epoll), std::move(wakeup)));
}

void ProcessLoop::run(ProcessTask task) { submit(std::make_unique<ProcessCall>(std::move(task))); }

void ProcessLoop::start(Call& base) {
  auto& call = static_cast<ProcessCall&>(base);
  auto process = spawn(*call.task.spec);
  if (!process) {
    process.error().message = fmt::format("agent '{}': {}", call.task.agent, process.error().message);
    return finish(call, fail(std::move(process).error()));
  }
  call.process = *std::move(process);
  call.input = std::exchange(call.task.input, nullptr)();
  bool watched = true;
  for (const Channel channel : {Channel::input, Channel::output, Channel::errors, Channel::exit})
    watched = watch(call, channel) && watched;
  if (watched) return;
  auto failure = fail(code::unavailable,
                      fmt::format("agent '{}': cannot watch its process: {}", call.task.agent, std::strerror(errno)));
  bury(call);
  finish(call, std::move(failure));
}

bool ProcessLoop::watch(const ProcessCall& call, Channel channel) {
  const std::array fds{&call.process.input, &call.process.output, &call.process.errors, &call.process.watch};
  epoll_event event{.events = channel == Channel::input ? EPOLLOUT : EPOLLIN,
                    .data = {.u64 = call.serial << 2 | static_cast<std::uint64_t>(channel)}};
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fds[static_cast<std::size_t>(channel)]->get(), &event) == 0;
}

void ProcessLoop::close(UniqueFd& fd) {
  if (fd) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd.get(), nullptr);
  fd.reset();
}

void ProcessLoop::give_up(Call& base) {
  auto& call = static_cast<ProcessCall&>(base);
  if (call.ending != ProcessCall::Ending::none) return;
  if (call.exit) {  // the answer came first; no more waiting for what holds the pipes open
    call.deadline = Clock::now();
    return;
  }
  call.ending = ProcessCall::Ending::cancelled;
  call.deadline = Clock::now() + limits_.kill_after;
  close(call.process.input);
  signal_group(call.process, SIGTERM);
  signal_group(call.process, SIGCONT);  // a stopped process would not see the TERM
}

void ProcessLoop::abort(Call& base) { bury(static_cast<ProcessCall&>(base)); }

void ProcessLoop::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wakeup_.get(), &one, sizeof one);  // full: it is awake already
}

void ProcessLoop::wait() {
  poll(wait_ms());
  std::vector<ProcessCall*> due;
  const auto now = Clock::now();
  for (const auto& [serial, base] : running())
    if (auto& call = static_cast<ProcessCall&>(*base); call.deadline <= now) due.push_back(&call);
  for (ProcessCall* call : due) meet_deadline(*call);
  reap_buried();
}

int ProcessLoop::wait_ms() const {
  auto next = Clock::time_point::max();
  for (const auto& [serial, call] : running()) next = std::min(next, static_cast<ProcessCall&>(*call).deadline);
  if (next == Clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void ProcessLoop::poll(int timeout_ms) {
  std::array<epoll_event, 64> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
    if (tag == kWakeup) {
      std::uint64_t times = 0;
      [[maybe_unused]] const auto read = ::read(wakeup_.get(), &times, sizeof times);
    } else if (Call* call = find_running(tag >> 2)) {
      handle(static_cast<ProcessCall&>(*call), static_cast<Channel>(tag & 3));
    }  // else: the call ended earlier in this batch, or it is a buried process that can be reaped now
  }
}

void ProcessLoop::handle(ProcessCall& call, Channel channel) {
  switch (channel) {
    case Channel::input: write_input(call); break;
    case Channel::output: read_output(call); break;
    case Channel::errors: read_errors(call); break;
    case Channel::exit:
      call.exit = peek_exit(call.process);
      if (!call.exit) break;
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, call.process.watch.get(), nullptr);
      close(call.process.input);
      // What the process itself wrote is in the pipes already. Children of its own may hold them open for longer; a
      // process that we end keeps its whole time, as `sh -c` may die at once and leave the real program to finish.
      if (call.ending == ProcessCall::Ending::none) call.deadline = Clock::now() + limits_.drain;
      break;
  }
  end_if_over(call);
}

void ProcessLoop::write_input(ProcessCall& call) {
  if (!call.process.input) return;
  const std::string_view left = std::string_view(call.input).substr(call.written);
  const auto count = left.empty() ? 0 : ::write(call.process.input.get(), left.data(), left.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count > 0) call.written += static_cast<std::size_t>(count);
  // An agent may close its stdin without reading all of it: that is its choice, and what it answers counts.
  if (count >= 0 && call.written < call.input.size()) return;
  close(call.process.input);
  call.input = {};
}

/// Reads once. False when there was nothing to read; closes the pipe at its end.
bool ProcessLoop::read_some(UniqueFd& fd, std::string_view& bytes) {
  if (!fd) return false;
  const auto count = ::read(fd.get(), buffer_.data(), buffer_.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (count <= 0) {
    close(fd);
    return false;
  }
  bytes = std::string_view(buffer_.data(), static_cast<std::size_t>(count));
  return true;
}

bool ProcessLoop::read_output(ProcessCall& call) {
  std::string_view bytes;
  if (!read_some(call.process.output, bytes)) return false;
  if (call.ending != ProcessCall::Ending::none) return true;  // nobody wants it any more, but the pipe must flow
  if (call.output.size() + bytes.size() <= call.task.max_output_bytes) {
    call.output.append(bytes);
    return true;
  }
  call.output = {};
  call.ending = ProcessCall::Ending::too_large;
  call.deadline = Clock::now();  // KILL, with no TERM before
  return true;
}

bool ProcessLoop::read_errors(ProcessCall& call) {
  std::string_view bytes;
  if (!read_some(call.process.errors, bytes)) return false;
  call.errors.feed(bytes);
  return true;
}

void ProcessLoop::end_if_over(ProcessCall& call) {
  if (call.exit && !call.process.output && !call.process.errors) end(call);
}

void ProcessLoop::meet_deadline(ProcessCall& call) {
  if (call.ending == ProcessCall::Ending::none) {
    // It ended by itself and others hold its pipes. Take what is there; they may go on without us.
    for (int i = 0; i < 64 && call.ending == ProcessCall::Ending::none; ++i) {
      const bool got_output = read_output(call);
      if (!read_errors(call) && !got_output) break;
    }
    return end(call);
  }
  if (call.exit) return end(call);  // what is left of its group gets KILL there
  if (!call.killed) {
    call.killed = true;
    signal_group(call.process, SIGKILL);
    call.deadline = Clock::now() + limits_.kill_after;
    return;
  }
  // Even KILL did not end it in time (the kernel holds it, say on a dead disk). The call ends anyway.
  auto result = call.ending == ProcessCall::Ending::too_large
                    ? reply_too_large(call.task.agent, call.task.max_output_bytes)
                    : cancelled_call();
  bury(call);
  finish(call, std::move(result));
}

void ProcessLoop::end(ProcessCall& call) {
  if (call.ending != ProcessCall::Ending::none) signal_group(call.process, SIGKILL);  // while the group is surely its
  close(call.process.output);
  close(call.process.errors);
  reap(call.process);
  call.errors.finish();
  switch (call.ending) {
    case ProcessCall::Ending::cancelled: return finish(call, cancelled_call());
    case ProcessCall::Ending::too_large:
      return finish(call, reply_too_large(call.task.agent, call.task.max_output_bytes));
    case ProcessCall::Ending::none: break;
  }
  ProcessEnd ended{*call.exit, std::move(call.output), std::string(call.errors.tail())};
  finish(call, call.task.read(std::move(ended)));
}

/// Kills a process and keeps only what is needed to reap it.
void ProcessLoop::bury(ProcessCall& call) {
  signal_group(call.process, SIGKILL);
  for (UniqueFd* fd : {&call.process.input, &call.process.output, &call.process.errors}) close(*fd);
  call.errors.finish();
  if (!reap(call.process)) buried_.push_back(std::move(call.process));
}

void ProcessLoop::reap_buried() {
  std::erase_if(buried_, [&](Process& process) {
    if (!reap(process)) return false;
    close(process.watch);
    return true;
  });
}

void ProcessLoop::shut_down() {
  const auto limit = Clock::now() + kLastReaping;
  for (reap_buried(); !buried_.empty() && Clock::now() < limit; reap_buried()) poll(50);
}

}  // namespace mapflow::agents
