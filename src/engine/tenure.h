// What a shard knows of one partition while it holds the lease: the instances, and the commits on their way.
//
//   requests, inbox ─┐
//   call outcomes  ──┼─> kernel::decide ─> batch ─> Store::commit ··durable··> effects to the dispatcher,
//   timers         ──┘   (state in memory    │                                 answers to the requesters,
//                         runs ahead)        │                                 events to the bus
//                                            └── the next batch is decided while this one is being made durable
//
// A tenure ends as a whole: when a commit fails, everything in memory since then is a guess, so the shard throws the
// tenure away and begins a new one from what the store says. Nothing of a failed batch is ever released.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "engine/batch.h"
#include "engine/clock.h"
#include "engine/dispatcher.h"
#include "engine/event_bus.h"
#include "engine/gauges.h"
#include "engine/instance.h"
#include "engine/letters.h"
#include "engine/log_ledger.h"
#include "engine/options.h"
#include "engine/program_cache.h"
#include "engine/random.h"
#include "engine/recovery.h"
#include "engine/residence.h"
#include "engine/timer_queue.h"
#include "engine/turns.h"
#include "kernel/machine.h"
#include "persistence/store.h"

namespace mapflow::engine {

/// What the tenures of one shard share.
struct ShardParts {
  std::shared_ptr<persistence::Store> store;
  std::shared_ptr<const Clock> clock;
  std::shared_ptr<Random> random;
  std::shared_ptr<ProgramCache> programs;
  std::shared_ptr<EventSink> events;
  LogLine log;
  ShardOptions options;
  std::shared_ptr<Mailbox> mailbox;
  Dispatcher dispatcher;
  InstanceTable instances;
  TimerQueue timers;
  std::size_t resident_bytes = 0;  ///< of the instances in memory, estimated
  Gauges gauges{};

  void say(const std::string& line) const {
    if (log) log("engine", line);
  }
};

/// Thread safety: the shard's.
class Tenure {
 public:
  /// Reads the partition back and takes up its instances. `number` is unique within the shard. Errors: those of
  /// read_partition.
  static Result<std::unique_ptr<Tenure>> begin(ShardParts& parts, persistence::Lease lease, std::uint64_t number);
  /// Takes its instances out of the shard. Who waits for an answer does not get one: call break_off() or surrender() first,
  /// unless this is a crash.
  ~Tenure();
  Tenure(const Tenure&) = delete;
  Tenure& operator=(const Tenure&) = delete;

  const persistence::Lease& lease() const { return lease_; }
  std::uint64_t number() const { return number_; }
  /// Unfinished ones.
  std::size_t instances() const { return by_id_.size(); }
  /// What it was given and has not decided on yet.
  std::size_t undecided() const { return requests_.size() + (inputs_.size() - next_input_) + put_off_.size(); }
  /// Instances that wait for their turn.
  std::size_t queued() const { return turns_.waiting(); }

  void request(Request request);
  /// With the next turn, not only when it is due.
  void look_into_inbox() { inbox_due_ = {}; }
  void give(Work work) { inputs_.push_back(std::move(work)); }
  void tell_progress(const Instance& instance, const ProgressTold& told);
  /// Decides what has come and commits it. Gives false when there was nothing to do, or no room for another commit.
  bool turn(Timestamp now);
  /// When it wants a turn even if nothing comes; kNever: not at all.
  Timestamp next_turn() const;

  /// The oldest commit in flight has its outcome. Errors: that of the commit; the tenure must end then.
  Status committed(const Result<persistence::LogPosition>& position);
  /// Ends it badly: tells everybody who waits. `first` is why the oldest commit in flight failed.
  void break_off(const Error& first);

  /// Begins to end well: nothing new is decided, what is in flight comes to its end; then over() is true.
  void surrender();
  bool over() const { return leaving_ && flushed_ && in_flight_.empty(); }

 private:
  struct Answered {
    Answer answer;
    Result<Value> result;
  };
  /// What one commit carries, and what follows once it is durable.
  struct Batch {
    std::uint64_t number = 0;
    std::size_t log_bytes = 0;
    std::vector<kernel::Effect> effects;
    std::vector<InstanceRef> wishers;  ///< whose effect each is
    std::vector<Answered> answers;
    std::vector<InstanceEvent> events;
    std::vector<InstanceRef> finished;
    bool idle() const { return effects.empty() && answers.empty() && events.empty() && finished.empty(); }
    void append(Batch&& other);
    void clear();
  };
  /// Something to do with a child, once what called for it is durable.
  struct ChildErrand {
    Timestamp due;
    InstanceRef parent;
    std::variant<kernel::StartChild, kernel::TellChild> wish;
  };
  struct Coalesced {
    Timestamp due;
    InstanceRef instance;
  };
  struct PutOff {
    Timestamp due;
    Work work;
  };

  Tenure(ShardParts& parts, persistence::Lease lease, std::uint64_t number);
  Status take_up(RecoveredPartition recovered);

