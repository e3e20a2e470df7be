#include "persistence/backed_up.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace mapflow::persistence {
namespace {

constexpr std::size_t kPage = 500;
constexpr std::size_t kLogBytes = 4u << 20;
constexpr Duration kFirstPause = std::chrono::milliseconds(20);

std::string mark_name(Partition partition) { return fmt::format("\x01mapflow backup {}", partition.value); }

HistoryChunk mark_chunk(Partition partition, const CopyMark& mark) {
  return {mark_name(partition), 1, 1, fmt::format("{} {} {}", mark.primary.value, mark.backup.value, mark.whole ? 1 : 0)};
}

std::size_t size_of(const Commit& commit) {
  std::size_t bytes = sizeof(Commit) + commit.log.size();
  for (const InstanceRow& row : commit.rows) bytes += sizeof row + row.snapshot.size() + row.details.size();
  for (const HistoryChunk& chunk : commit.history) bytes += sizeof chunk + chunk.records.size();
  for (const DefinitionRow& definition : commit.definitions) bytes += sizeof definition + definition.document.size();
  return bytes;
}

/// Walks a store's rows, newest first.
class Listing {
 public:
  explicit Listing(Store& store) : store_(store) {}
  /// The row, or nothing at the end.
  Result<const InstanceRow*> row() {
    while (at_ == page_.rows.size()) {
      if (begun_ && page_.next_cursor.empty()) return nullptr;
      MAPFLOW_ASSIGN(page_, store_.list({.cursor = page_.next_cursor, .limit = kPage}));
      begun_ = true;
      at_ = 0;
    }
    return &page_.rows[at_];
  }
  void next() { ++at_; }

 private:
  Store& store_;
  InstancePage page_;
  std::size_t at_ = 0;
  bool begun_ = false;
};

bool comes_before(const InstanceRow& left, const InstanceRow& right) {
  return left.created != right.created ? left.created > right.created : left.id > right.id;
}

bool same_version(const InstanceRow& left, const InstanceRow& right) {
  return left.seq == right.seq && left.updated == right.updated && left.state == right.state;
}

}  // namespace

Result<CopyMark> read_copy_mark(Store& backup, Partition partition) {
  MAPFLOW_ASSIGN(const std::vector<HistoryChunk> chunks, backup.history(mark_name(partition)));
  if (chunks.empty()) return CopyMark{};
  unsigned long long primary = 0, place = 0;
  unsigned whole = 0;
  if (std::sscanf(chunks.front().records.c_str(), "%llu %llu %u", &primary, &place, &whole) != 3)
    return fail(code::corrupt, fmt::format("{}: how far partition {} was copied does not read back", backup.name(), partition.value),
                "make the backup anew in an empty store");
  return CopyMark{LogPosition(primary), LogPosition(place), whole != 0};
}

BackedUpStore::BackedUpStore(std::shared_ptr<Store> primary, std::shared_ptr<Store> backup, BackupOptions options)
    : ForwardingStore(std::move(primary)), backup_(std::move(backup)), options_(options), thread_([this] { run(); }) {}

BackedUpStore::~BackedUpStore() {
  in_flight_.wait();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

bool BackedUpStore::settle() {
  in_flight_.wait();
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return failing_ || (!busy_ && queue_.empty()); });
  return !failing_;
}

std::vector<TierReport> BackedUpStore::tiers() {
  auto reports = inner().tiers();
  if (reports.empty()) reports.push_back({"primary", inner().name(), {}, 0});
  TierReport report{"backup", backup_->name(), trouble_.text(), 0};
  const auto count = [&](Partition partition) -> Status {
    MAPFLOW_ASSIGN(CopyMark mark, read_copy_mark(*backup_, partition));
    for (;;) {
      MAPFLOW_ASSIGN(const auto entries, inner().read_log(partition, LogPosition(mark.primary.value + 1), kLogBytes));
      if (entries.empty()) return {};
      report.behind += entries.size();
      mark.primary = entries.back().position;
    }
  };
  const auto leases = inner().leases();
  if (leases) {
    for (const Lease& lease : *leases)
      if (const Status counted = count(lease.partition); !counted && report.trouble.empty())
        report.trouble = counted.error().to_string();
  }
  reports.push_back(std::move(report));
  return reports;
}

Result<Lease> BackedUpStore::acquire(Partition partition, std::string_view node, Duration ttl, Timestamp now) {
  auto lease = inner().acquire(partition, node, ttl, now);
  if (lease) push(Adopt{*lease}, 0);
  return lease;
}

