#include "testing/causes.h"

#include <algorithm>

namespace mapflow::testing {

using namespace kernel;

namespace {

constexpr std::size_t kLooksAhead = 20'000;  // records of one moment
constexpr std::string_view kTerminated = "terminated: ";

class Finder {
 public:
  explicit Finder(const Situation& situation) : at_(situation), ahead_(of_one_moment(situation.ahead)) {}

  Causes all() {
    take_ticket();
    if (!refused_) {
      while (next<Evaluated>(0)) ahead_ = ahead_.subspan(1);  // of an instance that is debugged
      if (!ahead_.empty()) std::visit([this](const auto& record) { first(record); }, ahead_.front().body);
      look_further();
    }
    if (ticket_) add(Compensate{}, "a request that changed nothing");  // which of them, makes no difference
    add(Tick{}, "that time had passed");
    add(Continue{}, "to go on");
    add(Recover{}, "that it had been read back from the store");
    return std::move(causes_);
  }

 private:
  static std::span<const Record> of_one_moment(std::span<const Record> records) {
    const auto most = records.first(std::min(records.size(), kLooksAhead));
    const auto later = std::ranges::find_if(most, [&](const Record& each) { return each.at != records.front().at; });
    return most.first(static_cast<std::size_t>(later - most.begin()));
  }

  void add(Input input, std::string what) { causes_.all.push_back({std::move(input), std::move(what), ticket_}); }

  template <class Body>
  const Body* next(std::size_t index) const {
    return index < ahead_.size() ? std::get_if<Body>(&ahead_[index].body) : nullptr;
  }
  template <class Body, class Wanted>
  const Body* find(const Wanted& wanted) const {
    for (const Record& each : ahead_)
      if (const auto* found = std::get_if<Body>(&each.body); found && wanted(*found)) return found;
    return nullptr;
  }

  /// A request that came by the inbox is remembered first; by an instance that was over, afterwards.
  void take_ticket() {
    if (const auto* received = next<CommandReceived>(0)) {
      ticket_ = Ticket{received->id, received->command};
      ahead_ = ahead_.subspan(1);
      if (const auto* refused = next<CommandRefused>(0); refused && refused->id == ticket_->id) {
        add(Impossible{refused->error}, "a request that was refused: " + ticket_->command);
        refused_ = true;
      }
    } else if (is_terminal(at_.state.state)) {
      if (const auto* later = find<CommandReceived>([](const auto&) { return true; })) ticket_ = Ticket{later->id, later->command};
    }
  }

  // --- what happens from outside, as its first record shows it ---

  void first(const InstanceStarted& started) {
    Start start;
    start.id = started.id;
    start.correlation_id = started.correlation_id;
    start.parent_id = started.parent_id;
    start.input = started.input;
    const auto& own = at_.program.definition().tags;
    const bool begins = started.tags.size() >= own.size() && std::equal(own.begin(), own.end(), started.tags.begin());
    start.tags.assign(started.tags.begin() + static_cast<std::ptrdiff_t>(begins ? own.size() : 0), started.tags.end());
    start.seed = started.seed;
    start.parent_run = started.parent_run;
    start.parent_attempt = started.parent_attempt;
    start.on_parent_close = started.on_parent_close;
    start.depth = started.depth;
    start.library = started.library;
    start.rerun_of = started.rerun_of;
    start.queued = started.queued;
    start.turn_key = started.turn_key;
    if (const auto* debug = next<DebugSet>(1); debug && debug->on) start.breakpoints = debug->breakpoints;
    add(std::move(start), "to start");
  }

  void first(const SignalReceived& signal) { add(Signal{signal.name, signal.payload}, "signal '" + signal.name + "'"); }
  void first(const ChildCharged& charged) { add(ChildSpent{charged.used, charged.reserved}, "what its sub-workflows used"); }
  void first(const DebugSet& debug) { add(Debug{debug.on, debug.breakpoints}, "to debug"); }
  void first(const CheckpointCreated& made) {
    if (made.path.empty()) add(MakeCheckpoint{made.name}, "to make checkpoint '" + made.name + "'");
  }
  void first(const VariablesUpdated& updated) {
    Update update{Value(Object{}), std::nullopt};
    for (const auto& [name, value] : updated.writes) update.variables.set(Text(name), value);
    if (const auto* budget = next<BudgetChanged>(1)) update.budget = budget_of(budget->limits);
    add(std::move(update), "new values of variables");
  }
  void first(const BudgetChanged& changed) { add(Update{Value(), budget_of(changed.limits)}, "another budget"); }
  void first(const HaltPassed& passed) {
    if (passed.stepping) add(StepOnce{}, "to do one step");
    else add(Resume{}, "to resume");
  }
  void first(const AttemptStarted& started) {
    if (const Run* run = at_.state.run(started.run); run && run->state == StepState::retrying) add(Tick{}, "that time had passed");
    add(Retry{path(started.run)}, "to retry '" + path(started.run) + "'");
  }
  void first(const ChildGone& gone) {
    ChildEnded ended;
    ended.child = gone.child;
    ended.state = gone.ended;
    ended.error = gone.error;
    add(std::move(ended), "the end of '" + gone.child + "'");
  }
  void first(const ChildKept& kept) { outcome_of(kept.run); }
  void first(const ChildReleased&) {
    for (const auto& [run, child] : at_.children)
      if (next<ChildReleased>(0)->child == child) outcome_of(run);
  }
  void first(const CallLeftOpen& open) { outcome_of(open.run); }
  void first(const UseSettled& settled) { outcome_of(settled.run); }
  void first(const StepSucceeded& done) { outcome_of(done.run); }
  void first(const StepRetrying& failed) { outcome_of(failed.run); }
  void first(const StepFaulted& failed) { outcome_of(failed.run); }
  void first(const StepSettled& settled) { outcome_of(settled.run); }
  template <class Body>
  void first(const Body&) {}

