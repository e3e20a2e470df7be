#include "persistence/helpers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

namespace mapflow::persistence::testing {

CommitDone Outcomes::done(int number) {
  return [this, number](Result<LogPosition> outcome) {
    const std::lock_guard lock(mutex_);
    REQUIRE_MESSAGE(outcomes_.emplace(number, std::move(outcome)).second, "done called twice");
    order_.push_back(number);
    arrived_.notify_all();
  };
}

std::map<int, Result<LogPosition>> Outcomes::wait(std::size_t count) {
  std::unique_lock lock(mutex_);
  REQUIRE(arrived_.wait_for(lock, 60s, [&] { return outcomes_.size() >= count; }));
  return outcomes_;
}

std::vector<int> Outcomes::order() {
  const std::lock_guard lock(mutex_);
  return order_;
}

Result<LogPosition> commit(Store& store, Commit commit) {
  Outcomes outcomes;
  store.commit(std::move(commit), outcomes.done(0));
  return outcomes.wait(1).at(0);
}

Lease acquire(Store& store, Partition partition, std::string_view node, Timestamp now) {
  auto lease = store.acquire(partition, node, kTtl, now);
  REQUIRE_MESSAGE(lease, lease.error().to_string());
  return *lease;
}

Commit log_commit(const Lease& lease, std::string log) { return {.lease = lease, .log = std::move(log)}; }

InstanceRow row(std::string id, Partition partition, std::uint64_t seq) {
  return {.id = std::move(id),
          .partition = partition,
          .workflow = "orders",
          .version = "1.2",
          .definition = "d1",
          .state = "running",
          .created = kNow,
          .updated = kNow,
          .seq = seq};
}

std::vector<std::string> log_texts(Store& store, Partition partition) {
  std::vector<std::string> texts;
  LogPosition from{1};
  for (;;) {
    const auto entries = store.read_log(partition, from, 1 << 20);
    REQUIRE(entries);
    if (entries->empty()) return texts;
    for (const LogEntry& entry : *entries) texts.push_back(entry.bytes);
    from.value = entries->back().position.value + 1;
  }
}

std::vector<std::string> ids(const std::vector<InstanceRow>& rows) {
  std::vector<std::string> all;
  for (const InstanceRow& row : rows) all.push_back(row.id);
  return all;
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "mapflow-test-XXXXXX").string();
  REQUIRE(mkdtemp(name.data()));
  folder_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

ChildProcess::ChildProcess(const std::function<void(const Report&)>& body) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  pid_ = fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    close(ends[0]);
    body([&](const std::string& text) {
      const std::string line = text + "\n";
      if (::write(ends[1], line.data(), line.size()) != static_cast<ssize_t>(line.size())) _exit(99);
    });
    _exit(0);
  }
  close(ends[1]);
  pipe_ = ends[0];
}

ChildProcess::~ChildProcess() {
  if (pid_ > 0) {
    kill();
    wait();
  }
  close(pipe_);
}

bool ChildProcess::next_line(std::string& line) {
  for (;;) {
    if (const auto end = buffer_.find('\n'); end != std::string::npos) {
      line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return true;
    }
    char bytes[4096];
    const ssize_t count = read(pipe_, bytes, sizeof bytes);
    if (count <= 0) return false;
    buffer_.append(bytes, static_cast<std::size_t>(count));
  }
}

void ChildProcess::kill() { ::kill(pid_, SIGKILL); }

int ChildProcess::wait() {
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace mapflow::persistence::testing