  // --- what comes in (tenure_requests.cpp) ---
  void take_requests();
  void take_commands();
  /// What the request came to; nullopt when its answer comes later. `answer` is taken from only then. `ticket`: of a
  /// command from the inbox, when it has one.
  std::optional<Result<Value>> carry_out(const std::string& id, Demand& demand, Answer& answer,
                                         const kernel::Ticket* ticket = nullptr);
  Result<Value> start(const std::string& id, StartDemand& demand);
  std::optional<Result<Value>> ask(Instance& instance, Demand& demand, Answer& answer, const kernel::Ticket* ticket);
  Result<Value> ask_absent(const std::string& id, const Demand& demand, const kernel::Ticket* ticket = nullptr);
  Result<Value> ask_over(const persistence::InstanceRow& row, const Demand& demand, const kernel::Ticket* ticket);
  Result<kernel::Input> input_for(const Instance& instance, const Demand& demand) const;
  void keep_definition(const kernel::Program& program);
  Result<Instance*> create(const std::string& id, ProgramPtr program, kernel::Start start);
  Instance* find(std::string_view id);

  // --- children (tenure_children.cpp) ---
  void take_child_errands();
  /// Errors: unavailable, when it must be tried again.
  Status start_child(Instance& parent, const kernel::StartChild& wish);
  Status tell_child(Instance& parent, const kernel::TellChild& wish);
  Result<ProgramPtr> child_program(const kernel::StartChild& wish);
  Result<Instance*> revive(const persistence::InstanceRow& row);
  void enroll_child(Instance& child);
  void strike_child(const Instance& child);
  void relay_hold(const Instance& parent, WorkflowState now);
  void report_end(const Instance& child);
  void close_children(const Instance& parent);
  void settle_recovered_children();
  void look_up_allowances(std::string_view parent_id);
  void charge_parent(Instance& instance, const kernel::Spending& used, const kernel::Reserve& reserved);

  // --- turns (tenure_turns.cpp) ---
  Result<bool> take_turn_again(const Instance& instance);
  Result<bool> must_wait(const Definition& definition, const std::string& key) const;
  void replace_others(const std::string& id, const Definition& definition, const std::string& key);
  Status take_turn(const std::string& id, const kernel::Program& program, kernel::Start& start);
  void enroll_turn(const Instance& instance);
  void end_turn(const Instance& instance);
  void give_turns(const std::string& workflow);

  // --- deciding (tenure.cpp) ---
  void decide_inputs();
  /// Why the request was refused, if it was.
  std::optional<Error> decide(Instance& instance, const kernel::Input& input, const kernel::Ticket* ticket = nullptr);
  void arm_untouched(Instance& instance, const kernel::Input& input);
  void take_records(Instance& instance, const kernel::Commit& commit);
  void follow_state(Instance& instance);
  /// The shard counts it among those in this state, unless it is over. nullopt: no more at all.
  void count_as(Instance& instance, std::optional<WorkflowState> state);

  // --- memory (tenure_memory.cpp) ---
  /// Its state is there, read back if it slept. Errors: those of the store; corrupt.
  Status wake(Instance& instance);
  bool could_sleep(const Instance& instance) const;
  void put_to_sleep(Instance& instance);
  /// After recovery: those that have children. Errors: unavailable.
  Status wake_parents();
  /// Over the budget: puts to sleep what can, and wants rows of what could. True when anything went to sleep.
  bool make_room();
  void weigh(Instance& instance);
  /// An input that its instance could not be woken for: tried again later, unless its snapshot is damaged.
  void put_off(Work work, const Error& why);
  void take_up_put_off();
  void stand_still(Instance& instance, const Error& why);

  // --- committing (tenure.cpp) ---
  bool submit();
  void write_rows();
  void write_row(Instance& instance);
  void checkpoint(Instance& instance);
  void want_row(Instance& instance, bool at_once);
  void release(Batch batch);
  void flush();
  void remove(Instance& instance);

  ShardParts& parts_;
  const persistence::Lease lease_;
  const std::uint64_t number_;
  Timestamp now_{};
  kernel::DecideLimits limits_;
  std::vector<kernel::Allowance> allowances_;  ///< of the parents of the child that is being decided
  kernel::Commit room_;                        ///< the last decision's, for the memory of the next one
  std::vector<InstanceRef> fund_waiters_;      ///< children with calls that wait for a parent's budget

  std::unordered_map<std::string_view, InstanceRef> by_id_;
  std::unordered_map<std::string, std::vector<InstanceRef>> children_;  ///< alive, by the parent's id
  std::deque<ChildErrand> child_errands_;
  Turns turns_;
  std::map<std::string, Error, std::less<>> unreadable_;
  std::unordered_map<std::string, std::vector<Answer>> watchers_;
  std::set<std::string, std::less<>> definitions_;  ///< hashes that the store has

  std::deque<Request> requests_;
  std::vector<Work> inputs_;
  std::size_t next_input_ = 0;
  std::deque<PutOff> put_off_;
  persistence::InboxPosition inbox_read_;
  Timestamp inbox_due_{};

  persistence::Commit commit_;    ///< being built, with writer_ and batch_
  BatchWriter writer_;
  Batch batch_;
  Batch spare_;                   ///< keeps its vectors' memory for the next batch
  std::vector<InstanceRef> rows_; ///< wanted in this commit
  std::deque<Coalesced> coalesced_;
  std::deque<Batch> in_flight_;
  std::uint64_t batch_number_ = 1;      ///< of the batch being built
  std::uint64_t released_through_ = 0;  ///< the newest batch that was released

  LogLedger ledger_;
  UncoveredList uncovered_;
  Residence residence_;

  bool leaving_ = false;
  bool flushed_ = false;
};

}  // namespace mapflow::engine
