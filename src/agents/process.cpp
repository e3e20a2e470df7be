#include "agents/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cstring>

#include "base/ensure.h"

namespace mapflow::agents {

namespace fs = std::filesystem;

namespace {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

std::unexpected<Error> short_of(const char* what, int error) {
  return fail(code::unavailable, fmt::format("cannot {}: {}", what, std::strerror(error)));
}

/// Moves a descriptor out of 0…2, which a program that closed its own standard streams may be given: the child's
/// dup2 calls would overwrite each other.
Status lift(UniqueFd& fd) {
  if (fd.get() > STDERR_FILENO) return {};
  UniqueFd lifted(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!lifted) return short_of("make a pipe", errno);
  fd = std::move(lifted);
  return {};
}

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return short_of("make a pipe", errno);
  Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  MAPFLOW_TRY(lift(pipe.read));
  MAPFLOW_TRY(lift(pipe.write));
  return pipe;
}

void never_block(const UniqueFd& fd) { ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK); }

std::string_view path_of(const std::vector<std::string>& environment) {
  for (const std::string_view entry : environment)
    if (entry.starts_with("PATH=")) return entry.substr(5);
  return "/usr/local/bin:/usr/bin:/bin";
}

bool is_program(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

/// The file to run. posix_spawnp would look in our own PATH, not in the one that the definition gives the child.
Result<std::string> find_program(const ProcessSpec& spec) {
  const std::string& name = spec.command.front();
  if (name.find('/') != std::string::npos) {
    const fs::path path = spec.folder / name;
    std::error_code error;
    if (is_program(path)) return fs::absolute(path, error).string();
    return fail(code::invalid_input, fs::exists(path, error)
                                         ? fmt::format("'{}' is not an executable file", path.string())
                                         : fmt::format("command '{}' not found", path.string()));
  }
  std::string_view rest = path_of(spec.environment);
  while (!name.empty() && !rest.empty()) {
    const std::string_view entry = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
    const fs::path path = spec.folder / (entry.empty() ? "." : entry) / name;
    std::error_code error;
    if (is_program(path)) return fs::absolute(path, error).string();
  }
  return fail(code::invalid_input, fmt::format("command '{}' not found in PATH", name));
}

std::unexpected<Error> spawn_error(const std::string& program, int error) {
  const std::string message = fmt::format("cannot run '{}': {}", program, std::strerror(error));
  switch (error) {
    case ENOENT: return fail(code::invalid_input, message, "the interpreter that its first line names is missing");
    case ENOEXEC: return fail(code::invalid_input, message, "a script starts with #! and its interpreter");
    case EACCES:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case ELIBBAD:
    case EINVAL:
    case EPERM:
    case E2BIG: return fail(code::invalid_input, message);
    default: return fail(code::unavailable, message);
  }
}

/// The pointers that exec wants, into texts that outlive them.
std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

/// posix_spawn's description of the child, freed at the end. Unlike fork, posix_spawn does not copy our page tables
/// and says with an error code why the program could not be run.
class SpawnPlan {
 public:
  SpawnPlan(const fs::path& folder, int input, int output, int errors) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    if (!folder.empty()) posix_spawn_file_actions_addchdir_np(&actions_, folder.c_str());
    posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, errors, STDERR_FILENO);
    // Everything of ours is CLOEXEC; this also keeps back what other libraries in the program opened without it.
    posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  int run(pid_t& pid, const std::string& program, const ProcessSpec& spec) const {
    return ::posix_spawn(&pid, program.c_str(), &actions_, &attributes_, pointers(spec.command).data(),
                         pointers(spec.environment).data());
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

Result<Process> spawn(const ProcessSpec& spec) {
  ensure(!spec.command.empty(), "a process has a command");
  std::error_code error;
  if (!spec.folder.empty() && !fs::is_directory(spec.folder, error))
    return fail(code::invalid_input, fmt::format("working directory '{}' does not exist", spec.folder.string()));
  MAPFLOW_ASSIGN(const std::string program, find_program(spec));
  MAPFLOW_ASSIGN(Pipe input, make_pipe());
  MAPFLOW_ASSIGN(Pipe output, make_pipe());
  MAPFLOW_ASSIGN(Pipe errors, make_pipe());
  for (const UniqueFd* fd : {&input.write, &output.read, &errors.read}) never_block(*fd);

  Process process;
  const SpawnPlan plan(spec.folder, input.read.get(), output.write.get(), errors.write.get());
  if (const int failure = plan.run(process.pid, program, spec); failure != 0) return spawn_error(program, failure);
  process.watch = watch_process(process.pid);
  if (!process.watch) {
    const auto failure = short_of("watch a process", errno);
    ::kill(-process.pid, SIGKILL);
    ::waitpid(process.pid, nullptr, 0);
    return failure;
  }
  process.input = std::move(input.write);
  process.output = std::move(output.read);
  process.errors = std::move(errors.read);
  return process;
}

UniqueFd watch_process(pid_t pid) {
  // Not by <sys/pidfd.h>: glibc 2.36 declares the function there without C linkage. CLOEXEC by itself.
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

std::optional<ProcessExit> peek_exit(const Process& process) {
  siginfo_t info{};
  const auto pidfd = static_cast<id_t>(process.watch.get());
  if (::waitid(P_PIDFD, pidfd, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return ProcessExit{.status = -1};
  if (info.si_pid == 0) return std::nullopt;
  if (info.si_code == CLD_EXITED) return ProcessExit{.status = info.si_status};
  return ProcessExit{.signal = info.si_status};
}

bool reap(const Process& process) {
  siginfo_t info{};
  const bool failed = ::waitid(P_PIDFD, static_cast<id_t>(process.watch.get()), &info, WEXITED | WNOHANG) != 0;
  return failed || info.si_pid != 0;  // it fails only when somebody else has reaped it
}

void signal_group(const Process& process, int signal) { ::kill(-process.pid, signal); }

std::vector<std::string> child_environment(const std::vector<std::pair<std::string, std::string>>& extra) {
  std::vector<std::string> environment;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    bool kept = !name.starts_with("MAPFLOW_SECRET_");
    for (const auto& [other, value] : extra) kept = kept && other != name;
    if (kept) environment.emplace_back(text);
  }
  for (const auto& [name, value] : extra) environment.push_back(name + "=" + value);
  return environment;
}

}  // namespace mapflow::agents
