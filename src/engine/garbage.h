// Drops instances for good that were over for long enough, and the parts of logs that nobody needs any more.
//
// The log goes first: a record that is still in it would bring the instance back at the next recovery. Of a partition that
// nobody runs, the lease is taken for the while, and the log dropped up to the first entry that a snapshot does not cover. Of
// one that this node runs, the log is its shard's, which shortens it as it grows; what the log still names stays until then.
// Of one that another node runs, everything is left to that node.
//
// An instance that is taken back to life in the same moment is safe: its first commit writes all of it again, but for the
// history of its former life. A child whose parent still runs stays, for the parent may ask for it.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/agent.h"
#include "engine/clock.h"
#include "persistence/background.h"
#include "persistence/overdue.h"
#include "persistence/store.h"

namespace mapflow::engine {

struct GarbageReport {
  std::uint64_t instances = 0;    ///< dropped
  std::uint64_t kept = 0;         ///< would be due, but somebody may still need them
  std::uint64_t log_entries = 0;  ///< dropped
};

/// Thread safety: the caller's.
class GarbageCollector {
 public:
  /// `node`: whose partitions are run by this very process; empty: nobody's are.
  GarbageCollector(std::shared_ptr<persistence::Store> store, std::shared_ptr<const Clock> clock, std::string node);

  /// Drops what has not changed since `before`: all of it, and the logs of all partitions that nobody runs. Errors: those of
  /// the store; what was dropped until then stays dropped.
  Result<GarbageReport> collect_all(Timestamp before);
  /// Some of it, for about as long as `span`; the next call goes on from there. Errors: as above.
  Result<GarbageReport> collect_some(Timestamp before, Duration span);

 private:
  Status drop(const std::vector<persistence::InstanceRow>& rows, GarbageReport& report);
  Status tend(persistence::Partition partition, const std::vector<persistence::InstanceRow>& rows, GarbageReport& report);
  Status drop_unnamed(const std::vector<persistence::InstanceRow>& rows, const std::set<std::string, std::less<>>& named, GarbageReport& report);
  Result<bool> has_living_parent(const persistence::InstanceRow& row);

  const std::shared_ptr<persistence::Store> store_;
  const std::shared_ptr<const Clock> clock_;
  const std::string node_;
  persistence::OverdueFinder finder_;
};

/// Collects garbage now and then, as long as it lives, on a thread of its own and at a bounded cost.
class Retention {
 public:
  /// Drops what is over and has not changed for `keep`. `node`, `log`: as the node beside it has them.
  Retention(std::shared_ptr<persistence::Store> store, std::string node, Duration keep, LogLine log);

 private:
  void look();

  const Duration keep_;
  const LogLine log_;
  const std::shared_ptr<const Clock> clock_;
  GarbageCollector garbage_;
  persistence::Background background_;  ///< last, for it uses the rest
};

}  // namespace mapflow::engine
