// The backup of a composite store: a second store that follows the primary, a little behind.
//
//   commit ──> primary ──durable──> queue ──> one thread ──> backup      log, rows, history, definitions, and how far it is
//                                     │
//                 too long, or the backup failed: forget the queue, later compare both stores and copy what differs
//
// docs/design/tiers.md says why this loses nothing and never leaves a hole. Opened by itself, the backup is a store like any
// other: its nodes go on from where it was copied to.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "persistence/forwarding.h"
#include "persistence/tier.h"

namespace mapflow::persistence {

struct BackupOptions {
  std::size_t queue_bytes = 64u << 20;  ///< more waiting than this is forgotten, and made up for by comparing
  Duration longest_pause = std::chrono::seconds(10);  ///< between two tries while the backup fails
};

/// How far a partition was copied. Stands in the backup, in the history of an instance that does not exist.
struct CopyMark {
  LogPosition primary;    ///< the last entry of the primary's log that is there
  LogPosition backup;     ///< its place in the backup's log
  bool whole = false;     ///< the rows were compared since
};
/// The mark of a partition, nothing when it was never copied. Errors: those of the store; corrupt.
Result<CopyMark> read_copy_mark(Store& backup, Partition partition);

class BackedUpStore final : public ForwardingStore {
 public:
  BackedUpStore(std::shared_ptr<Store> primary, std::shared_ptr<Store> backup, BackupOptions options = {});
  /// Copies what waits, unless the backup fails.
  ~BackedUpStore() override;

  /// Returns when nothing waits any more (true), or the backup has failed to take it (false).
  bool settle();

  std::vector<TierReport> tiers() override;
  Result<Lease> acquire(Partition partition, std::string_view node, Duration ttl, Timestamp now) override;
  void commit(Commit commit, CommitDone done) override;
  Result<std::size_t> erase(const std::vector<InstanceRow>& rows) override;

 private:
  struct Adopt {
    Lease primary;
  };
  struct Copy {
    Commit commit;
    LogPosition position;
  };
  struct Erase {
    std::vector<InstanceRow> rows;
  };
  using Task = std::variant<Adopt, Copy, Erase>;
  struct Queued {
    Task task;
    std::size_t bytes;
  };
  /// What the thread knows of a partition whose lease this process has, or had.
  struct Follower {
    Lease primary;
    Lease backup;
    CopyMark mark;
    bool following = false;  ///< false: to be compared
    std::unordered_map<std::string, std::uint64_t> copied;  ///< by the comparison: older rows of the queue are no news
  };

  void push(Task task, std::size_t bytes);
  void run();
  Status carry_out(Adopt& task);
  Status carry_out(Copy& task);
  Status carry_out(Erase& task);
  Status catch_up();
  Status copy_log(Follower& follower);
  Status compare_rows(const std::map<Partition, Follower*>& followers);
  Status compare_definitions(Follower& follower);
  Status copy_row(Follower& follower, const std::string& id);
  Status write(Follower& follower, Commit commit);
  Status give_up(Follower& follower, Error why);
  bool wants_comparison() const;

  const std::shared_ptr<Store> backup_;
  const BackupOptions options_;
  Trouble trouble_;
  InFlight in_flight_;
  std::map<Partition, Follower> followers_;       ///< the thread's
  std::unordered_set<std::string> definitions_;   ///< the thread's: hashes that the backup has

  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<Queued> queue_;
  std::size_t queued_bytes_ = 0;
  bool overflowed_ = false;
  bool busy_ = false;     ///< the thread has something to do
  bool failing_ = false;  ///< its last try failed
  bool stopping_ = false;
  std::thread thread_;    ///< last, for it uses the rest
};

}  // namespace mapflow::persistence
