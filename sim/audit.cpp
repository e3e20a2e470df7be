#include "sim/audit.h"

#include <fmt/format.h>

#include <variant>

namespace mapflow::sim {

using namespace kernel;

/// One record against the books. Every check gives a text when it fails, and the books are only kept when none does.
class RecordAudit::Checker {
 public:
  Checker(RecordAudit& audit, const Program& program, Timestamp at) : audit_(audit), program_(program), at_(at) {}

  std::string operator()(const InstanceStarted& record) const {
    return audit_.state_.seq == 0 ? "" : "instance '" + record.id + "' starts twice";
  }

  std::string operator()(const StateChanged& record) const {
    if (!may_follow(audit_.state_.state, record.to))
      return fmt::format("the workflow goes from {} to {}", to_string(audit_.state_.state), to_string(record.to));
    if (record.to == WorkflowState::timed_out && at_ < audit_.state_.deadline) return "the workflow times out early";
    if (record.to == WorkflowState::completed && !audit_.running_.empty()) return "the workflow completes while steps run";
    if (is_terminal(record.to) || record.to == WorkflowState::compensating) {
      audit_.running_.clear();
      audit_.open_.clear();
    }
    return "";
  }

  std::string operator()(const FrameOpened& record) const {
    if (record.frame.value != audit_.last_frame_ + 1) return fmt::format("block {} follows block {}", record.frame.value, audit_.last_frame_);
    if (record.owner != kNoRun && !audit_.running_.contains(record.owner)) return "a block opens in a step that does not run";
    audit_.last_frame_ = record.frame.value;
    audit_.open_.insert(record.frame);
    return record.role == FrameRole::compensation ? undoing_begins(record.slot) : "";
  }

  std::string operator()(const FrameClosed& record) const {
    return audit_.open_.erase(record.frame) == 1 ? "" : fmt::format("block {} closes, but is not open", record.frame.value);
  }

  std::string operator()(const StepStarted& record) const {
    if (record.run.value != audit_.last_run_ + 1) return fmt::format("run {} follows run {}", record.run.value, audit_.last_run_);
    for (const auto& [id, books] : audit_.running_)
      if (books.frame == record.frame) return fmt::format("run {} starts while run {} of its block runs", record.run.value, id.value);
    audit_.last_run_ = record.run.value;
    Books& books = audit_.running_[record.run];
    books.node = record.node;
    books.frame = record.frame;
    books.total_deadline = record.total_deadline;
    return "";
  }

  std::string operator()(const AttemptStarted& record) const {
    Books* books = find(record.run);
    if (!books) return lost(record.run);
    if (record.attempt != books->attempt + 1) return fmt::format("attempt {} follows attempt {}", record.attempt, books->attempt);
    if (books->attempt > 0 && !books->faulted && books->state != StepState::retrying) return "an attempt follows one that has not failed";
    if (books->state == StepState::retrying && at_ < books->due && !audit_.early_retries_) return "a retry fires early";
    books->attempt = record.attempt;
    books->delivery = 0;
    books->state = StepState::running;
    books->due = kNever;
    books->deadline = record.deadline;
    books->faulted = false;
    return "";
  }

  std::string operator()(const CallPlaced& record) const {
    Books* books = find(record.run);
    if (!books) return lost(record.run);
    const WorkflowState now = audit_.state_.state;
    const bool goes = now == WorkflowState::running || now == WorkflowState::compensating;
    // Of a suspended instance a person may have one step tried again while others still hold it back.
    const bool asked_for = audit_.early_retries_ && now == WorkflowState::suspended;
    if (!goes && !asked_for && record.delivery == 1) return fmt::format("a call is placed while the instance is {}", to_string(now));
    if (record.delivery != books->delivery + 1) return fmt::format("delivery {} follows delivery {}", record.delivery, books->delivery);
    books->delivery = record.delivery;
    books->state = StepState::running;
    books->placed = at_;
    return over_budget(record);
  }

  std::string operator()(const StepWaiting& record) const {
    Books* books = find(record.run);
    if (!books) return lost(record.run);
    const bool looked_again = books->state == StepState::waiting && for_condition(*books) && !waits_still(*books);
    if (!looked_again && !may_follow(books->state, StepState::waiting)) return transition(*books, StepState::waiting);
    books->state = StepState::waiting;
    books->due = record.due;
    return "";
  }

  std::string operator()(const Noted& record) const { return find(record.run) ? "" : lost(record.run); }

  std::string operator()(const StepRetrying& record) const {
    Books* books = find(record.run);
    if (!books) return lost(record.run);
    if (!may_follow(books->state, StepState::retrying)) return transition(*books, StepState::retrying);
    if (std::string early = too_early(*books, record.error); !early.empty()) return early;
    books->state = StepState::retrying;
    books->due = record.due;
    return "";
  }

