// Runs child processes to their end, all on one thread: epoll over their pipes and pidfds.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agents/call_loop.h"
#include "agents/process.h"

namespace mapflow::agents {

/// A process that ended by itself, and what it said.
struct ProcessEnd {
  ProcessExit exit;
  std::string output;      ///< its stdout
  std::string error_tail;  ///< the end of its stderr
};

/// A call that is one run of a program. All members are used on the loop's thread only.
struct ProcessTask {
  const void* owner = nullptr;
  std::string agent;  ///< its name, for messages
  std::string id;
  engine::AgentDone done;
  std::shared_ptr<const ProcessSpec> spec;
  std::function<std::string()> input;  ///< what it gets on stdin
  std::size_t max_output_bytes = 0;
  std::function<void(std::string_view)> on_error_line;  ///< gets its stderr line by line; may be empty
  std::function<Result<Reply>(ProcessEnd)> read;        ///< makes the answer
};

struct ProcessLimits {
  std::size_t max_running = 128;
  std::chrono::milliseconds kill_after{5000};  ///< between TERM and KILL
  /// How long a process that has ended may leave its pipes open through children of its own.
  std::chrono::milliseconds drain{250};
};

class ProcessLoop final : public CallLoop {
 public:
  /// Errors: resource_exhausted when the system gives no descriptors.
  static Result<std::shared_ptr<ProcessLoop>> make(ProcessLimits limits);
  ~ProcessLoop() override;

  /// Runs the task when its turn comes; see CallLoop::submit, cancel and stop. A cancelled process group gets TERM
  /// and, when it is still there after `kill_after`, KILL; a stopped one gets KILL. Errors of `done`: those of spawn(),
  /// resource_exhausted when the output is too large (its group gets KILL), cancelled, and whatever `read` says.
  void run(ProcessTask task);

 protected:
  void start(Call& call) override;
  void give_up(Call& call) override;
  void abort(Call& call) override;
  void wait() override;
  void wake() override;
  void shut_down() override;

 private:
  using Clock = std::chrono::steady_clock;
  struct ProcessCall;
  enum class Channel : std::uint8_t { input, output, errors, exit };

  ProcessLoop(ProcessLimits limits, UniqueFd epoll, UniqueFd wakeup);
  bool watch(const ProcessCall& call, Channel channel);
  void close(UniqueFd& fd);
  void handle(ProcessCall& call, Channel channel);
  void write_input(ProcessCall& call);
  bool read_output(ProcessCall& call);
  bool read_errors(ProcessCall& call);
  bool read_some(UniqueFd& fd, std::string_view& bytes);
  void end_if_over(ProcessCall& call);
  void meet_deadline(ProcessCall& call);
  void end(ProcessCall& call);
  void bury(ProcessCall& call);
  void reap_buried();
  void poll(int timeout_ms);
  int wait_ms() const;

  const ProcessLimits limits_;
  UniqueFd epoll_;
  UniqueFd wakeup_;
  std::vector<Process> buried_;  ///< killed and given up, not yet reaped
  std::array<char, 64 * 1024> buffer_{};
};

}  // namespace mapflow::agents
