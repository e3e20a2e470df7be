// Server programs that tests start and end: found on the machine, run in a temporary folder, as an ordinary user.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace mapflow::testing {

/// The path of a program: looked for in PATH, then in `folders`, which may be patterns like "/usr/lib/postgresql/*/bin".
/// Fails the test, naming the Debian package, when it is not installed.
std::string find_program(const std::string& name, const std::string& debian_package,
                         const std::vector<std::string>& folders = {});

/// A loopback port that was free a moment ago.
std::uint16_t free_port();

/// A folder of its own under the system's temporary one, gone at the end; the user that servers run as may write it.
class ServerFolder {
 public:
  ServerFolder();
  ~ServerFolder();
  ServerFolder(const ServerFolder&) = delete;
  ServerFolder& operator=(const ServerFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// A child process. It runs as an ordinary user also when the tests run as root, for some servers refuse root; its
/// output goes to a file. It does not outlive the thread that started it.
class ServerProcess {
 public:
  ServerProcess(const std::vector<std::string>& command, const std::filesystem::path& folder, const std::string& log_file);
  /// Kills it when it still runs.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  int pid() const { return pid_; }
  bool running();
  void signal(int number);
  /// Waits for the end: the exit status, or -signal.
  int wait();

 private:
  int pid_ = -1;
  int status_ = 0;
};

/// Runs a program to its end, as ServerProcess does; fails the test with its output when it does not succeed.
void run_program(const std::vector<std::string>& command, const ServerFolder& folder);

/// The text with %XX for whatever may mean something in a URL.
std::string url_encoded(const std::string& text);

std::string read_text(const std::string& file);

}  // namespace mapflow::testing