  std::string operator()(const StepFaulted& record) const {
    Books* books = find(record.run);
    if (!books) return lost(record.run);
    if (std::string early = too_early(*books, record.error); !early.empty()) return early;
    books->faulted = true;
    books->state = StepState::running;
    books->due = books->deadline = kNever;
    return "";
  }

  std::string operator()(const StepSucceeded& record) const {
    Books* books = find(record.run);
    if (!books) return lost(record.run);
    if (ends_early(*books)) return "a wait ends early";
    books->state = StepState::running;
    books->due = books->deadline = kNever;
    return "";
  }

  std::string operator()(const StepSettled& record) const {
    Books* books = find(record.run);
    if (!books) return lost(record.run);
    if (!is_settled(record.state) || !may_follow(books->state, record.state)) return transition(*books, record.state);
    if (record.state == StepState::completed && ends_early(*books)) return "a wait ends early";
    if (record.error && record.state == StepState::timed_out)
      if (std::string early = too_early(*books, *record.error); !early.empty()) return early;
    for (const auto& [id, other] : audit_.running_)
      if (const Frame* frame = audit_.state_.frame(other.frame); frame && frame->owner == record.run)
        return fmt::format("run {} settles before run {} inside it", record.run.value, id.value);
    const Frame* around = audit_.state_.frame(books->frame);
    const bool undoing = around && around->role == FrameRole::compensation;
    const bool undoable = program_.node(books->node).compensate != kNoBlock || books->kept_child;
    if (record.state == StepState::completed && undoable && !undoing)
      audit_.to_undo_.push_back(books->node);
    for (const auto& [id, frame] : audit_.state_.frames)
      if (frame.owner == record.run) audit_.open_.erase(id);
    audit_.running_.erase(record.run);
    return "";
  }

  std::string operator()(const StepSkipped&) const { return ""; }
  std::string operator()(const SignalReceived&) const { return ""; }
  std::string operator()(const TimerFired& record) const {
    const Books* books = find(record.run);
    if (!books) return lost(record.run);
    return waits_still(*books) ? "a timer fires early" : "";
  }
  std::string operator()(const CommandReceived&) const { return ""; }
  std::string operator()(const CommandRefused& record) const {
    return audit_.state_.command(record.id) ? "" : "a command is refused that never came: " + record.id;
  }
  std::string operator()(const SignalTaken& record) const {
    return audit_.state_.signals.contains(record.name) ? "" : "a signal is taken that is not there: " + record.name;
  }
  std::string operator()(const CallLeftOpen& record) const { return find(record.run) ? "" : lost(record.run); }
  std::string operator()(const CallHeld& record) const {
    Books* run = find(record.run);
    if (!run) return lost(record.run);
    if (run->state != StepState::running && run->state != StepState::waiting) return "the call of a step is held that does not run";
    run->state = StepState::waiting;
    return "";
  }
  std::string operator()(const UseSettled& record) const { return find(record.run) ? "" : lost(record.run); }
  std::string operator()(const ChildCharged&) const { return ""; }
  std::string operator()(const BudgetChanged&) const { return ""; }
  std::string operator()(const ChildKept& record) const {
    Books* books = find(record.run);
    if (!books) return lost(record.run);
    books->kept_child = true;
    return "";
  }
  std::string operator()(const ChildReleased& record) const {
    return audit_.state_.released.contains(record.child) ? "a child is released twice: " + record.child : "";
  }
  std::string operator()(const ChildGone& record) const {
    return audit_.state_.released.contains(record.child) ? "" : "a child is gone that nobody waited for: " + record.child;
  }
  std::string operator()(const CheckpointCreated& record) const {
    const WorkflowState now = audit_.state_.state;
    return is_terminal(now) || now == WorkflowState::compensating ? "a checkpoint is made of an instance that is ending: " + record.name : "";
  }
  std::string operator()(const DebugSet&) const { return ""; }
  std::string operator()(const Halted&) const { return audit_.state_.debug ? "" : "an instance that is not debugged is stopped"; }
  std::string operator()(const HaltPassed&) const { return audit_.state_.debug ? "" : "an instance that is not debugged is let go"; }
  std::string operator()(const Evaluated&) const { return audit_.state_.debug ? "" : "a template is recorded of an instance that is not debugged"; }
  std::string operator()(const Rewound& record) const {
    if (!audit_.running_.empty()) return "an instance is rewound while steps run";
    if (record.back_to > audit_.state_.seq) return "an instance is rewound to what has not been";
    return "";
  }
  std::string operator()(const VariablesUpdated&) const {
    const WorkflowState now = audit_.state_.state;
    const bool held = now == WorkflowState::paused || now == WorkflowState::suspended;
    return held ? "" : "variables are set from outside while the instance runs";
  }

