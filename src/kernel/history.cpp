#include "kernel/history.h"

#include <algorithm>
#include <map>

#include "model/message.h"

namespace mapflow::kernel {

// --- events -------------------------------------------------------------------------------------------------------

Value Event::to_value() const {
  Value out = object({{"seq", seq}, {"at", format_timestamp(at)}, {"type", type}});
  if (!path.empty()) out.set("path", path);
  if (!step.empty()) out.set("step", step);
  if (!kind.empty()) out.set("kind", kind);
  if (data.is_object())
    for (const auto& [key, value] : data.as_object()) out.set(key, value);
  return out;
}

namespace {

/// The names in the document of an outcome. One is made of every instance that ends, so they are made once and shared.
struct OutcomeNames {
  Text instance_id = "instance_id", workflow = "workflow", version = "version", state = "state", reason = "reason",
       results = "results", variables = "variables", errors = "errors", metrics = "metrics";
  Text duration_seconds = "duration_seconds", steps_completed = "steps_completed", steps_failed = "steps_failed",
       steps_skipped = "steps_skipped", steps_cancelled = "steps_cancelled", retries = "retries", calls = "calls",
       compensations = "compensations", use = "use", success_rate = "success_rate";
  Text input_tokens = "input_tokens", output_tokens = "output_tokens", assumed_tokens = "assumed_tokens", cost_usd = "cost_usd",
       steps = "steps";
};
const OutcomeNames& outcome_names() {
  static const OutcomeNames kNames;
  return kNames;
}

Value spending_document(const Spending& spent) {
  const OutcomeNames& names = outcome_names();
  return object({{names.input_tokens, spent.input_tokens}, {names.output_tokens, spent.output_tokens},
                 {names.assumed_tokens, spent.assumed_tokens}, {names.cost_usd, dollars(spent.cost_nanos)},
                 {names.steps, spent.steps}});
}

Value limits_document(const Limits& limits) {
  Value out(Object{});
  if (limits.tokens) out.set("tokens", *limits.tokens);
  if (limits.cost_nanos) out.set("cost_usd", dollars(*limits.cost_nanos));
  if (limits.steps) out.set("steps", *limits.steps);
  if (limits.wall_time_us) out.set("wall_time", format_duration(Duration(*limits.wall_time_us)));
  return out;
}

double seconds(Duration span) { return static_cast<double>(span.count()) / 1e6; }

/// Fills in what a record means. The record is about to be applied to `before`.
class Describer {
 public:
  Describer(const Program& program, const State& before, Event& event) : program_(program), before_(before), event_(event) {}

  void operator()(const InstanceStarted& record) {
    type("workflow.started");
    put("instance", record.id);
    put("workflow", record.workflow);
    put("version", record.version);
    put("definition", record.definition);
    if (!record.correlation_id.empty()) put("correlation_id", record.correlation_id);
    if (!record.parent_id.empty()) put("parent", record.parent_id);
    if (!record.rerun_of.empty()) put("rerun_of", record.rerun_of);
    put("input", record.input);
  }

  void operator()(const StateChanged& record) {
    const bool begins = before_.state == WorkflowState::pending;
    if (record.to != WorkflowState::running) type("workflow." + std::string(to_string(record.to)));
    else type(begins ? "workflow.admitted" : "workflow.resumed");
    if (!record.reason.empty()) put("reason", record.reason);
    if (is_terminal(record.to)) put_seconds(before_.started);
    put_error(record.error);
  }

  void operator()(const FrameOpened& record) {
    if (record.role == FrameRole::compensation) {
      const Undo& undo = before_.undo[record.slot];
      type("step.compensating");
      name(undo.node, undo.path);
      return;
    }
    type("block.opened");
    if (const Run* owner = before_.run(record.owner)) name(*owner);
    put("slot", record.slot);
    const BlockNode& block = program_.block(record.block);
    if (block.branch) put("role", block.branch->role);
    if (!record.locals.is_null()) put("locals", record.locals);
  }

  void operator()(const FrameClosed& record) {
    const Frame& frame = *before_.frame(record.frame);
    if (frame.role == FrameRole::compensation) {
      const Undo& undo = before_.undo[frame.slot];
      type(record.succeeded ? "step.compensated" : "step.compensation_failed");
      name(undo.node, undo.path);
    } else {
      type("block.closed");
      if (const Run* owner = before_.run(frame.owner)) name(*owner);
      put("slot", frame.slot);
      put("succeeded", record.succeeded);
    }
    if (record.keep) put("value", record.value);
    put_error(record.error);
  }

  void operator()(const StepStarted& record) {
    type("step.started");
    name(record.node, before_.path_in(program_, record.frame, record.node));
  }

