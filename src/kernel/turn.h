// One decision in the making. Internal to the kernel: decide() makes a Machine, feeds it one input and takes its commit.
//
// The work is spread over seven files, one idea each:
//   machine.cpp       inputs: what start, a reply, the clock and a signal mean; the agenda
//   requests.cpp      inputs from people: pause, resume, cancel, retry, skip …
//   lifecycle.cpp     a step's way from started to settled: attempts, calls, failures, hooks; frames that advance
//   debugging.cpp     breakpoints, what templates read
//   rewind.cpp        back to a place in the instance's past
//   children.cpp      child instances: started, released, undone
//   budget.cpp        what a call may use, and what becomes of one that may not
//   compensation.cpp  an instance's end: completed, or cancelled and undone
#pragma once

#include <array>
#include <cstddef>
#include <memory_resource>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "kernel/debugging.h"
#include "kernel/machine.h"
#include "kernel/step_kind.h"

namespace mapflow::kernel {

class Machine {
 public:
  Machine(const Program& program, State& state, Timestamp now, const DecideLimits& limits, Commit room)
      : program_(program), state_(state), now_(now), limits_(limits), used_before_(state.ledger.used),
        reserved_before_(state.ledger.reserved), commit_(std::move(room)) {
    commit_.records.reserve(kUsualRecords);
    agenda_.reserve(kUsualRecords);
  }

  Commit decide(const Input& input);
  Commit decide(const Input& input, const Ticket& ticket);

  const Program& program() const { return program_; }
  const State& state() const { return state_; }
  Timestamp now() const { return now_; }
  const Run& run(RunId id) const;
  const StepNode& node(const Run& run) const { return program_.node(run.node); }

  /// Appends a fact and applies it: the one door.
  template <class Body>
  void emit(Body body) {
    const Record& record = commit_.records.emplace_back(now_, RecordBody(std::in_place_type<Body>, std::move(body)));
    if (limits_.events) commit_.events.push_back(describe(program_, state_, record));
    apply(program_, state_, record);
  }

  // --- a step's life (lifecycle.cpp) ---
  void open_frame(RunId owner, BlockIndex block, FrameRole role, std::uint32_t slot, Value locals);
  void place_call(RunId id, std::uint32_t delivery, std::optional<Request> request);
  void finish(RunId id, Value result, StepScope::Writes writes);
  void attempt_failed(RunId id, Error error);
  void give_up(RunId id, Error error);
  void settle(RunId id, StepState state, Value result, StepScope::Writes writes, Rare<Error> error,
              bool tolerated = false);
  /// Gives what `evaluate` makes of the names of a scope, and records both when the instance is debugged.
  template <class Evaluate>
  auto observed(FrameId frame, RunId run, NodeIndex node, const Value& source, const jinja::Scope& scope, Evaluate evaluate)
      -> decltype(evaluate(scope)) {
    if (!state_.debug) return evaluate(scope);
    const Tracing tracing(scope);
    auto result = evaluate(tracing);
    Evaluated evaluated{frame, run, node, source, tracing.names_read(), Value(), std::nullopt};
    if (result) evaluated.result = brief(Value(*result));
    else evaluated.error = result.error();
    emit(std::move(evaluated));
    return result;
  }

  /// Cancels every run below, and gives up their calls in flight. The frames stay until the caller settles `id`.
  void cancel_below(RunId id, std::string_view reason);
  void cancel(RunId id, std::string_view reason);

 private:
  struct Advance { FrameId frame; };       ///< start the frame's next step, or close it
  struct Attend { RunId run; };            ///< do what the run's state asks for
  struct Undoing {};                       ///< start the next compensations, or end the instance
  using Item = std::variant<Advance, Attend, Undoing>;
  static constexpr std::size_t kUsualRecords = 8;  ///< of one decision: room for them is made at once

  // --- inputs (machine.cpp) ---
  void on(const Start& start);
  void on(const Admit&);
  void on(const CallDone& done);
  void on(const Tick&);
  void on(const Recover&);
  void on(const Continue&);
  void on(const Signal& signal);
  void on(const Pause& pause);
  void on(const Resume&);
  void on(const Cancel& cancel);
  void on(const Terminate& terminate);
  void on(const Retry& retry);
  void on(const Skip& skip);
  void on(const Update& update);
  void on(const MakeCheckpoint& make);
  void on(const Rewind& rewind);
  void on(const Debug& debug);
  void on(const StepOnce&);
  void on(const Complete& complete);
  void on(const Impossible& request) { refuse(request.why); }
  void on(const ChildEnded& ended);
  void on(const ChildSpent& spent);
  void on(const Compensate&);
  void refuse(std::string_view what);
  void refuse(Error why);
  Result<RunId> living(const std::string& step) const;
  void leave_suspension();
  void change_budget(const Limits& given);
  std::vector<RunId> parked_runs() const;
  void fire_timers();
  void attend_everything();
  bool going() const;
  bool awaits(RunId id, std::uint32_t attempt) const;
  void drain();
  void carry_out(const Advance& item);
  void carry_out(const Attend& item);
  void carry_out(const Undoing&);

  // --- debugging.cpp ---
  bool halts(const Frame& frame, NodeIndex next);
  void pass_halt(bool stepping);

  // --- lifecycle.cpp ---
  void start_step(const Frame& frame, NodeIndex node);
  void begin_attempt(RunId id);
  void attend_working(const Run& run);
  void close_frame(const Frame& frame);
  void close_branch(const Frame& frame);
  void close_hook(const Frame& frame);
  void redeliver_calls();
  void drop_call(const Run& run);
  void time_out(RunId id);
  void tell_of_change();
  Result<StepScope::Writes> complete_writes(const StepNode& node, const Value& result, StepScope::Writes writes) const;
  Error located(const Run& run, Error error) const;
  std::uint32_t execution_below(RunId owner) const;
  double chance(std::uint64_t salt) const;

  // --- children.cpp ---
  std::string child_id(const Run& run) const;
  void start_child(const Run& run);
  void release_child(const Run& run);
  void release_detached(const Run& run);
  void tell_released_children();

  // --- budget.cpp ---
  /// Whether a call can be paid for, and what would be set aside for it.
  struct Funds {
    enum class Answer : std::uint8_t { now, later, never } answer = Answer::now;
    std::optional<Hold> hold;
    std::string why;
    bool suspend = false;
  };
  std::vector<Allowance> allowances() const;
  Funds funds_for(const Run& run) const;
  bool fund(RunId id, std::optional<Hold>& hold);
  void over_budget(RunId id, Funds funds);
  void wall_time_is_up();
  void try_held(const Run& run);
  bool wake_held();
  void settle_use(RunId id, const Result<Reply>& outcome);

  // --- compensation.cpp ---
  void complete_instance();
  void end_unhappily(Error error, WorkflowState outcome);
  void cancel_everything(std::string_view reason);
  void open_compensation(std::size_t entry);
  void open_custom_compensation();
  void end_compensation();

  const Program& program_;
  State& state_;
  Timestamp now_;
  const DecideLimits& limits_;
  const Spending used_before_;    ///< by this decision
  const Reserve reserved_before_;
  std::array<std::byte, 2 * kUsualRecords * sizeof(Item)> agenda_room_;
  std::pmr::monotonic_buffer_resource agenda_memory_{agenda_room_.data(), agenda_room_.size()};
  std::pmr::vector<Item> agenda_{&agenda_memory_};
  std::size_t next_item_ = 0;  ///< what is before it on the agenda is done
  Commit commit_;
  bool terminating_ = false;  ///< this decision ends the instance at once, and its children with it
};

}  // namespace mapflow::kernel
