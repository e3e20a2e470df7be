// The store: the only meeting place of nodes, and the one interface every backend implements.
//
//   node ── acquire(partition) ──> Lease{partition, epoch}          every write is fenced by it
//        ── commit(lease, log blob + rows + inbox position) ──> durable, then done()
//   after a crash:  instances(partition) + read_log(partition)  ==  everything that was ever acknowledged
//
// What a store keeps, per partition:
//   * a log of opaque blobs at dense positions 1, 2, 3 …: one blob per commit, holding the records of many instances;
//   * one row per instance: what people list and filter by, and a snapshot of its state after record `seq`;
//   * history chunks: records that left the log because a snapshot covers them, kept for people to read;
//   * an inbox of commands that other processes left for the partition's owner.
// and, for all partitions together, the definitions by content hash.
//
// The contract. tests/persistence/ checks it against every backend:
//   1. Durable means durable: once `done` got success (or post() returned), a crash of this process and of the
//      machine keeps it. Only a memory store may say less, and `durable()` tells.
//   2. All or nothing: a commit's log blob, rows, history, truncation, definitions and inbox position appear together
//      or not at all, also to a reader in another process.
//   3. Order: commits of one lease take effect in the order in which commit() was called, and their `done`s are called
//      in that order. Once one fails, every later commit of that lease fails too (`fenced`, the first failure as its
//      cause, when it was not carried out), until the partition is acquired anew.
//   4. Fencing: a commit succeeds only while its epoch is the partition's current one, checked in the same
//      transaction as the write, and that lease was not released. Epochs of a partition only grow. A refused commit
//      changes nothing; its error is `fenced`.
//   5. Unknown outcomes are told apart: `unavailable` means the commit may or may not be there, and so may those that were
//      on their way behind it. The owner must not guess: it acquires the partition anew and reads.
//   6. Reads see every commit whose `done` was called before the read began.
// Errors of any call: unavailable (try again later), corrupt (stored bytes do not read back), invalid_state (schema of
// another version), resource_exhausted (disk full; the commit did not happen).
// Thread safety: every call may come from any thread. One exception: a `done` may call commit() and the reading calls
// only, for the other calls wait for the thread that it may be running on.
// The destructor first carries out what is queued and calls every `done`.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/id.h"
#include "base/time.h"

namespace mapflow::persistence {

using Partition = StrongId<struct PartitionTag, std::uint32_t>;
using Epoch = StrongId<struct EpochTag, std::uint64_t>;
using LogPosition = StrongId<struct LogPositionTag, std::uint64_t>;
using InboxPosition = StrongId<struct InboxPositionTag, std::uint64_t>;

/// The right of one node to write one partition, until it expires or another node acquires the partition.
struct Lease {
  Partition partition;
  Epoch epoch;
  std::string node;
  Timestamp expires;
  /// What its holder tells all others; opaque. Only renew() writes it and only leases() gives it; empty anywhere else.
  std::string notice = {};
};
/// So many bytes a notice may have.
inline constexpr std::size_t kLongestNotice = 64 * 1024;

/// What can be known of an instance without replaying it. Texts are what people filter by.
struct InstanceRow {
  std::string id;
  Partition partition;
  std::string workflow;
  std::string version;
  std::string definition;       ///< content hash
  std::string state;            ///< workflow state by name
  bool finished = false;        ///< in a terminal state: recovery skips it
  std::string parent;           ///< id of the parent instance, or empty
  std::string correlation_id;
  std::vector<std::string> tags;
  Timestamp created{};
  Timestamp updated{};
  Timestamp wake_at = kNever;   ///< when its next timer is due
  std::uint64_t seq = 0;        ///< the snapshot is the state after this record; 0: no snapshot yet
  std::string snapshot;         ///< opaque, may be empty
  std::string details;          ///< JSON for people, as of the snapshot: {"steps": […], "errors": […]}. Only for stores
                                ///< that shows_details(); reads leave it empty
};

/// Records first_seq … last_seq of one instance, encoded; chunks of an instance follow each other without gaps,
/// except where old ones were dropped.
struct HistoryChunk {
  std::string instance;
  std::uint64_t first_seq = 0;
  std::uint64_t last_seq = 0;
  std::string records;
};

struct DefinitionRow {
  std::string hash;
  std::string workflow;
  std::string version;
  std::string document;  ///< JSON text
};

/// One atomic write to one partition.
struct Commit {
  Lease lease;
  std::string log;                        ///< appended to the log as one entry, unless empty
  std::vector<InstanceRow> rows;          ///< of the lease's partition; each replaces the row with its id; `conflict`
                                          ///< if that one is of another partition
  std::vector<HistoryChunk> history;      ///< each replaces the chunk with its instance and first_seq
  std::vector<DefinitionRow> definitions; ///< kept once per hash
  LogPosition truncate_before{};          ///< log entries below this position are dropped for good; 0: none
  InboxPosition inbox_through{};          ///< inbox entries up to this one are done with; 0: none
};

/// The position of the log entry (unchanged when the commit had no log blob), or why the commit failed.
using CommitDone = std::move_only_function<void(Result<LogPosition>)>;

struct LogEntry {
  LogPosition position;
  Epoch epoch;
  std::string bytes;
};

struct InboxEntry {
  InboxPosition position;
  std::string command;  ///< opaque
};

struct ListQuery {
  std::string workflow, state, tag;  ///< empty: any
  std::string text;                  ///< part of the id or the correlation id
  std::string cursor;                ///< from the page before
  std::size_t limit = 100;
};
struct InstancePage {
  std::vector<InstanceRow> rows;  ///< newest first, without snapshots
  std::string next_cursor;        ///< empty on the last page
};

/// How one of the stores behind a composite one is doing.
struct TierReport {
  std::string role;          ///< "primary", "cache", "backup", "archive"
  std::string name;          ///< as Store::name()
  std::string trouble;       ///< what its last call failed with; empty while all is well
  std::uint64_t behind = 0;  ///< backup: log entries of the primary that it does not have yet
};

class Store {
 public:
  virtual ~Store() = default;