  void operator()(const StepSkipped& record) {
    type("step.skipped");
    name(record.node, before_.path_in(program_, record.frame, record.node));
  }

  void operator()(const AttemptStarted& record) {
    about(record.run, "step.attempt");
    put("attempt", record.attempt);
    if (record.deadline != kNever) put("deadline", format_timestamp(record.deadline));
  }

  void operator()(const CallPlaced& record) {
    about(record.run, "step.called");
    put("attempt", before_.run(record.run)->attempt);
    put("delivery", record.delivery);
    if (record.request) put("input", to_value(*record.request));
  }

  void operator()(const CallLeftOpen& record) {
    const Run& run = *before_.run(record.run);
    about(record.run, "step.left_open");
    put("token", before_.idempotency_key(program_, run));
  }

  void operator()(const CallHeld& record) { about(record.run, "step.held"); }

  void operator()(const UseSettled& record) {
    about(record.run, "step.use");
    put("use", spending_document(record.used));
  }

  void operator()(const ChildCharged& record) {
    type("budget.charged");
    put("use", spending_document(record.used));
  }

  void operator()(const BudgetChanged& record) {
    type("budget.changed");
    put("budget", limits_document(record.limits));
  }

  void operator()(const StepWaiting& record) {
    about(record.run, "step.waiting");
    if (record.due != kNever) put("due", format_timestamp(record.due));
    if (!record.signal.empty()) put("signal", record.signal);
  }

  void operator()(const Noted& record) {
    about(record.run, "step.noted");
    put("memo", record.memo);
  }

  void operator()(const StepRetrying& record) {
    about(record.run, "step.retrying");
    put("attempt", before_.run(record.run)->attempt);
    put("due", format_timestamp(record.due));
    put("error", to_value(record.error));
  }

  void operator()(const StepFaulted& record) {
    about(record.run, "step.faulted");
    put("error", to_value(record.error));
  }

  void operator()(const StepSucceeded& record) {
    about(record.run, "step.succeeded");
    put("result", record.result);
  }

  void operator()(const StepSettled& record) {
    about(record.run, "step." + std::string(to_string(record.state)));
    const Run& run = *before_.run(record.run);
    put("attempt", run.attempt);
    put_seconds(run.started);
    if (record.state == StepState::completed) put("result", record.result);
    if (record.tolerated) put("tolerated", true);
    for (const auto& [variable, value] : record.writes) event_.data.mutable_object()["variables"].set(variable, value);
    put_error(record.error);
  }

  void operator()(const ChildKept& record) {
    about(record.run, "step.child_kept");
    put("child", record.child);
  }

  void operator()(const ChildReleased& record) {
    if (record.how == Release::undo) {
      const Undo& undo = before_.undo[record.undo];
      type("step.compensating");
      name(undo.node, undo.path);
    } else {
      type("child.released");
    }
    put("child", record.child);
  }

  void operator()(const ChildGone& record) {
    const Released& released = before_.released.at(record.child);
    if (released.how == Release::undo) {
      const Undo& undo = before_.undo[released.undo];
      type(record.ended == WorkflowState::compensated ? "step.compensated" : "step.compensation_failed");
      name(undo.node, undo.path);
    } else {
      type("child.ended");
    }
    put("child", record.child);
    put("state", to_string(record.ended));
    put_error(record.error);
  }

  void operator()(const VariablesUpdated& record) {
    type("variables.updated");
    Value variables(Object{});
    for (const auto& [name, value] : record.writes) variables.set(name, value);
    put("variables", variables);
  }

  void operator()(const CheckpointCreated& record) {
    type("checkpoint.created");
    put("name", record.name);
    event_.path = record.path;
  }

  void operator()(const DebugSet& record) {
    type("debug.set");
    put("on", record.on);
    Array breakpoints;
    for (const std::string& each : record.breakpoints) breakpoints.push_back(each);
    put("breakpoints", Value(std::move(breakpoints)));
  }

  void operator()(const Halted& record) {
    type("debug.halted");
    name(record.node, before_.path_in(program_, record.frame, record.node));
  }

  void operator()(const HaltPassed& record) {
    type("debug.passed");
    put("stepping", record.stepping);
  }

  void operator()(const Evaluated& record) {
    type("debug.evaluated");
    name(record.node, before_.path_in(program_, record.frame, record.node));
    put("source", record.source);
    put("names", record.names);
    put("result", record.result);
    put_error(record.error);
  }

  void operator()(const Rewound& record) {
    type("workflow.rewound");
    put("to", record.to);
    put("back_to", record.back_to);
    put("state", to_string(record.as));
  }

