#include "support.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "agents/process.h"

namespace mapflow::agents::test {

namespace {

std::size_t entries(const char* folder) {
  return static_cast<std::size_t>(std::ranges::distance(std::filesystem::directory_iterator(folder)));
}

/// The words of /proc/PID/stat that follow the name: state, parent, …
bool read_state(const std::filesystem::path& folder, char& state, pid_t& parent) {
  std::ifstream file(folder / "stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto name_end = text.rfind(')');
  return name_end != std::string::npos && std::sscanf(text.c_str() + name_end + 1, " %c %d", &state, &parent) == 2;
}

}  // namespace

Envelope envelope(std::string id, Value data) {
  Envelope out;
  out.id = std::move(id);
  out.idempotency_key = "i-1/review#1";
  out.workflow = "demo";
  out.instance_id = "i-1";
  out.step = "review";
  out.path = "review";
  out.attempt = 2;
  out.action = "score";
  out.data = std::move(data);
  return out;
}

AgentConfig config(std::string name, std::string transport, Value settings) {
  AgentConfig out;
  out.name = std::move(name);
  out.transport = std::move(transport);
  out.settings = std::move(settings);
  out.where = {.file = "demo.yaml", .line = 7, .column = 3};
  return out;
}

std::unique_ptr<engine::Agent> make(Transport& transport, Value settings, const engine::AgentContext& context) {
  auto agent = transport.make(config("script", "exec", std::move(settings)), context);
  if (!agent) throw std::runtime_error(agent.error().to_string());
  return *std::move(agent);
}

Result<Reply> ask(engine::Agent& agent, Envelope message) {
  Answers answers;
  agent.call(std::move(message), answers.done());
  return answers.take();
}

std::size_t open_fds() { return entries("/proc/self/fd"); }
std::size_t threads() { return entries("/proc/self/task"); }

bool settles(std::size_t (*count)(), std::size_t wanted) {
  const auto limit = std::chrono::steady_clock::now() + kPatience;
  while (count() != wanted) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::yield();
  }
  return true;
}

std::size_t zombies() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    if (!std::isdigit(static_cast<unsigned char>(entry.path().filename().native().front()))) continue;
    char state = 0;
    pid_t parent = 0;
    if (read_state(entry.path(), state, parent) && parent == ::getpid() && state == 'Z') ++count;
  }
  return count;
}

bool is_gone(pid_t pid) {
  const UniqueFd watch = watch_process(pid);
  if (!watch) return errno == ESRCH;
  pollfd ended{.fd = watch.get(), .events = POLLIN, .revents = 0};
  return ::poll(&ended, 1, std::chrono::duration_cast<std::chrono::milliseconds>(kPatience).count()) == 1;
}

}  // namespace mapflow::agents::test
