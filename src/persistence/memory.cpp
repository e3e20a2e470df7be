#include "persistence/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

#include "persistence/lease_rules.h"
#include "persistence/listing.h"

namespace mapflow::persistence {
namespace {

struct PartitionState {
  LeaseRecord lease;
  std::string notice;
  std::deque<LogEntry> log;
  LogPosition log_end;  ///< the last position given, also when its entry was dropped
  std::deque<InboxEntry> inbox;
  InboxPosition inbox_end;
};

/// Newest first; a larger id counts as newer.
struct Age {
  Timestamp created;
  std::string_view id;
  bool operator<(const Age& other) const {
    return created != other.created ? created > other.created : id > other.id;
  }
};

InstanceRow without_snapshot(const InstanceRow& row) {
  InstanceRow copy{row.id,      row.partition, row.workflow, row.version, row.definition,
                   row.state,   row.finished,  row.parent,   row.correlation_id, row.tags,
                   row.created, row.updated,   row.wake_at,  row.seq,     {}};
  return copy;
}

/// One lock over everything: it is held for a few hundred nanoseconds, and never while a `done` runs.
class MemoryStore final : public Store {
 public:
  explicit MemoryStore(const MemoryOptions& options) : shared_(options.shared_partitions), partitions_(shared_) {}

  std::string name() const override { return "memory:"; }
  bool durable() const override { return false; }
  std::uint32_t shared_partitions() const override { return shared_; }

  Result<Partition> create_private_partition() override {
    const std::lock_guard lock(mutex_);
    partitions_.emplace_back();
    return Partition(static_cast<std::uint32_t>(partitions_.size() - 1));
  }

  Result<Lease> acquire(Partition partition, std::string_view node, Duration ttl, Timestamp now) override {
    const std::lock_guard lock(mutex_);
    PartitionState* const state = find(partition);
    if (!state) return fail(no_such_partition(partition));
    MAPFLOW_ASSIGN(Lease lease, next_lease(partition, state->lease, node, ttl, now));
    if (!keeps_notice(state->lease, node)) state->notice.clear();
    state->lease = {lease.epoch, lease.node, lease.expires, false};
    return lease;
  }

  Result<Lease> renew(const Lease& lease, Duration ttl, Timestamp now) override {
    const std::lock_guard lock(mutex_);
    PartitionState* const state = find(lease.partition);
    if (!state) return fail(no_such_partition(lease.partition));
    MAPFLOW_TRY(check_lease(state->lease, lease));
    MAPFLOW_TRY(check_notice(lease));
    state->lease.expires = saturating_add(now, ttl);
    state->notice = lease.notice;
    return Lease{lease.partition, lease.epoch, state->lease.node, state->lease.expires};
  }

  Status release(const Lease& lease) override {
    const std::lock_guard lock(mutex_);
    PartitionState* const state = find(lease.partition);
    if (state && state->lease.epoch == lease.epoch) {
      state->lease.released = true;
      state->lease.expires = Timestamp{};
    }
    return {};
  }

  Result<std::vector<Lease>> leases() override {
    const std::lock_guard lock(mutex_);
    std::vector<Lease> current;
    for (std::uint32_t number = 0; number < partitions_.size(); ++number) {
      const LeaseRecord& lease = partitions_[number].lease;
      if (lease.epoch.value > 0)
        current.push_back({Partition(number), lease.epoch, lease.node, lease.expires, partitions_[number].notice});
    }
    return current;
  }

  void commit(Commit commit, CommitDone done) override { done(apply(commit)); }

  Result<std::size_t> erase(const std::vector<InstanceRow>& rows) override {
    const std::lock_guard lock(mutex_);
    std::size_t erased = 0;
    for (const InstanceRow& row : rows) {
      const auto found = rows_.find(row.id);
      if (found == rows_.end() || !may_erase(found->second, row)) continue;
      by_age_.erase(Age{found->second.created, found->first});
      history_.erase(row.id);
      rows_.erase(found);
      ++erased;
    }
    return erased;
  }

  Result<std::vector<LogEntry>> read_log(Partition partition, LogPosition from, std::size_t max_bytes) override {
    const std::lock_guard lock(mutex_);
    const PartitionState* const state = find(partition);
    std::vector<LogEntry> entries;
    if (!state) return entries;
    std::size_t bytes = 0;
    for (auto entry = std::ranges::lower_bound(state->log, from, {}, &LogEntry::position);
         entry != state->log.end() && (entries.empty() || bytes + entry->bytes.size() <= max_bytes); ++entry) {
      bytes += entry->bytes.size();
      entries.push_back(*entry);
    }
    return entries;
  }

  Result<InstanceRow> instance(std::string_view id) override {
    const std::lock_guard lock(mutex_);
    const auto found = rows_.find(id);
    if (found == rows_.end()) return fail(code::not_found, fmt::format("no instance '{}'", id));
    return found->second;
  }

  Result<std::vector<InstanceRow>> unfinished(Partition partition, std::string_view after_id,
                                              std::size_t limit) override {
    const std::lock_guard lock(mutex_);
    std::vector<InstanceRow> page;
    for (auto row = rows_.upper_bound(after_id); row != rows_.end() && page.size() < limit; ++row)
      if (row->second.partition == partition && !row->second.finished) page.push_back(row->second);
    return page;
  }