void BackedUpStore::commit(Commit commit, CommitDone done) {
  in_flight_.begin();
  auto copy = std::make_unique<Commit>(commit);
  inner().commit(std::move(commit), [this, copy = std::move(copy), done = std::move(done)](Result<LogPosition> position) mutable {
    if (position) {
      const std::size_t bytes = size_of(*copy);
      push(Copy{std::move(*copy), *position}, bytes);
    }
    done(std::move(position));
    in_flight_.end();
  });
}

Result<std::size_t> BackedUpStore::erase(const std::vector<InstanceRow>& rows) {
  auto erased = inner().erase(rows);
  if (erased && *erased > 0) push(Erase{rows}, 0);
  return erased;
}

void BackedUpStore::push(Task task, std::size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({std::move(task), bytes});
    queued_bytes_ += bytes;
    if (queued_bytes_ > options_.queue_bytes) {
      // Adoptions are kept: they say whose partitions are to be compared.
      std::erase_if(queue_, [](const Queued& each) { return !std::holds_alternative<Adopt>(each.task); });
      queued_bytes_ = 0;
      overflowed_ = true;
    }
  }
  wake_.notify_all();
}

// --- the thread ---------------------------------------------------------------------------------------------------

bool BackedUpStore::wants_comparison() const {
  return std::ranges::any_of(followers_, [](const auto& each) { return !each.second.following; });
}

void BackedUpStore::run() {
  Duration pause{};
  std::unique_lock lock(mutex_);
  for (;;) {
    if (pause > Duration::zero())
      wake_.wait_for(lock, pause, [this] { return stopping_; });
    else
      wake_.wait(lock, [this] { return stopping_ || overflowed_ || !queue_.empty() || wants_comparison(); });
    if (stopping_ && (failing_ || (queue_.empty() && !wants_comparison()))) return;
    busy_ = true;
    if (std::exchange(overflowed_, false))
      for (auto& [partition, follower] : followers_) follower.following = false;
    std::deque<Queued> tasks = std::exchange(queue_, {});
    queued_bytes_ = 0;
    lock.unlock();
    Status outcome;
    for (Queued& each : tasks) {
      // A failed one is not tried again: the comparison finds what it was about.
      const Status done = std::visit([this](auto& task) { return carry_out(task); }, each.task);
      if (!done) outcome = done;
    }
    if (wants_comparison())
      if (const Status done = catch_up(); !done) outcome = done;
    if (outcome) {
      trouble_.over();
      pause = Duration::zero();
    } else {
      trouble_.note(outcome.error());
      pause = std::clamp(pause * 2, kFirstPause, options_.longest_pause);
    }
    lock.lock();
    failing_ = !outcome;
    busy_ = failing_ || wants_comparison();
    idle_.notify_all();
  }
}

Status BackedUpStore::carry_out(Adopt& task) {
  followers_.insert_or_assign(task.primary.partition, Follower{.primary = std::move(task.primary)});
  return {};
}

Status BackedUpStore::carry_out(Copy& task) {
  const auto found = followers_.find(task.commit.lease.partition);
  if (found == followers_.end()) return {};
  Follower& follower = found->second;
  // Of a lease that is over, or to be compared: the comparison reads it from the primary.
  if (!follower.following || follower.primary.epoch != task.commit.lease.epoch) return {};
  if (task.position <= follower.mark.primary) task.commit.log.clear();  // the comparison was faster
  std::erase_if(task.commit.rows, [&](const InstanceRow& row) {
    const auto newer = follower.copied.find(row.id);
    return newer != follower.copied.end() && row.seq < newer->second;
  });
  // From one store's positions to the other's; what lies before a place that was skipped stays a little longer.
  const std::uint64_t ahead = follower.mark.primary.value - std::min(follower.mark.primary.value, follower.mark.backup.value);
  const std::uint64_t drop = task.commit.truncate_before.value;
  task.commit.truncate_before = LogPosition(drop > ahead ? drop - ahead : 0);
  task.commit.inbox_through = {};
  for (const DefinitionRow& definition : task.commit.definitions) definitions_.insert(definition.hash);
  if (!task.commit.log.empty()) {
    follower.mark.primary = task.position;
    ++follower.mark.backup.value;
    follower.copied.clear();  // the queue is past the comparison
  }
  return write(follower, std::move(task.commit));
}

Status BackedUpStore::carry_out(Erase& task) {
  auto erased = backup_->erase(task.rows);
  if (erased) return {};
  for (auto& [partition, follower] : followers_) follower.following = false;
  return fail(std::move(erased).error());
}

