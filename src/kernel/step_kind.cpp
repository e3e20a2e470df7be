#include "kernel/step_kind.h"

#include "base/ensure.h"
#include "jinja/workflow.h"
#include "kernel/turn.h"

namespace mapflow::kernel {

// --- what a kind may do -------------------------------------------------------------------------------------------

const Run& StepScope::run() const { return machine_.run(run_); }
const StepNode& StepScope::node() const { return machine_.node(run()); }
Timestamp StepScope::now() const { return machine_.now(); }
const Value& StepScope::variables() const { return machine_.state().variables; }

std::vector<std::uint32_t> StepScope::open_slots() const {
  std::vector<std::uint32_t> slots;
  for (const auto& [id, frame] : machine_.state().frames)
    if (frame.owner == run_ && frame.role == FrameRole::branch) slots.push_back(frame.slot);
  return slots;
}

template <class Evaluate>
auto StepScope::observed(FrameId frame, const Value& source, const jinja::Scope& scope, Evaluate evaluate) const {
  return machine_.observed(frame, run_, run().node, source, scope, evaluate);
}

Result<Value> StepScope::evaluate(const jinja::Template& expression) const { return evaluate_in(run().frame, expression); }
Result<bool> StepScope::test(const jinja::Template& expression) const { return test_in(run().frame, expression); }

Result<Value> StepScope::render(const ValueTemplate& value) const {
  if (value.constant()) return value.source();
  return observed(run().frame, value.source(), NameScope(machine_.program(), machine_.state(), now(), run().frame, run_),
                  [&](const jinja::Scope& names) { return value.render(names); });
}

Result<Value> StepScope::render_with(const ValueTemplate& value, const Value& variables) const {
  return observed(run().frame, value.source(), NameScope(machine_.program(), machine_.state(), now(), run().frame, run_, &variables),
                  [&](const jinja::Scope& names) { return value.render(names); });
}

Result<Value> StepScope::evaluate_in(FrameId frame, const jinja::Template& expression) const {
  return observed(frame, Value(), NameScope(machine_.program(), machine_.state(), now(), frame, run_),
                  [&](const jinja::Scope& names) { return expression.evaluate(names); });
}

Result<bool> StepScope::test_in(FrameId frame, const jinja::Template& expression) const {
  return observed(frame, Value(), NameScope(machine_.program(), machine_.state(), now(), frame, run_),
                  [&](const jinja::Scope& names) { return expression.test(names); });
}

Result<Value> StepScope::evaluate_with(const jinja::Template& expression, const Value& locals) const {
  const NameScope names(machine_.program(), machine_.state(), now(), run().frame, run_);
  return observed(run().frame, Value(), LocalScope(locals, names),
                  [&](const jinja::Scope& seen) { return expression.evaluate(seen); });
}

Result<bool> StepScope::test_with(const jinja::Template& expression, const Value& locals) const {
  const NameScope names(machine_.program(), machine_.state(), now(), run().frame, run_);
  return observed(run().frame, Value(), LocalScope(locals, names), [&](const jinja::Scope& seen) { return expression.test(seen); });
}

Result<Value> StepScope::render_seeing(const ValueTemplate& value, const Value& locals) const {
  const NameScope names(machine_.program(), machine_.state(), now(), run().frame, run_);
  return observed(run().frame, value.source(), LocalScope(locals, names), [&](const jinja::Scope& seen) { return value.render(seen); });
}

Value StepScope::results() const {
  return *NameScope(machine_.program(), machine_.state(), now(), run().frame, run_).find("results");
}

void StepScope::note(Value memo) { machine_.emit(Noted{run_, std::move(memo)}); }

void StepScope::open(std::uint32_t branch, std::uint32_t slot, Value locals) {
  machine_.open_frame(run_, node().branches.at(branch), FrameRole::branch, slot, std::move(locals));
}

void StepScope::call(Request request) {
  const std::uint32_t most = machine_.program().definition().max_depth;
  if (request.kind == Request::Kind::workflow && machine_.state().depth >= most) {
    return fail(Error(code::resource_exhausted, "workflows are nested " + std::to_string(most) + " deep",
                      "see whether one calls itself without end, or raise max_depth"));
  }
  machine_.place_call(run_, 1, std::move(request));
}

void StepScope::wait(Timestamp due, std::string signal) { machine_.emit(StepWaiting{run_, due, std::move(signal)}); }

std::optional<Value> StepScope::take_signal(const std::string& name) {
  const auto queue = machine_.state().signals.find(name);
  if (queue == machine_.state().signals.end()) return std::nullopt;
  Value payload = queue->second.front();
  machine_.emit(SignalTaken{run_, name});
  return payload;
}

void StepScope::cancel_children(std::string_view reason) { machine_.cancel_below(run_, reason); }

void StepScope::finish(Value result, Writes writes) { machine_.finish(run_, std::move(result), std::move(writes)); }
void StepScope::skip() { machine_.settle(run_, StepState::skipped, Value(), {}, std::nullopt); }
void StepScope::fail(Error error) { machine_.attempt_failed(run_, std::move(error)); }

Error because_of(const Error& first, std::string message) {
  Error error(first.code, std::move(message));
  error.retryable = first.retryable;
  error.cause = std::make_shared<const Error>(first);
  return error;
}

// --- compiling fields ---------------------------------------------------------------------------------------------

std::string SpecCompiler::text(std::string_view name, std::string_view otherwise) const {
  const Value* found = field(name);
  return std::string(found && found->is_text() ? found->as_text() : otherwise);
}

std::int64_t SpecCompiler::integer(std::string_view name, std::int64_t otherwise) const {
  const Value* found = field(name);
  return found && found->is_integer() ? found->as_integer() : otherwise;
}

bool SpecCompiler::boolean(std::string_view name, bool otherwise) const {
  const Value* found = field(name);
  return found && found->is_bool() ? found->as_bool() : otherwise;
}

Result<jinja::Template> SpecCompiler::expression_text(std::string_view source, std::string_view place) const {
  std::size_t skipped = 0;
  auto compiled = environment_.compile_expression(jinja::bare_expression(source, skipped), step_.place(place));
  if (!compiled && compiled.error().step.empty()) compiled.error().step = step_.id;
  return compiled;
}

Result<std::optional<jinja::Template>> SpecCompiler::expression(std::string_view name) const {
  const Value* found = field(name);
  if (!found || found->is_null()) return std::nullopt;
  if (found->is_text()) {
    MAPFLOW_ASSIGN(auto compiled, expression_text(found->as_text(), name));
    return compiled;
  }
  // A value written out instead of an expression: wrap it, so that both are used alike.
  if (found->is_bool()) return environment_.compile_expression(found->as_bool() ? "true" : "false", step_.place(name));
  if (found->is_integer()) return environment_.compile_expression(std::to_string(found->as_integer()), step_.place(name));
  Error error(code::invalid_input, "'" + std::string(name) + "' is not an expression");
  error.where = step_.place(name);
  error.step = step_.id;
  return mapflow::fail(std::move(error));
}

Result<ValueTemplate> SpecCompiler::value(std::string_view name) const {
  const Value* found = field(name);
  return value_of(found ? *found : Value(), name);
}

Result<ValueTemplate> SpecCompiler::value_of(const Value& value, std::string_view place) const {
  auto compiled = ValueTemplate::compile(value, environment_, [&](const std::string& part) {
    return step_.place(part.empty() ? std::string(place) : std::string(place) + "." + part);
  });
  if (!compiled && compiled.error().step.empty()) compiled.error().step = step_.id;
  return compiled;
}

// --- what a kind does unless it says otherwise --------------------------------------------------------------------

Result<BlockEnd> StepKind::on_block_end(StepScope&, const Frame& frame) const { return BlockEnd{frame.last, false}; }

void StepKind::on_child(StepScope& scope) const {
  const Join& join = scope.run().join;
  if (join.open() > 0) return;
  if (join.failed > 0) return scope.fail(join.errors.front().second);
  scope.finish(join.values.as_array().front());
}

void StepKind::on_reply(StepScope& scope, const Reply& reply) const { scope.finish(reply.result); }
Status StepKind::check_answer(const StepSpec&, const Reply&) const { return {}; }

void StepKind::on_timer(StepScope& scope) const { scope.finish(Value()); }
bool StepKind::on_timeout(StepScope&) const { return false; }
std::uint32_t StepKind::blocks_expected(const Run&, const StepSpec&) const { return 1; }

void StepKind::on_change(StepScope&) const {}

void StepKind::on_signal(StepScope& scope) const {
  if (auto payload = scope.take_signal(scope.run().signal)) scope.finish(*std::move(payload));
}

// --- registry -----------------------------------------------------------------------------------------------------

Status KindRegistry::add(std::unique_ptr<const StepKind> kind) {
  const std::string& name = kind->schema().name;
  if (find(name)) return fail(code::conflict, "there is already a step kind called '" + name + "'");
  kinds_.push_back(std::move(kind));
  return {};
}

Status KindRegistry::add_retry_policy(std::string name, RetryFunction function) {
  if (retry_policy(name)) return fail(code::conflict, "there is already a retry policy called '" + name + "'");
  retry_policies_.emplace(std::move(name), std::move(function));
  return {};
}

const RetryFunction* KindRegistry::retry_policy(std::string_view name) const {
  const auto found = retry_policies_.find(name);
  return found == retry_policies_.end() ? nullptr : &found->second;
}

const StepKind* KindRegistry::find(std::string_view name) const {
  for (const auto& kind : kinds_)
    if (kind->schema().name == name) return kind.get();
  return nullptr;
}

const KindSchema* KindRegistry::schema(std::string_view kind) const {
  const StepKind* found = find(kind);
  return found ? &found->schema() : nullptr;
}

std::vector<std::string> KindRegistry::kind_names() const {
  std::vector<std::string> names;
  for (const auto& kind : kinds_) names.push_back(kind->schema().name);
  return names;
}

}  // namespace mapflow::kernel
