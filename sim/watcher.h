// Sees every commit at the moment when it becomes durable, below whatever pretends that it failed, and checks what must
// hold then: one owner, no gap, lawful records, snapshots that are the replayed state, nothing cut off the log that is
// still needed, no call before its record.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/program_cache.h"
#include "kernel/history.h"
#include "model/message.h"
#include "persistence/store.h"
#include "sim/audit.h"
#include "sim/verdict.h"

namespace mapflow::sim {

/// What is known to be durable of one instance, and what became of its calls.
struct Witnessed {
  RecordAudit audit;
  Calls calls;
  std::set<std::string> placed;                     ///< envelope ids of calls whose record is durable
  std::map<std::string, std::uint32_t> received;    ///< signals, by name
  std::map<std::string, std::uint32_t> ended;       ///< attempts that are over, by the token of their call
  std::set<std::string> updated;                    ///< variables that people have set
  std::set<std::string> skipped;                    ///< paths of steps that people have skipped
  std::uint32_t rewinds = 0;
  bool has_place = false;                           ///< it runs, or ran and has not ended since
  std::map<std::string, std::string> sent;          ///< by idempotency key: what was sent
  std::uint64_t covered = 0;                        ///< its row's snapshot is the state after this record
  bool row = false;
  bool row_finished = false;
};

class Watcher {
 public:
  /// `children`: of sub-workflows. `mended`: people ask for retries before their time.
  explicit Watcher(engine::ProgramPtr program, std::vector<engine::ProgramPtr> children = {}, bool mended = false)
      : program_(std::move(program)), children_(std::move(children)), mended_(mended) {}

  // --- what the store tells ---
  void acquired(const persistence::Lease& lease);
  void committed(const persistence::Commit& commit, persistence::LogPosition position);

  // --- what agents and handlers tell ---
  void called(const Envelope& envelope);
  /// An agent that may have `most` calls under way has so many at one node, until `gone`.
  void under_way(const std::shared_ptr<const bool>& gone, std::size_t calls, std::size_t most);

  const Witnessed* instance(const std::string& id) const;
  const std::map<std::string, Witnessed>& instances() const { return instances_; }
  /// The paths of the instance's steps that are under way.
  std::vector<std::string> living_steps(const std::string& id) const;
  /// The instance's calls that will be answered by their tokens.
  std::vector<kernel::OpenCall> open_calls(const std::string& id) const;
  /// How often the partition changed hands.
  std::uint64_t epoch(persistence::Partition partition) const;
  /// Log entries that hold records no snapshot covers, over all partitions.
  std::size_t uncovered_entries() const;
  std::uint64_t hash() const { return hash_; }
  std::uint64_t commits() const { return commits_; }
  const std::vector<std::string>& problems() const { return problems_; }
  void problem(std::string what) { problems_.push_back(std::move(what)); }
  /// Told of every instance after each commit that changed it.
  std::function<void(const std::string& id, const kernel::State& state)> changed;
  /// Told of every record before it is applied.
  std::function<void(const kernel::Program& program, const kernel::State& before, const kernel::Record& record)> trace;

 private:
  struct Entry {
    persistence::LogPosition position;
    std::map<std::string, std::uint64_t> last_seq;  ///< by instance
  };
  struct PartitionBooks {
    std::uint64_t epoch = 0;
    std::string node;
    std::deque<Entry> log;
  };

  bool take_log(PartitionBooks& books, const std::string& bytes, persistence::LogPosition position);
  bool take_records(const std::string& id, std::uint64_t first_seq, std::uint64_t count, std::string_view records);
  void note_end_of_attempt(Witnessed& known, const kernel::Program& program, const kernel::Record& record);
  void take_row(const persistence::InstanceRow& row);
  void cut_log(PartitionBooks& books, persistence::LogPosition before);
  void check_turns();

  const kernel::Program& program_of(const std::string& workflow) const;

  std::map<std::shared_ptr<const bool>, std::size_t> under_way_;  ///< by node
  const engine::ProgramPtr program_;
  const std::vector<engine::ProgramPtr> children_;
  const bool mended_;
  std::map<std::string, Witnessed> instances_;
  std::map<persistence::Partition, PartitionBooks> partitions_;
  std::uint64_t hash_ = 0;
  std::uint64_t commits_ = 0;
  std::vector<std::string> problems_;
};

/// `inner`, watched. The watcher must outlive it.
std::shared_ptr<persistence::Store> make_watched_store(std::shared_ptr<persistence::Store> inner, Watcher& watcher);

}  // namespace mapflow::sim