/// Commits under the backup's lease, with the mark. After a failure the partition is to be compared.
Status BackedUpStore::write(Follower& follower, Commit commit) {
  Status ready;
  for (const InstanceRow& row : commit.rows)
    if (ready && definitions_.insert(row.definition).second) ready = add_definition(commit, inner(), row.definition);
  if (!ready) return give_up(follower, std::move(ready).error());
  commit.lease = follower.backup;
  commit.history.push_back(mark_chunk(follower.primary.partition, follower.mark));
  auto written = commit_and_wait(*backup_, std::move(commit));
  if (written) {
    follower.mark.backup = *written;
    return {};
  }
  return give_up(follower, std::move(written).error());
}

Status BackedUpStore::give_up(Follower& follower, Error why) {
  follower.following = false;
  definitions_.clear();
  return fail(std::move(why));
}

/// Compares every partition that does not follow. Errors: those of both stores; it goes on from the beginning then.
Status BackedUpStore::catch_up() {
  MAPFLOW_ASSIGN(const std::vector<Lease> leases, inner().leases());
  std::map<Partition, Epoch> current;
  for (const Lease& lease : leases) current[lease.partition] = lease.epoch;
  std::erase_if(followers_, [&](const auto& each) { return current[each.first] != each.second.primary.epoch; });

  std::map<Partition, Follower*> comparing;
  for (auto& [partition, follower] : followers_)
    if (!follower.following) comparing.emplace(partition, &follower);
  for (auto& [partition, follower] : comparing) {
    MAPFLOW_ASSIGN(follower->backup, take_over(*backup_, partition, follower->primary.node));
    MAPFLOW_TRY(copy_log(*follower));
  }
  if (comparing.empty()) return {};
  MAPFLOW_TRY(compare_rows(comparing));
  MAPFLOW_TRY(compare_definitions(*comparing.begin()->second));
  for (auto& [partition, follower] : comparing) {
    follower->mark.whole = true;
    MAPFLOW_TRY(write(*follower, {}));
  }
  for (auto& [partition, follower] : comparing) follower->following = true;
  return {};
}

Status BackedUpStore::copy_log(Follower& follower) {
  const Partition partition = follower.primary.partition;
  follower.copied.clear();
  MAPFLOW_ASSIGN(follower.mark, read_copy_mark(*backup_, partition));
  follower.mark.whole = false;
  for (;;) {
    MAPFLOW_ASSIGN(const auto entries, inner().read_log(partition, LogPosition(follower.mark.primary.value + 1), kLogBytes));
    if (entries.empty()) return {};
    for (const LogEntry& entry : entries) {
      follower.mark.primary = entry.position;
      ++follower.mark.backup.value;
      MAPFLOW_TRY(write(follower, {.log = entry.bytes}));
    }
  }
}

Status BackedUpStore::compare_rows(const std::map<Partition, Follower*>& followers) {
  Listing here(inner()), there(*backup_);
  for (;;) {
    MAPFLOW_ASSIGN(const InstanceRow* const ours, here.row());
    MAPFLOW_ASSIGN(const InstanceRow* const theirs, there.row());
    if (!ours && !theirs) return {};
    if (theirs && (!ours || comes_before(*theirs, *ours))) {
      // Erased from the primary meanwhile. Unfinished ones cannot be, so such a row is one that was added just now.
      if (theirs->finished && followers.contains(theirs->partition)) MAPFLOW_TRY(backup_->erase({*theirs}));
      there.next();
      continue;
    }
    const bool both = theirs && theirs->id == ours->id && theirs->created == ours->created;
    const auto follower = followers.find(ours->partition);
    if (follower != followers.end() && !(both && same_version(*ours, *theirs))) MAPFLOW_TRY(copy_row(*follower->second, ours->id));
    here.next();
    if (both) there.next();
  }
}

/// Also those that no row names, as of workflows that a running one may yet call.
Status BackedUpStore::compare_definitions(Follower& follower) {
  for (std::string after;;) {
    const auto page = inner().definitions(after, kPage);
    if (!page && page.error().is(code::invalid_state)) return {};  // this primary cannot tell
    if (!page) return fail(page.error());
    if (page->empty()) return {};
    after = page->back().hash;
    for (const DefinitionRow& definition : *page) {
      const auto there = backup_->definition(definition.hash);
      if (!there && !there.error().is(code::not_found)) return fail(there.error());
      if (!there) MAPFLOW_TRY(write(follower, {.definitions = {definition}}));
    }
  }
}

Status BackedUpStore::copy_row(Follower& follower, const std::string& id) {
  auto found = inner().instance(id);
  if (!found && found.error().is(code::not_found)) return {};
  MAPFLOW_ASSIGN(InstanceRow row, std::move(found));
  if (row.partition != follower.primary.partition) return {};
  Commit commit;
  MAPFLOW_ASSIGN(commit.history, inner().history(id));
  follower.copied[id] = row.seq;
  commit.rows.push_back(std::move(row));
  return write(follower, std::move(commit));
}

}  // namespace mapflow::persistence