  /// How people know this store: its URL without credentials.
  virtual std::string name() const = 0;
  /// False when acknowledged commits may not survive a crash of the process or the machine.
  virtual bool durable() const = 0;
  /// Of a store that outlives the process and yet is not durable: which settings are at fault, and what to set; empty for
  /// any other.
  virtual std::string durability_risk() const { return {}; }
  /// True when people can ask for the details of rows, so that writing them is worth its price.
  virtual bool shows_details() const { return false; }
  /// How many transactions commits have taken so far; those that shared one count once. To be asked in a `done`, it
  /// tells which commits went together. 0: the store does not count.
  virtual std::uint64_t commit_transactions() const { return 0; }
  /// Of a composite store: the stores it is made of. May read them; empty for any other store.
  virtual std::vector<TierReport> tiers() { return {}; }

  // --- partitions and leases ---
  /// Shared partitions are 0 … count-1; the count is fixed when the store is created. Private ones come after.
  virtual std::uint32_t shared_partitions() const = 0;
  /// Makes a partition of its own for one process, so that it never waits for another one's.
  virtual Result<Partition> create_private_partition() = 0;
  /// Takes the partition under the next epoch. Errors: conflict (with retry_after) while another node's lease runs;
  /// not_found when there is no such partition. A node may take its own running lease anew, as after a restart. The notice stays with the node that left it;
  /// another node begins without one.
  /// `now` and `ttl` are the caller's; a wrong clock can cost liveness, never safety.
  virtual Result<Lease> acquire(Partition partition, std::string_view node, Duration ttl, Timestamp now) = 0;
  /// Moves the expiry on, also of an expired lease that nobody took, and replaces its notice with that of `lease`.
  /// Whoever asks for leases() once it returned sees both. Errors: fenced when the epoch is no longer current or the
  /// lease was released; invalid_input for a notice above kLongestNotice.
  virtual Result<Lease> renew(const Lease& lease, Duration ttl, Timestamp now) = 0;
  /// Lets go at once, so that another node need not wait for the expiry; commits queued before it still take effect.
  /// The lease stays listed, expired at the epoch of time. Letting go of a lost lease is no error.
  virtual Status release(const Lease& lease) = 0;
  /// Every lease ever given that is the current one of its partition, expired or not.
  virtual Result<std::vector<Lease>> leases() = 0;

  // --- writing ---
  /// Queues the commit; calls `done` exactly once, from any thread, perhaps before this returns.
  virtual void commit(Commit commit, CommitDone done) = 0;
  /// Drops finished instances for good, each row with its history, and gives how many. A row that is no longer as `rows`
  /// say (partition, updated, seq), or not finished, stays. Durable when it returns. No lease protects an instance that
  /// is taken back to life meanwhile: the caller has a copy, or the partition's lease and nothing of it in the log.
  virtual Result<std::size_t> erase(const std::vector<InstanceRow>& rows) = 0;

  // --- reading ---
  /// Entries at or after `from`, in order, up to about `max_bytes` (at least one when there is one).
  virtual Result<std::vector<LogEntry>> read_log(Partition partition, LogPosition from, std::size_t max_bytes) = 0;
  /// The row with its snapshot. Errors: not_found.
  virtual Result<InstanceRow> instance(std::string_view id) = 0;
  /// Unfinished instances of a partition with their snapshots, by id, after `after_id`: recovery reads these in pages.
  virtual Result<std::vector<InstanceRow>> unfinished(Partition partition, std::string_view after_id, std::size_t limit) = 0;
  /// Errors: invalid_input for a cursor that did not come from a page before.
  virtual Result<InstancePage> list(const ListQuery& query) = 0;
  /// In order of first_seq; empty when there is none.
  virtual Result<std::vector<HistoryChunk>> history(std::string_view instance) = 0;
  /// Errors: not_found.
  virtual Result<DefinitionRow> definition(std::string_view hash) = 0;
  /// All of them by hash, after `after_hash`, in pages.
  virtual Result<std::vector<DefinitionRow>> definitions(std::string_view after_hash, std::size_t limit) = 0;

  // --- the durable inbox ---
  /// Leaves a command for whoever owns the partition. Durable when it returns. Positions grow; a gap is no loss.
  /// Errors: not_found when there is no such partition.
  virtual Result<InboxPosition> post(Partition partition, std::string command) = 0;
  virtual Result<std::vector<InboxEntry>> inbox(Partition partition, InboxPosition after, std::size_t limit) = 0;
  /// Calls `posted`, from any thread, soon after something was posted to a partition, by whichever process; it must not
  /// block or call the store. Only a hint: it may be late, doubled, or missing altogether, so who waits for commands
  /// looks into the inbox now and then. It ends, and no call is under way, when the returned object is let go.
  virtual std::shared_ptr<void> on_post(std::function<void(Partition)> posted) {
    (void)posted;
    return nullptr;
  }
};

/// Opens the store that a URL names: `memory:`, `sqlite:PATH`, `postgres://…`. Creates it when there is none and brings its schema up
/// to date. Errors: invalid_input (no such scheme), invalid_state (schema newer than this program; encrypted, and the URL names no
/// keys), corrupt, unavailable.
Result<std::unique_ptr<Store>> open(std::string_view url);

}  // namespace mapflow::persistence
