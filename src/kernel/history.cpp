#include "kernel/history.h"

#include "kernel/documents.h"
#include "model/message.h"

namespace mapflow::kernel {

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

}  // namespace mapflow::kernel