  void operator()(const TimerFired& record) { about(record.run, "timer.fired"); }

  void operator()(const CommandReceived& record) {
    type("command.received");
    put("command", record.command);
    put("id", record.id);
  }

  void operator()(const CommandRefused& record) {
    type("command.refused");
    put("id", record.id);
    put("error", to_value(record.error));
  }

  void operator()(const SignalReceived& record) {
    type("signal.received");
    put("signal", record.name);
    put("payload", record.payload);
  }

  void operator()(const SignalTaken& record) {
    about(record.run, "signal.taken");
    put("signal", record.name);
  }

 private:
  void type(std::string text) { event_.type = std::move(text); }
  void put(std::string_view key, Value value) { event_.data.set(key, std::move(value)); }
  void put_seconds(Timestamp since) { put("seconds", seconds(event_.at - since)); }
  void put_error(const Rare<Error>& error) { if (error) put("error", to_value(*error)); }
  void name(NodeIndex node, std::string path) {
    event_.path = std::move(path);
    event_.step = program_.node(node).step->id;
    event_.kind = program_.node(node).step->type;
  }
  void name(const Run& run) { name(run.node, before_.path(program_, run.id)); }
  void about(RunId run, std::string what) {
    type(std::move(what));
    name(*before_.run(run));
  }

