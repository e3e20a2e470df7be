#include "engine/garbage.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <map>
#include <optional>
#include <utility>

#include "engine/batch.h"

namespace mapflow::engine {
namespace {

using persistence::InstanceRow;
using persistence::Lease;
using persistence::LogPosition;
using persistence::Partition;

constexpr std::size_t kLogBytesAtATime = 4u << 20;
constexpr Duration kLease = std::chrono::seconds(10);

using Names = std::set<std::string, std::less<>>;

/// What a partition's log is still needed for.
struct LogUse {
  LogPosition needed_from{1};  ///< everything before is covered by snapshots
  std::uint64_t covered = 0;   ///< entries before that
  Names named;                 ///< instances in the entries from there on
};

class LogReader {
 public:
  LogReader(persistence::Store& store, Partition partition) : store_(store), partition_(partition) {}

  /// `covers`: whether to ask the snapshots at all; otherwise everything is needed.
  Result<LogUse> read(bool covers) {
    covering_ = covers;
    for (LogPosition from{1};;) {
      MAPFLOW_ASSIGN(const auto entries, store_.read_log(partition_, from, kLogBytesAtATime));
      if (entries.empty()) return std::move(use_);
      for (const persistence::LogEntry& entry : entries) MAPFLOW_TRY(take(entry));
      from.value = entries.back().position.value + 1;
    }
  }

 private:
  Status take(const persistence::LogEntry& entry) {
    Names names;
    bool covered = covering_;
    MAPFLOW_TRY(read_batch(entry.bytes, [&](const RecordGroup& group) -> Status {
      names.emplace(group.instance);
      if (!covered) return {};
      MAPFLOW_ASSIGN(const std::uint64_t snapshot, covered_seq(std::string(group.instance)));
      covered = group.first_seq + group.count - 1 <= snapshot;
      return {};
    }));
    covering_ = covered;
    if (covered) {
      use_.needed_from.value = entry.position.value + 1;
      ++use_.covered;
    } else {
      use_.named.merge(names);
    }
    return {};
  }

  /// The last record that the instance's snapshot stands for.
  Result<std::uint64_t> covered_seq(const std::string& id) {
    const auto known = covered_.find(id);
    if (known != covered_.end()) return known->second;
    const auto row = store_.instance(id);
    if (!row && !row.error().is(code::not_found)) return fail(row.error());
    return covered_[id] = row && !row->snapshot.empty() ? row->seq : 0;
  }

  persistence::Store& store_;
  const Partition partition_;
  std::map<std::string, std::uint64_t> covered_;
  LogUse use_;
  bool covering_ = true;
};

Status shorten(persistence::Store& store, const Lease& lease, LogPosition before) {
  std::promise<Result<LogPosition>> ended;
  auto outcome = ended.get_future();
  store.commit({.lease = lease, .truncate_before = before}, [&ended](Result<LogPosition> position) { ended.set_value(std::move(position)); });
  MAPFLOW_TRY(outcome.get());
  return {};
}

}  // namespace

GarbageCollector::GarbageCollector(std::shared_ptr<persistence::Store> store, std::shared_ptr<const Clock> clock, std::string node)
    : store_(std::move(store)), clock_(std::move(clock)), node_(std::move(node)), finder_(*store_) {}

Result<GarbageReport> GarbageCollector::collect_all(Timestamp before) {
  GarbageReport report;
  MAPFLOW_ASSIGN(const std::vector<Lease> leases, store_->leases());
  std::set<Partition> partitions;
  for (const Lease& lease : leases) partitions.insert(lease.partition);  // one that was never leased has no log
  for (const Partition partition : partitions) MAPFLOW_TRY(tend(partition, {}, report));
  MAPFLOW_TRY(finder_.look_at_all(before, [&](const std::vector<InstanceRow>& rows) { return drop(rows, report); }));
  return report;
}

Result<GarbageReport> GarbageCollector::collect_some(Timestamp before, Duration span) {
  GarbageReport report;
  MAPFLOW_TRY(finder_.look(before, span, [&](const std::vector<InstanceRow>& rows) { return drop(rows, report); }));
  return report;
}

Status GarbageCollector::drop(const std::vector<InstanceRow>& rows, GarbageReport& report) {
  std::map<Partition, std::vector<InstanceRow>> by_partition;
  for (const InstanceRow& row : rows) by_partition[row.partition].push_back(row);
  for (const auto& [partition, some] : by_partition) MAPFLOW_TRY(tend(partition, some, report));
  return {};
}

/// Does with the partition what can be done with it, and drops these of its instances.
Status GarbageCollector::tend(Partition partition, const std::vector<InstanceRow>& rows, GarbageReport& report) {
  MAPFLOW_ASSIGN(const std::vector<Lease> leases, store_->leases());
  const auto current = std::ranges::find(leases, partition, &Lease::partition);
  const bool run = current != leases.end() && current->expires > clock_->now();
  if (run && !node_.empty() && current->node == node_) {
    MAPFLOW_ASSIGN(const LogUse use, LogReader(*store_, partition).read(false));
    return drop_unnamed(rows, use.named, report);
  }
  auto lease = run ? Result<Lease>(fail(code::conflict, {})) : store_->acquire(partition, node_ + "/gc", kLease, clock_->now());
  if (!lease && !lease.error().is(code::conflict)) return fail(lease.error());
  if (!lease) {
    report.kept += rows.size();
    return {};
  }
  const auto work = [&]() -> Status {
    MAPFLOW_ASSIGN(const LogUse use, LogReader(*store_, partition).read(true));
    if (use.covered > 0) MAPFLOW_TRY(shorten(*store_, *lease, use.needed_from));
    report.log_entries += use.covered;
    return drop_unnamed(rows, use.named, report);
  };
  Status worked = work();
  MAPFLOW_TRY(store_->release(*lease));
  return worked;
}

Status GarbageCollector::drop_unnamed(const std::vector<InstanceRow>& rows, const Names& named, GarbageReport& report) {
  std::vector<InstanceRow> free;
  for (const InstanceRow& row : rows) {
    MAPFLOW_ASSIGN(const bool needed, named.contains(row.id) ? Result<bool>(true) : has_living_parent(row));
    if (needed) ++report.kept;
    else free.push_back(row);
  }
  if (free.empty()) return {};
  MAPFLOW_ASSIGN(const std::size_t gone, store_->erase(free));
  report.instances += gone;
  return {};
}

Result<bool> GarbageCollector::has_living_parent(const InstanceRow& row) {
  if (row.parent.empty()) return false;
  const auto parent = store_->instance(row.parent);
  if (parent) return !parent->finished;
  if (parent.error().is(code::not_found)) return false;
  return fail(parent.error());
}

// --- in the background ------------------------------------------------------------------------------------------------

Retention::Retention(std::shared_ptr<persistence::Store> store, std::string node, Duration keep, LogLine log)
    : keep_(keep), log_(std::move(log)), clock_(std::make_shared<SystemClock>()), garbage_(std::move(store), clock_, std::move(node)),
      background_([this] { look(); }, persistence::pause_between_looks(keep)) {}

void Retention::look() {
  const auto report = garbage_.collect_some(saturating_add(clock_->now(), -keep_), persistence::kBackgroundLook);
  if (!log_) return;
  if (!report) log_("retention", report.error().to_string());
  else if (report->instances > 0) log_("retention", fmt::format("instances dropped: {}", report->instances));
}

}  // namespace mapflow::engine
