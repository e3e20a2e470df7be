#include "kernel/documents.h"

#include <algorithm>
#include <map>
#include <type_traits>
#include <utility>

#include "kernel/history.h"
#include "model/message.h"
#include "value/json.h"

namespace mapflow::kernel {

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

/// And those in the documents of its steps.
struct StepNames {
  Text path = "path", id = "id", type = "type", state = "state", attempt = "attempt", started_at = "started_at",
       ended_at = "ended_at", seconds = "seconds", due = "due", error = "error";
};
const StepNames& step_names() {
  static const StepNames kNames;
  return kNames;
}

}  // namespace

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

/// Tells `member` the names and values of what is to be said of a step, in order: texts, numbers, and what is rare.
template <class Member>
void describe(const StepView& step, const Member& member) {
  const StepNames& names = step_names();
  const auto time = [&](const Text& name, Timestamp at) { member(name, std::string_view(format_timestamp(at))); };
  member(names.path, std::string_view(step.path));
  member(names.id, std::string_view(step.id));
  member(names.type, std::string_view(step.type));
  member(names.state, to_string(step.state));
  member(names.attempt, Value(step.attempt));
  time(names.started_at, step.started);
  if (step.ended) {
    time(names.ended_at, *step.ended);
    member(names.seconds, Value(seconds(*step.ended - step.started)));
  } else {
    member(names.ended_at, Value());
  }
  if (step.due) time(names.due, *step.due);
  if (step.error) member(names.error, to_value(*step.error));
}

Value step_document(const StepView& step) {
  Value out(Object{});
  describe(step, [&](const Text& name, const auto& value) { out.set(name, Value(value)); });
  return out;
}

/// The same as JSON text, without the document in between.
void append_step(std::string& out, const StepView& step) {
  char before = '{';
  describe(step, [&](const Text& name, const auto& value) {
    out += std::exchange(before, ',');
    append_json_text(out, name);
    out += ':';
    if constexpr (std::is_same_v<decltype(value), const Value&>)
      append_json(out, value);
    else
      append_json_text(out, value);
  });
  out += '}';
}

Value error_documents(const State& state) {
  Array errors;
  for (const Error& error : state.errors) errors.push_back(to_value(error));
  return Value(std::move(errors));
}

Value step_documents(const std::vector<StepView>& views) {
  Array steps;
  steps.reserve(views.size());
  for (const StepView& step : views) steps.push_back(step_document(step));
  return Value(std::move(steps));
}

}  // namespace

std::vector<StepView> step_views(const Program& program, const State& state) {
  std::vector<std::pair<RunId, StepView>> ordered;
  ordered.reserve(state.settled.size() + state.runs.size());
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
  views.reserve(ordered.size());
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

std::string details_json(const Program& program, const State& state) {
  std::string out = R"({"steps":[)";
  bool first = true;
  for (const StepView& step : step_views(program, state)) {
    if (!std::exchange(first, false)) out += ',';
    append_step(out, step);
  }
  out += R"(],"errors":)";
  append_json(out, error_documents(state));
  return out += '}';
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
