// A step's way from started to settled, and the frames that start one step after the other.
#include <cmath>

#include "base/ensure.h"
#include "kernel/turn.h"

namespace mapflow::kernel {

// --- frames -------------------------------------------------------------------------------------------------------

/// Steps inside a later attempt of their parent run again on purpose, so they are a new execution.
std::uint32_t Machine::execution_below(RunId owner) const {
  const Run* run = state_.run(owner);
  if (!run) return 1;
  if (run->attempt <= 1) return run->execution;
  for (const auto& [id, frame] : state_.frames)
    if (frame.owner == owner && frame.role == FrameRole::branch) return frame.execution;
  return state_.last_execution + 1;
}

void Machine::open_frame(RunId owner, BlockIndex block, FrameRole role, std::uint32_t slot, Value locals) {
  const FrameId id(state_.last_frame + 1);
  const std::uint32_t execution = role == FrameRole::compensation ? state_.undo[slot].execution : execution_below(owner);
  emit(FrameOpened{id, owner, block, role, slot, execution, std::move(locals)});
  agenda_.push_back(Advance{id});
}

void Machine::carry_out(const Advance& item) {
  const Frame* frame = state_.frame(item.frame);
  if (!frame || frame->active != kNoRun) return;
  const auto& steps = program_.block(frame->block).steps;
  if (frame->error || frame->next >= steps.size()) return close_frame(*frame);
  start_step(*frame, steps[frame->next]);
}

void Machine::start_step(const Frame& frame, NodeIndex index) {
  if (halts(frame, index)) return;
  const StepNode& node = program_.node(index);
  std::optional<Error> failed;
  if (node.when) {
    const auto wanted = observed(frame.id, kNoRun, index, node.step->when, NameScope(program_, state_, now_, frame.id, kNoRun),
                                 [&](const jinja::Scope& names) { return node.when->test(names); });
    if (wanted && !*wanted) {
      emit(StepSkipped{frame.id, index});
      agenda_.push_back(Advance{frame.id});
      return;
    }
    if (!wanted) failed = wanted.error();
  }
  const RunId id(state_.last_run + 1);
  const auto total = node.step->total_timeout;
  emit(StepStarted{id, index, frame.id, total ? saturating_add(now_, *total) : kNever});
  if (!failed) return begin_attempt(id);
  emit(AttemptStarted{id, 1, kNever});
  attempt_failed(id, *std::move(failed));
}

void Machine::close_frame(const Frame& frame) {
  switch (frame.role) {
    case FrameRole::main:
      if (!frame.error) return complete_instance();
      return end_unhappily(*frame.error, WorkflowState::failed);
    case FrameRole::branch: return close_branch(frame);
    case FrameRole::on_error:
    case FrameRole::on_success:
    case FrameRole::fallback: return close_hook(frame);
    case FrameRole::compensation:
    case FrameRole::custom_compensation:
      emit(FrameClosed{frame.id, !frame.error, false, false, Value(), frame.error});
      agenda_.push_back(Undoing{});
  }
}

void Machine::close_branch(const Frame& frame) {
  const RunId owner = frame.owner;
  FrameClosed closed{.frame = frame.id, .succeeded = !frame.error, .keep = false, .value = Value(), .error = frame.error};
  if (closed.succeeded) {
    StepScope scope(*this, owner);
    auto end = node(run(owner)).kind->on_block_end(scope, frame);
    if (end) {
      closed.stop = end->stop;
      closed.keep = end->value.has_value();
      if (end->value) closed.value = *std::move(end->value);
    } else {
      closed.succeeded = false;
      closed.error = located(run(owner), std::move(end.error()));
    }
  }
  emit(std::move(closed));
  agenda_.push_back(Attend{owner});
}

/// A hook's frame stays until its owner settles, which it does right here.
void Machine::close_hook(const Frame& frame) {
  const Run& owner = run(frame.owner);
  if (frame.error) {
    Error error = *frame.error;
    if (!error.cause && owner.error) error.cause = std::make_shared<const Error>(*owner.error);
    if (frame.role == FrameRole::fallback) return give_up(owner.id, std::move(error));
    return settle(owner.id, StepState::failed, Value(), {}, std::move(error));
  }
  if (frame.role == FrameRole::on_success) return settle(owner.id, StepState::completed, owner.result, owner.writes, std::nullopt);
  const Value result = frame.last;
  if (frame.role == FrameRole::fallback) return finish(owner.id, result, {});
  auto writes = complete_writes(node(owner), result, {});
  if (!writes) return settle(owner.id, StepState::failed, Value(), {}, located(owner, writes.error()));
  settle(owner.id, StepState::completed, result, *std::move(writes), owner.error);
}

// --- attempts -----------------------------------------------------------------------------------------------------

void Machine::begin_attempt(RunId id) {
  const Run& before = run(id);
  const StepNode& node = this->node(before);
  const auto timeout = node.step->timeout;
  emit(AttemptStarted{id, before.attempt + 1, timeout ? saturating_add(now_, *timeout) : kNever});
  if (run(id).request) return place_call(id, 1, std::nullopt);
  StepScope scope(*this, id);
  node.kind->enter(scope);
}

void Machine::carry_out(const Attend& item) {
  const Run* run = state_.run(item.run);
  if (!run) return;
  const StepNode& node = this->node(*run);
  const auto open_hook = [&](BlockIndex block, FrameRole role, const Value& locals) {
    for (const auto& [id, frame] : state_.frames)
      if (frame.owner == run->id) return;  // already open
    open_frame(run->id, block, role, 0, locals);
  };
  switch (run->phase) {
    case Phase::parked: return;
    case Phase::handling: return open_hook(node.on_error, FrameRole::on_error, object({{"error", to_value(*run->error)}}));
    case Phase::falling_back: return open_hook(node.fallback, FrameRole::fallback, object({{"error", to_value(*run->error)}}));
    case Phase::succeeded: return open_hook(node.on_success, FrameRole::on_success, object({{"result", run->result}}));
    case Phase::working: return attend_working(*run);
  }
}

void Machine::attend_working(const Run& run) {
  StepScope scope(*this, run.id);
  const StepNode& node = this->node(run);
  if (run.attempt == 0) return begin_attempt(run.id);
  if (run.held) return try_held(run);
  if (run.state == StepState::waiting) {
    if (!run.signal.empty() && state_.signals.contains(run.signal)) return node.kind->on_signal(scope);
    return node.kind->on_change(scope);
  }
  if (run.state != StepState::running || run.delivery > 0) return;
  if (run.join.opened == 0) return node.kind->enter(scope);  // it was cut off between its attempt's start and its first deed
  node.kind->on_child(scope);
}

// --- calls --------------------------------------------------------------------------------------------------------

namespace {

std::string envelope_id(const State& state, const Run& run) {
  std::string id;
  id.reserve(state.id.size() + 24);
  id += state.id;
  append_numbered(id, '/', run.id.value);
  append_numbered(id, '.', run.attempt);
  append_numbered(id, '.', run.delivery);
  return id;
}

}  // namespace

void Machine::place_call(RunId id, std::uint32_t delivery, std::optional<Request> request) {
  const bool child = request ? request->kind == Request::Kind::workflow : run(id).calls_child();
  std::optional<Hold> hold;
  if (delivery == 1 && !child && !fund(id, hold)) return;
  emit(CallPlaced{id, delivery, std::move(request), std::move(hold)});
  const Run& run = this->run(id);
  const Step& step = *node(run).step;
  if (child) return start_child(run);

  const Request& asked = *run.request;
  PlaceCall& call = std::get<PlaceCall>(commit_.effects.emplace_back(std::in_place_type<PlaceCall>));
  call.run = id;
  call.attempt = run.attempt;
  call.target.kind = asked.kind == Request::Kind::handler ? Target::Kind::handler : Target::Kind::agent;
  call.target.name = asked.target.view();
  call.expects_reply = asked.reply;
  call.heartbeat = asked.heartbeat;
  Envelope& envelope = call.envelope;
  envelope.id = envelope_id(state_, run);
  envelope.path = state_.path(program_, id);
  envelope.idempotency_key = state_.idempotency_key(envelope.path, run);
  envelope.workflow = state_.workflow;
  envelope.instance_id = state_.id;
  envelope.correlation_id = state_.correlation_id;
  envelope.step = step.id;
  envelope.attempt = run.attempt;
  envelope.delivery = run.delivery;
  envelope.action = asked.action.view();
  envelope.data = asked.data;
  envelope.headers = asked.headers;
  envelope.priority = asked.priority;
  envelope.deadline = std::min(run.deadline, run.total_deadline);
}

/// After a crash nobody knows what became of the calls in flight: they are made again, under the same key.
void Machine::redeliver_calls() {
  std::vector<RunId> in_flight;
  for (const auto& [id, run] : state_.runs)
    if (run.delivery > 0 && !run.left_open && run.state == StepState::running && run.phase == Phase::working) in_flight.push_back(id);
  for (const RunId id : in_flight) {
    const std::uint32_t deliveries = run(id).delivery;
    if (deliveries < limits_.deliveries || run(id).calls_child()) {
      place_call(id, deliveries + 1, std::nullopt);
    } else {
      attempt_failed(id, Error(code::poison, "delivered " + std::to_string(deliveries) + " times and the engine stopped each time"
                                                 " before an answer", "see whether the agent crashes the process"));
    }
  }
}

void Machine::drop_call(const Run& run) {
  if (run.delivery > 0 && run.calls_child()) return release_child(run);
  if (run.delivery > 0) commit_.effects.push_back(DropCall{run.id, envelope_id(state_, run)});
}

// --- outcomes -----------------------------------------------------------------------------------------------------

Error Machine::located(const Run& run, Error error) const {
  const Step& step = *node(run).step;
  if (error.step.empty()) {
    error.step = step.id;
    error.path = state_.path(program_, run.id);
    error.attempt = run.attempt;
  }
  if (!error.where.known()) error.where = step.where;
  if (error.at_us == 0) error.at_us = to_micros(now_);
  return error;
}

double Machine::chance(std::uint64_t salt) const {
  // SplitMix64 (Steele, Lea, Flood 2014): well-mixed bits of the instance's seed and the salt.
  std::uint64_t z = state_.seed + salt * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1.0p-53;
}

/// Adds `output_key`, and tries all writes on a copy, so that recording them cannot fail.
Result<StepScope::Writes> Machine::complete_writes(const StepNode& node, const Value& result, StepScope::Writes writes) const {
  if (!node.step->output_key.empty()) writes.emplace_back(node.step->output_key, result);
  if (writes.empty()) return writes;
  Value variables = state_.variables;
  for (const auto& [name, value] : writes) MAPFLOW_TRY(variables.set_path(name, value));
  return writes;
}

void Machine::finish(RunId id, Value result, StepScope::Writes writes) {
  const StepNode& node = this->node(run(id));
  auto complete = complete_writes(node, result, std::move(writes));
  if (!complete) return attempt_failed(id, std::move(complete.error()));
  if (node.on_success == kNoBlock) return settle(id, StepState::completed, std::move(result), *std::move(complete), std::nullopt);
  emit(StepSucceeded{id, std::move(result), *std::move(complete)});
  agenda_.push_back(Attend{id});
}

void Machine::attempt_failed(RunId id, Error error) {
  const Run& run = this->run(id);
  const StepNode& node = this->node(run);
  error = located(run, std::move(error));
  cancel_below(id, error.is(code::timeout) ? "their parent's time is up" : "their parent failed");

  if (error.is(code::circuit_open) && node.fallback != kNoBlock && run.phase == Phase::working) {
    emit(StepFaulted{id, std::move(error), Phase::falling_back});
    agenda_.push_back(Attend{id});
    return;
  }
  const std::optional<RetryPolicy>& policy = node.step->retry;
  if (policy && should_retry(*policy, error, run.attempt)) {
    const double drawn = chance((static_cast<std::uint64_t>(id.value) << 32) + run.attempt);
    std::optional<Duration> delay = retry_delay(*policy, error, run.attempt, drawn);
    if (policy->strategy == RetryStrategy::custom) {
      const auto chosen = node.retry ? (*node.retry)({*policy, error, run.attempt, drawn}) : std::nullopt;
      delay = chosen ? std::optional(std::max(*chosen, *delay)) : std::nullopt;  // no sooner than the agent asks for
    }
    const Timestamp due = delay ? saturating_add(now_, *delay) : kNever;
    if (delay && due < run.total_deadline) {
      emit(StepRetrying{id, due, std::move(error)});
      if (due <= now_ && going()) begin_attempt(id);
      return;
    }
  }
  give_up(id, std::move(error));
}

/// The step will not be tried again: its `on_error` says what that means. What was below it is cancelled already.
void Machine::give_up(RunId id, Error error) {
  const Run& run = this->run(id);
  const StepNode& node = this->node(run);
  const StepState failed = error.is(code::timeout) && std::min(run.deadline, run.total_deadline) <= now_ ? StepState::timed_out
                                                                                                      : StepState::failed;
  switch (node.step->on_error) {
    case OnError::fail: return settle(id, failed, Value(), {}, std::move(error));
    case OnError::proceed: return settle(id, failed, Value(), {}, std::move(error), /*tolerated=*/true);
    case OnError::handle:
      emit(StepFaulted{id, std::move(error), Phase::handling});
      agenda_.push_back(Attend{id});
      return;
    case OnError::suspend:
      // An instance that is being undone cannot be parked: nothing but its own compensations ends it.
      if (state_.state == WorkflowState::compensating) return settle(id, failed, Value(), {}, std::move(error));
      emit(StepFaulted{id, error, Phase::parked});
      if (state_.state == WorkflowState::running)
        emit(StateChanged{WorkflowState::suspended, "step '" + node.step->id + "' failed", std::move(error)});
      return;
  }
}

void Machine::settle(RunId id, StepState state, Value result, StepScope::Writes writes, Rare<Error> error,
                     bool tolerated) {
  const FrameId frame = run(id).frame;
  const std::string& checkpoint = node(run(id)).step->checkpoint;
  const bool makes_checkpoint = state == StepState::completed && !checkpoint.empty() && state_.state != WorkflowState::compensating;
  const std::string path = makes_checkpoint ? state_.path(program_, id) : "";
  emit(StepSettled{id, state, tolerated, std::move(result), std::move(writes), std::move(error)});
  if (makes_checkpoint) emit(CheckpointCreated{checkpoint, path});
  if (state != StepState::cancelled) agenda_.push_back(Advance{frame});
  if (program_.watches()) tell_of_change();
}

/// Whatever sleeps until something holds looks again.
void Machine::tell_of_change() {
  for (const auto& [id, run] : state_.runs)
    if (run.state == StepState::waiting && node(run).spec->watches()) agenda_.push_back(Attend{id});
}

void Machine::time_out(RunId id) {
  const Run& run = this->run(id);
  const StepNode& node = this->node(run);
  const bool altogether = run.total_deadline <= now_;
  StepScope scope(*this, id);
  if (!altogether && node.kind->on_timeout(scope)) return;
  drop_call(run);
  const Duration allowed = (altogether ? node.step->total_timeout : node.step->timeout).value_or(Duration(0));
  attempt_failed(id, Error(code::timeout, (altogether ? "all attempts together took longer than " : "took longer than ") +
                                              format_duration(allowed)));
}

void Machine::cancel_below(RunId id, std::string_view reason) {
  std::vector<RunId> below;
  for (const auto& [frame_id, frame] : state_.frames)
    if (frame.owner == id && frame.active != kNoRun) below.push_back(frame.active);
  for (const RunId child : below) cancel(child, reason);
}

void Machine::cancel(RunId id, std::string_view reason) {
  drop_call(run(id));
  cancel_below(id, reason);
  settle(id, StepState::cancelled, Value(), {}, located(run(id), Error(code::cancelled, "cancelled: " + std::string(reason))));
}

}  // namespace mapflow::kernel
