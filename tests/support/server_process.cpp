#include "support/server_process.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

namespace mapflow::testing {
namespace {

/// Debian's "nobody": the tests need no user of their own.
constexpr uid_t kOrdinaryUser = 65534;
constexpr gid_t kOrdinaryGroup = 65534;

bool as_root() { return geteuid() == 0; }

int decoded(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status); }

}  // namespace

std::string find_program(const std::string& name, const std::string& debian_package,
                         const std::vector<std::string>& folders) {
  std::vector<std::string> places;
  std::istringstream path(std::getenv("PATH") ? std::getenv("PATH") : "");
  for (std::string folder; std::getline(path, folder, ':');) places.push_back(folder + "/" + name);
  for (const std::string& folder : folders) {
    glob_t found{};
    if (glob((folder + "/" + name).c_str(), 0, nullptr, &found) == 0)
      places.insert(places.end(), found.gl_pathv, found.gl_pathv + found.gl_pathc);
    globfree(&found);
  }
  for (const std::string& place : places)
    if (access(place.c_str(), X_OK) == 0) return place;
  FAIL("this test needs the program '", name, "': apt-get install ", debian_package);
  return {};
}

std::uint16_t free_port() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  close(listener);
  return ntohs(address.sin_port);
}

ServerFolder::ServerFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "mapflow-server-XXXXXX").string();
  REQUIRE(mkdtemp(name.data()));
  path_ = name;
  if (as_root()) REQUIRE(chown(name.c_str(), kOrdinaryUser, kOrdinaryGroup) == 0);
}

ServerFolder::~ServerFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

ServerProcess::ServerProcess(const std::vector<std::string>& command, const std::filesystem::path& folder,
                             const std::string& log_file) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = getpid();
  pid_ = fork();
  REQUIRE(pid_ >= 0);
  if (pid_ > 0) return;
  // Between fork and exec only what is safe in a process that had threads.
  const bool ordinary = !as_root() || (setgroups(0, nullptr) == 0 && setgid(kOrdinaryGroup) == 0 && setuid(kOrdinaryUser) == 0);
  const int log = open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  const int nothing = open("/dev/null", O_RDONLY);
  if (!ordinary || log < 0 || nothing < 0 || chdir(folder.c_str()) != 0) _exit(126);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(126);
  dup2(nothing, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  close_range(3, ~0u, 0);
  execv(arguments[0], arguments.data());
  _exit(127);
}

ServerProcess::~ServerProcess() {
  if (!running()) return;
  signal(SIGKILL);
  wait();
}

bool ServerProcess::running() {
  if (pid_ > 0 && waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = -1;
  return pid_ > 0;
}

void ServerProcess::signal(int number) {
  if (pid_ > 0) kill(pid_, number);
}

int ServerProcess::wait() {
  if (pid_ > 0) waitpid(pid_, &status_, 0);
  pid_ = -1;
  return decoded(status_);
}

void run_program(const std::vector<std::string>& command, const ServerFolder& folder) {
  const std::string log = folder.file("program.log");
  const int status = ServerProcess(command, folder.path(), log).wait();
  REQUIRE_MESSAGE(status == 0, command.front(), " ended with ", status, ":\n", read_text(log));
}

std::string url_encoded(const std::string& text) {
  constexpr const char* kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (std::isalnum(byte)) out += letter;
    else out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return out;
}

std::string read_text(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace mapflow::testing