 private:
  Books* find(RunId run) const {
    const auto found = audit_.running_.find(run);
    return found == audit_.running_.end() ? nullptr : &found->second;
  }
  /// No call is placed that the instance's own budget does not pay for, whatever is under way beside it.
  std::string over_budget(const CallPlaced& record) const {
    const Ledger& ledger = audit_.state_.ledger;
    const Run* const run = audit_.state_.run(record.run);
    if (record.delivery > 1 || audit_.state_.state != WorkflowState::running || !run) return "";
    if ((record.request ? record.request : run->request)->kind == Request::Kind::workflow) return "";
    const Reserve hold = record.hold ? record.hold->amount : Reserve{};
    const Limits& limits = ledger.limits;
    const bool steps = limits.steps && ledger.used.steps >= *limits.steps;
    const bool tokens = limits.tokens && ledger.used.tokens() + ledger.reserved.tokens + hold.tokens > *limits.tokens;
    const bool money = limits.cost_nanos && ledger.used.cost_nanos + ledger.reserved.cost_nanos + hold.cost_nanos > *limits.cost_nanos;
    return steps || tokens || money ? fmt::format("the call of run {} is placed beyond the budget", record.run.value) : "";
  }

  static std::string lost(RunId run) { return fmt::format("something happens to run {}, which does not run", run.value); }
  static std::string transition(const Books& books, StepState next) {
    return fmt::format("a step goes from {} to {}", to_string(books.state), to_string(next));
  }
  bool waits_still(const Books& books) const {
    return books.state == StepState::waiting && books.due != kNever && at_ < books.due;
  }
  bool for_condition(const Books& books) const { return program_.node(books.node).step->fields.find("condition") != nullptr; }
  /// A condition may hold at any time.
  bool ends_early(const Books& books) const { return waits_still(books) && !for_condition(books); }
  /// An agent may say `timeout` too; the engine's own has no cause and comes from a time limit that has passed.
  std::string too_early(const Books& books, const Error& error) const {
    const Step& step = *program_.node(books.node).step;
    if (!error.is(code::timeout) || error.step != step.id || error.cause) return "";
    if (at_ >= books.deadline || at_ >= books.total_deadline) return "";
    const Value* heartbeat = step.fields.find("heartbeat");
    if (!heartbeat) return "a time limit passes early";
    return at_ < books.placed + *parse_duration(heartbeat->as_text()) ? "a heartbeat is missed early" : "";
  }
  std::string undoing_begins(std::uint32_t entry) const {
    if (entry >= audit_.to_undo_.size()) return "something is undone that was not done";
    for (const std::uint32_t before : audit_.undone_) {
      if (before == entry) return fmt::format("entry {} is undone twice", entry);
      const CompensationStrategy strategy = program_.definition().compensation_strategy;
      if (strategy == CompensationStrategy::backward && before < entry) return "compensation does not go backward";
      if (strategy == CompensationStrategy::forward && before > entry) return "compensation does not go forward";
    }
    audit_.undone_.push_back(entry);
    return "";
  }

  RecordAudit& audit_;
  const Program& program_;
  const Timestamp at_;
};

std::string RecordAudit::next(const Program& program, const Record& record) {
  if (state_.seq == 0 && !std::holds_alternative<InstanceStarted>(record.body)) return "the first record does not start an instance";
  std::string wrong = std::visit(Checker(*this, program, record.at), record.body);
  if (wrong.empty()) apply(program, state_, record);
  if (wrong.empty() && std::holds_alternative<Rewound>(record.body)) open_new_books();
  return wrong;
}

void RecordAudit::open_new_books() {
  running_.clear();
  open_.clear();
  to_undo_.clear();
  undone_.clear();
  for (const auto& [id, run] : state_.runs)
    running_[id] = {.node = run.node, .frame = run.frame, .state = run.state, .attempt = run.attempt, .delivery = run.delivery,
                    .faulted = run.phase != Phase::working, .kept_child = !run.kept_child.empty(), .due = run.due, .deadline = run.deadline,
                    .total_deadline = run.total_deadline};
  for (const auto& [id, frame] : state_.frames) open_.insert(id);
  for (const Undo& undo : state_.undo) to_undo_.push_back(undo.node);
  last_run_ = state_.last_run;
  last_frame_ = state_.last_frame;
}

std::string RecordAudit::end() const {
  if (!is_terminal(state_.state)) return fmt::format("the instance is still {}", to_string(state_.state));
  if (!running_.empty() || !state_.runs.empty() || !state_.frames.empty()) return "steps of an ended instance still run";
  const bool undid = state_.state == WorkflowState::compensated;
  for (const Undo& undo : state_.undo)
    if (undid && undo.state != UndoState::done && state_.custom_undo != UndoState::done) return "a step was not undone: " + undo.path;
  return "";
}

}  // namespace mapflow::sim
