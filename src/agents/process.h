// Starting a child process: its own session, three pipes, and nothing else of ours.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "base/error.h"

namespace mapflow::agents {

struct ProcessSpec {
  std::vector<std::string> command;      ///< the program, then its arguments
  std::vector<std::string> environment;  ///< "NAME=value"
  std::filesystem::path folder;          ///< where it runs; empty: where we run
};

/// A running child. Our ends of the pipes never block and are not inherited by other children.
struct Process {
  pid_t pid = -1;   ///< also the id of its session and process group
  UniqueFd watch;   ///< a pidfd: readable once the process has ended
  UniqueFd input;   ///< its stdin
  UniqueFd output;  ///< its stdout
  UniqueFd errors;  ///< its stderr
};

/// How a process ended.
struct ProcessExit {
  int status = 0;  ///< its exit status, when it was not killed
  int signal = 0;  ///< the signal that killed it, or 0
};

/// Starts the program with every signal at its default. A name without '/' is looked up in the PATH of its own
/// environment; one with '/' is relative to its folder.
/// Errors: invalid_input when the program or folder is missing or cannot be run; unavailable when the system is short
/// of processes, memory or descriptors.
Result<Process> spawn(const ProcessSpec& spec);

/// A descriptor that becomes readable when the process ends; none, with errno, when there is no such process.
UniqueFd watch_process(pid_t pid);

/// How the process ended, or nullopt while it runs. It stays a zombie, so its pid and group cannot be anybody else's.
std::optional<ProcessExit> peek_exit(const Process& process);
/// Takes the ended process off the system's list; false while it runs.
bool reap(const Process& process);
/// Sends a signal to all of the process's group. Only before it was reaped: later the number may be somebody else's.
void signal_group(const Process& process, int signal);

/// This program's environment without secrets (MAPFLOW_SECRET_*), with `extra` added or put in place of its like.
std::vector<std::string> child_environment(const std::vector<std::pair<std::string, std::string>>& extra);

}  // namespace mapflow::agents
