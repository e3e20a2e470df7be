// A shard runs a share of the instances, one turn after the other. This loop runs the whole engine:
//
//      letters ──────────────┐            ┌── durable ── CommitOutcome
//      (requests, outcomes,  v            v
//       leases)          ┌─ turn ────────────────────────────────────────────────────────┐
//                        │ 1. read the letters: hand each to the tenure it is for         │
//      timers due ──────>│ 2. Tick whoever is due                                         │──> Store::commit
//                        │ 3. every tenure decides what it was given (kernel::decide),    │    one per partition
//                        │    and commits it; what became durable is released:            │
//                        │    calls to the dispatcher, answers, events                    │──> agents, handlers
//                        └───────────────────────────── until nothing is left to do ──────┘
//
// A shard is a set of tenures (tenure.h), one per partition that it holds the lease of. It never blocks but on reads of
// the store, starts no threads, reads no clock but the one it was given, and may be destroyed at any moment: letters
// that come later are dropped. That is what a crash looks like to the rest.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "engine/tenure.h"

namespace mapflow::engine {

struct ShardContext {
  std::shared_ptr<Executor> executor;
  std::shared_ptr<const Clock> clock;
  std::shared_ptr<Random> random;
  std::shared_ptr<persistence::Store> store;
  std::shared_ptr<ProgramCache> programs;
  std::shared_ptr<EventSink> events;  ///< may be null
  DispatchParts dispatch;
  LogLine log;                        ///< may be empty
  ShardOptions options;
  /// A commit failed or a partition could not be read back: the lease is of no use until it is acquired anew.
  std::function<void(const persistence::Lease& lease, const Error& why)> broken;
};

/// Thread safety: every public call may come from any thread. It lives on its executor.
class Shard : public std::enable_shared_from_this<Shard> {
 public:
  static std::shared_ptr<Shard> make(ShardContext context);

  void request(Request request) { mailbox_->post(std::move(request)); }
  /// The node has this lease now: read the partition back and run it.
  void adopt(persistence::Lease lease) { mailbox_->post(Adopt{std::move(lease), parts_.clock->now()}); }
  /// The lease is lost: drop what rests on it.
  void abandon(persistence::Partition partition) { mailbox_->post(Abandon{partition}); }
  /// Stop running the partition. `done` is called when the last commit is through, or at once when there is nothing.
  void surrender(persistence::Partition partition, std::move_only_function<void()> done) {
    mailbox_->post(Surrender{partition, std::move(done)});
  }
  /// Something may have been posted to the partition's inbox: look into it now.
  void glance(persistence::Partition partition) { mailbox_->post(Glance{partition}); }
  /// `done` is called when no message without an answer is on its way any more.
  void drain(std::move_only_function<void()> done) { mailbox_->post(Drain{std::move(done)}); }
  /// Adds what it has to do now. Waits for nothing.
  void add_to(Load& load) const;

 private:
  explicit Shard(ShardContext context);
  void turn();
  bool read_letters();
  bool fire_timers(Timestamp now);
  bool run_tenures(Timestamp now);
  void arm(Timestamp now);
  void note_load();
  void tell_serving(const Tenure& tenure, Timestamp given) const;
  Tenure* tenure_of(persistence::Partition partition);

  void on(CallOutcome& letter);
  void on(GateAnswer& letter);
  void on(ProgressTold& letter);
  void on(WorkDue& letter) { parts_.dispatcher.work(std::move(letter.task)); }
  void on(CommitOutcome& letter);
  void on(Request& letter);
  void on(Adopt& letter);
  void on(Abandon& letter);
  void on(Surrender& letter);
  void on(Glance& letter);
  void on(Drain& letter);

  const std::shared_ptr<Mailbox> mailbox_;
  const std::function<void(const persistence::Lease&, const Error&)> broken_;
  ShardParts parts_;
  std::map<persistence::Partition, std::unique_ptr<Tenure>> tenures_;
  std::map<persistence::Partition, std::vector<std::move_only_function<void()>>> surrendered_;
  std::vector<std::move_only_function<void()>> draining_;
  std::vector<Letter> letters_;
  std::uint64_t last_tenure_ = 0;
  Timestamp armed_ = kNever;
};

}  // namespace mapflow::engine