  const Program& program_;
  const State& before_;
  Event& event_;
};

}  // namespace

Event describe(const Program& program, const State& before, const Record& record) {
  Event event;
  event.seq = before.seq + 1;
  event.at = record.at;
  event.workflow = program.definition().id;
  event.data = Value(Object{});
  std::visit(Describer(program, before, event), record.body);
  return event;
}

Event progress_event(const Program& program, const State& state, RunId run, Timestamp at, Value progress) {
  const Run& at_work = *state.run(run);
  const Step& step = *program.node(at_work.node).step;
  return {state.seq, at, "step.progress", program.definition().id, state.path(program, run), step.id, step.type,
          object({{"attempt", at_work.attempt}, {"progress", std::move(progress)}})};
}

// --- documents ----------------------------------------------------------------------------------------------------

namespace {

Value metrics(const State& state, Timestamp now) {
  const Counters& count = state.counters;
  const Timestamp end = is_terminal(state.state) ? state.changed : now;
  const std::uint64_t decided = count.completed + count.failed;
  const OutcomeNames& names = outcome_names();
  return object({{names.duration_seconds, seconds(end - state.started)},
                 {names.steps_completed, count.completed},
                 {names.steps_failed, count.failed},
                 {names.steps_skipped, count.skipped},
                 {names.steps_cancelled, count.cancelled},
                 {names.retries, count.retries},
                 {names.calls, count.calls},
                 {names.compensations, count.compensations},
                 {names.use, spending_document(state.ledger.used)},
                 {names.success_rate, decided == 0 ? 1.0 : static_cast<double>(count.completed) / static_cast<double>(decided)}});
}

/// By step id: how often it came to an end, and how long that took.
Value step_durations(const std::vector<StepView>& steps) {
  struct Sum {
    std::uint64_t count = 0, attempts = 0;
    Duration total{}, longest{};
  };
  std::map<std::string, Sum> sums;
  for (const StepView& step : steps) {
    if (!step.ended || step.state == StepState::skipped) continue;
    Sum& sum = sums[step.id];
    const Duration took = *step.ended - step.started;
    ++sum.count;
    sum.attempts += step.attempt;
    sum.total += took;
    sum.longest = std::max(sum.longest, took);
  }
  Value out(Object{});
  for (const auto& [id, sum] : sums)
    out.set(id, object({{"count", sum.count}, {"attempts", sum.attempts}, {"total_seconds", seconds(sum.total)},
                        {"longest_seconds", seconds(sum.longest)}}));
  return out;
}

Value step_document(const StepView& step) {
  Value out = object({{"path", step.path}, {"id", step.id}, {"type", step.type}, {"state", to_string(step.state)},
                      {"attempt", step.attempt}, {"started_at", format_timestamp(step.started)}});
  out.set("ended_at", step.ended ? Value(format_timestamp(*step.ended)) : Value());
  if (step.ended) out.set("seconds", seconds(*step.ended - step.started));
  if (step.due) out.set("due", format_timestamp(*step.due));
  if (step.error) out.set("error", to_value(*step.error));
  return out;
}

Value error_documents(const State& state) {
  Array errors;
  for (const Error& error : state.errors) errors.push_back(to_value(error));
  return Value(std::move(errors));
}

Value step_documents(const std::vector<StepView>& views) {
  Array steps;
  for (const StepView& step : views) steps.push_back(step_document(step));
  return Value(std::move(steps));
}

}  // namespace

std::vector<StepView> step_views(const Program& program, const State& state) {
  std::vector<std::pair<RunId, StepView>> ordered;
  RunId before;  // a skipped step has no run of its own: it stands behind the one that settled before it
  for (const Settled& each : state.settled) {
    const Step& step = *program.node(each.node).step;
    StepView view{each.path, step.id, step.type, each.state, each.attempt, each.started, each.ended, std::nullopt, each.error};
    if (each.run != kNoRun) before = each.run;
    ordered.emplace_back(before, std::move(view));
  }
  for (const auto& [id, run] : state.runs) {
    const Step& step = *program.node(run.node).step;
    StepView view{state.path(program, id), step.id, step.type, run.state, run.attempt, run.started, std::nullopt, std::nullopt, run.error};
    if (run.due != kNever) view.due = run.due;
    if (run.phase == Phase::parked) view.state = StepState::failed;
    ordered.emplace_back(id, std::move(view));
  }
  for (const Undo& undo : state.undo) {
    if (undo.state == UndoState::due) continue;
    for (auto& [id, view] : ordered) {
      if (view.path != undo.path || view.state != StepState::completed) continue;
      view.state = undo.state == UndoState::done      ? StepState::compensated
                   : undo.state == UndoState::running ? StepState::compensating
                                                      : StepState::failed;
    }
  }
  // A step's run begins before those of the steps in it, also within one microsecond.
  std::ranges::stable_sort(ordered, {}, [](const auto& each) { return std::pair(each.second.started, each.first); });
  std::vector<StepView> views;
  for (auto& [id, view] : ordered) views.push_back(std::move(view));
  return views;
}

std::vector<OpenCall> open_calls(const Program& program, const State& state) {
  std::vector<OpenCall> calls;
  for (const auto& [id, run] : state.runs) {
    if (!run.left_open || run.delivery == 0 || run.state != StepState::running) continue;
    OpenCall call;
    call.token = state.idempotency_key(program, run);
    call.path = state.path(program, id);
    call.step = program.node(run.node).step->id;
    call.agent = run.request->target.view();
    call.action = run.request->action.view();
    call.data = run.request->data;
    call.attempt = run.attempt;
    call.since = run.started;
    call.deadline = std::min(run.deadline, run.total_deadline);
    calls.push_back(std::move(call));
  }
  return calls;
}

Value details_document(const Program& program, const State& state) {
  return object({{"steps", step_documents(step_views(program, state))}, {"errors", error_documents(state)}});
}

Value outcome_document(const State& state, Timestamp now) {
  const OutcomeNames& names = outcome_names();
  return object({{names.instance_id, state.id},
                 {names.workflow, state.workflow},
                 {names.version, state.version},
                 {names.state, to_string(state.state)},
                 {names.reason, state.reason},
                 {names.results, state.results.is_null() ? Value(Object{}) : state.results},
                 {names.variables, state.variables.is_null() ? Value(Object{}) : state.variables},
                 {names.errors, error_documents(state)},
                 {names.metrics, metrics(state, now)}});
}

Value instance_document(const Program& program, const State& state, Timestamp now) {
  Value out = outcome_document(state, now);
  const Progress done = progress(program, state);
  out.set("progress", object({{"completed", done.completed}, {"total", done.total}, {"fraction", done.fraction}}));
  const std::vector<StepView> views = step_views(program, state);
  out.set("steps", step_documents(views));
  if (state.ledger.limits.any()) out.set("budget", limits_document(state.ledger.limits));
  out.mutable_object()["metrics"].set("steps", step_durations(views));
  out.set("started_at", format_timestamp(state.started));
  out.set("ended_at", is_terminal(state.state) ? Value(format_timestamp(state.changed)) : Value());
  if (!state.correlation_id.empty()) out.set("correlation_id", state.correlation_id);
  if (!state.parent_id.empty()) out.set("parent_id", state.parent_id);
  if (!state.rerun_of.empty()) out.set("rerun_of", state.rerun_of);
  Array checkpoints;
  for (const Checkpoint& each : state.checkpoints) {
    Value checkpoint = object({{"name", each.name}, {"at", format_timestamp(each.at)}, {"seq", each.seq}});
    if (!each.path.empty()) checkpoint.set("path", each.path);
    checkpoints.push_back(std::move(checkpoint));
  }
  out.set("checkpoints", Value(std::move(checkpoints)));
  Array tags;
  for (const std::string& tag : state.tags) tags.push_back(tag);
  out.set("tags", Value(std::move(tags)));
  return out;
}

}  // namespace mapflow::kernel