  /// Where an instance ends or is held, steps may be given up first.
  void look_further() {
    int changes = 0;
    for (const Record& each : ahead_) {
      if (const auto* changed = std::get_if<StateChanged>(&each.body)) change(*changed);
      else if (const auto* rewound = std::get_if<Rewound>(&each.body)) rewind(*rewound);
      else if (const auto* settled = std::get_if<StepSettled>(&each.body); settled && settled->state == StepState::skipped && at_.state.run(settled->run))
        add(Skip{path(settled->run), settled->result}, "to skip '" + path(settled->run) + "'");
      else continue;
      if (++changes == 3) return;
    }
  }

  void change(const StateChanged& changed) {
    switch (changed.to) {
      case WorkflowState::paused: return add(Pause{changed.reason}, "to pause");
      case WorkflowState::running:
        if (at_.state.state == WorkflowState::pending) return add(Admit{}, "that its turn had come");
        add(Resume{}, "to resume");
        return add(StepOnce{}, "to do one step");
      case WorkflowState::cancelled:
      case WorkflowState::compensating: {
        if (!changed.error) return;
        const std::string& why = changed.error->message;
        add(Cancel{why}, "to cancel");
        add(Terminate{why.starts_with(kTerminated) ? why.substr(kTerminated.size()) : ""}, "to terminate");
        return add(Compensate{}, "to undo what it did");
      }
      default: return;
    }
  }

  void rewind(const Rewound& rewound) {
    auto state = at_.at_mark(rewound);
    if (!state) return;
    Rewind back;
    const std::size_t quote = rewound.to.find('\'');
    if (quote == std::string::npos || rewound.to.size() < quote + 2) return;
    const std::string name = rewound.to.substr(quote + 1, rewound.to.size() - quote - 2);
    (rewound.to.starts_with("checkpoint") ? back.place.checkpoint : back.place.before) = name;
    back.same_execution = rewound.execution == 0;
    back.queued = rewound.as == WorkflowState::pending;
    back.mark = std::make_shared<const Mark>(Mark{*std::move(state), rewound.since});
    add(std::move(back), "to go back to " + rewound.to);
  }

  // --- the outcome of a call ---

  void outcome_of(RunId id) {
    const Run* run = at_.state.run(id);
    if (!run || run->delivery == 0) return;
    const std::string what = "the outcome of '" + path(id) + "'";
    const auto child = at_.children.find(id);
    if (child != at_.children.end()) {
      if (auto ended = at_.find_child(child->second)) add(*std::move(ended), what);
      else causes_.unknown_child = child->second;
    }
    auto outcome = recorded_outcome(id);
    if (!outcome) return;
    if (child != at_.children.end() && !*outcome && outcome->error().cause) {  // it could not be started
      ChildEnded ended;
      ended.child = child->second;
      ended.run = id;
      ended.attempt = run->attempt;
      ended.error = *outcome->error().cause;
      add(std::move(ended), what);
    }
    if (*outcome && !(*outcome)->usage) {  // it may have said that it used nothing
      Reply nothing_used = **outcome;
      nothing_used.usage.emplace();
      add(CallDone{id, run->attempt, *outcome}, what);
      add(CallDone{id, run->attempt, std::move(nothing_used)}, what);
      return;
    }
    add(CallDone{id, run->attempt, *std::move(outcome)}, what);
  }

  std::optional<Result<Reply>> recorded_outcome(RunId id) const {
    Reply reply;
    for (const Record& each : ahead_) {
      if (const auto* used = std::get_if<UseSettled>(&each.body); used && used->run == id) {
        if (!used->used.nothing())
          reply.usage = Usage{static_cast<std::uint64_t>(used->used.input_tokens), static_cast<std::uint64_t>(used->used.output_tokens),
                              dollars(used->used.cost_nanos)};
      } else if (const auto* open = std::get_if<CallLeftOpen>(&each.body); open && open->run == id) {
        reply.pending = true;
        return reply;
      } else if (const auto* done = std::get_if<StepSucceeded>(&each.body); done && done->run == id) {
        reply.result = done->result;
        return reply;
      } else if (const auto* retrying = std::get_if<StepRetrying>(&each.body); retrying && retrying->run == id) {
        return fail(retrying->error);
      } else if (const auto* faulted = std::get_if<StepFaulted>(&each.body); faulted && faulted->run == id) {
        return fail(faulted->error);
      } else if (const auto* settled = std::get_if<StepSettled>(&each.body); settled && settled->run == id) {
        if (settled->error) return fail(*settled->error);
        reply.result = settled->result;
        return reply;
      }
    }
    return std::nullopt;
  }

  static Budget budget_of(const Limits& limits) {
    Budget budget;
    if (limits.tokens) budget.tokens = static_cast<std::uint64_t>(*limits.tokens);
    if (limits.cost_nanos) budget.cost_usd = dollars(*limits.cost_nanos);
    if (limits.steps) budget.steps = static_cast<std::uint64_t>(*limits.steps);
    if (limits.wall_time_us) budget.wall_time = Duration(*limits.wall_time_us);
    return budget;
  }

  std::string path(RunId id) const { return at_.state.run(id) ? at_.state.path(at_.program, id) : std::string(); }

  const Situation& at_;
  std::span<const Record> ahead_;
  std::optional<Ticket> ticket_;
  bool refused_ = false;
  Causes causes_;
};

}  // namespace

Causes possible_causes(const Situation& situation) { return Finder(situation).all(); }

}  // namespace mapflow::testing
