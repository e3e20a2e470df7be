#include "persistence/helpers.h"

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

}  // namespace mapflow::persistence::testing