  Result<InstancePage> list(const ListQuery& query) override {
    ListCursor cursor{kNever, {}};
    if (!query.cursor.empty()) {
      MAPFLOW_ASSIGN(cursor, parse_cursor(query.cursor));
    }
    const std::lock_guard lock(mutex_);
    InstancePage page;
    auto age = query.cursor.empty() ? by_age_.begin() : by_age_.upper_bound(Age{cursor.created, cursor.id});
    for (; age != by_age_.end(); ++age) {
      const InstanceRow& row = rows_.find(age->id)->second;
      if (!matches(row, query)) continue;
      if (page.rows.size() == query.limit) {
        if (!page.rows.empty()) page.next_cursor = format_cursor(page.rows.back());
        break;
      }
      page.rows.push_back(without_snapshot(row));
    }
    return page;
  }

  Result<std::vector<HistoryChunk>> history(std::string_view instance) override {
    const std::lock_guard lock(mutex_);
    std::vector<HistoryChunk> chunks;
    const auto found = history_.find(std::string(instance));
    if (found == history_.end()) return chunks;
    for (const auto& [first_seq, chunk] : found->second) chunks.push_back(chunk);
    return chunks;
  }

  Result<DefinitionRow> definition(std::string_view hash) override {
    const std::lock_guard lock(mutex_);
    const auto found = definitions_.find(std::string(hash));
    if (found == definitions_.end()) return fail(code::not_found, fmt::format("no definition with hash '{}'", hash));
    return found->second;
  }

  Result<std::vector<DefinitionRow>> definitions(std::string_view after_hash, std::size_t limit) override {
    const std::lock_guard lock(mutex_);
    std::vector<DefinitionRow> page;
    for (auto at = definitions_.upper_bound(std::string(after_hash)); at != definitions_.end() && page.size() < limit; ++at)
      page.push_back(at->second);
    return page;
  }

  Result<InboxPosition> post(Partition partition, std::string command) override {
    const std::lock_guard lock(mutex_);
    PartitionState* const state = find(partition);
    if (!state) return fail(no_such_partition(partition));
    state->inbox.push_back({InboxPosition(++state->inbox_end.value), std::move(command)});
    return state->inbox_end;
  }

  Result<std::vector<InboxEntry>> inbox(Partition partition, InboxPosition after, std::size_t limit) override {
    const std::lock_guard lock(mutex_);
    const PartitionState* const state = find(partition);
    std::vector<InboxEntry> entries;
    if (!state) return entries;
    for (auto entry = std::ranges::upper_bound(state->inbox, after, {}, &InboxEntry::position);
         entry != state->inbox.end() && entries.size() < limit; ++entry)
      entries.push_back(*entry);
    return entries;
  }

 private:
  PartitionState* find(Partition partition) {
    return partition.value < partitions_.size() ? &partitions_[partition.value] : nullptr;
  }

  Result<LogPosition> apply(Commit& commit) {
    const std::lock_guard lock(mutex_);
    if (auto refused = broken_.refusal(commit.lease)) return fail(std::move(*refused));
    if (Status allowed = check(commit); !allowed) {
      broken_.note_failure(commit.lease, allowed.error());
      return fail(std::move(allowed).error());
    }
    return write(commit);
  }

  /// Everything that can make a commit fail, before anything is changed.
  Status check(const Commit& commit) {
    const PartitionState* const state = find(commit.lease.partition);
    if (!state) return fail(no_such_partition(commit.lease.partition));
    MAPFLOW_TRY(check_lease(state->lease, commit.lease));
    for (const InstanceRow& row : commit.rows) {
      MAPFLOW_TRY(check_row(row, commit.lease));
      const auto old = rows_.find(row.id);
      if (old != rows_.end() && old->second.partition != row.partition)
        return fail(row_of_another_partition(row, old->second.partition));
    }
    return {};
  }

  LogPosition write(Commit& commit) {
    PartitionState& state = *find(commit.lease.partition);
    if (!commit.log.empty())
      state.log.push_back({LogPosition(++state.log_end.value), commit.lease.epoch, std::move(commit.log)});
    for (InstanceRow& row : commit.rows) replace(std::move(row));
    for (HistoryChunk& chunk : commit.history) {
      auto& chunks = history_[chunk.instance];
      const std::uint64_t first_seq = chunk.first_seq;
      chunks.insert_or_assign(first_seq, std::move(chunk));
    }
    for (DefinitionRow& definition : commit.definitions) {
      std::string hash = definition.hash;
      definitions_.try_emplace(std::move(hash), std::move(definition));
    }
    while (!state.log.empty() && state.log.front().position < commit.truncate_before) state.log.pop_front();
    while (!state.inbox.empty() && state.inbox.front().position <= commit.inbox_through) state.inbox.pop_front();
    return state.log_end;
  }

  void replace(InstanceRow row) {
    auto at = rows_.lower_bound(row.id);
    if (at == rows_.end() || at->first != row.id) {
      std::string id = row.id;
      at = rows_.emplace_hint(at, std::move(id), std::move(row));
      by_age_.insert(by_age_.begin(), Age{at->second.created, at->first});  // most rows are the newest yet
      return;
    }
    if (at->second.created != row.created) {
      by_age_.erase(Age{at->second.created, at->first});
      by_age_.insert(Age{row.created, at->first});
    }
    at->second = std::move(row);
  }

  const std::uint32_t shared_;
  std::mutex mutex_;
  std::deque<PartitionState> partitions_;
  std::map<std::string, InstanceRow, std::less<>> rows_;
  std::set<Age> by_age_;  ///< ids are those of rows_
  std::unordered_map<std::string, std::map<std::uint64_t, HistoryChunk>> history_;
  std::map<std::string, DefinitionRow> definitions_;
  BrokenLeases broken_;
};

}  // namespace

std::unique_ptr<Store> make_memory_store(const MemoryOptions& options) {
  return std::make_unique<MemoryStore>(options);
}

}  // namespace mapflow::persistence
