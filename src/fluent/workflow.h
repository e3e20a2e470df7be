// Workflows written in C++: the same definitions that YAML says, put together by calls that read like the workflow.
//
//   auto definition = mapflow::workflow("order_processing").with_timeout(30min)
//       .message("inventory", "reserve", {{"items", "{{ items }}"}}).with_id("check").with_retry(3)
//           .with_compensation(mapflow::branch().message("inventory", "release"))
//       .if_condition("results.check.available", mapflow::branch().message("payments", "charge"))
//       .parallel("fulfil", mapflow::branch("pack").message("depot", "pack"), mapflow::branch("label").message("depot", "label"))
//       .build();                                    // Result<Definition>: the definition, or every problem in it
//
// What stands before the first step speaks about the workflow, what stands behind a step about that step. A call that
// has nothing to speak about (`with_retry` before any step, `with_priority` behind a wait) does not compile; everything
// else that can be wrong is told by build(), all at once.
//
// Texts are templates and expressions as in YAML (docs/definitions.md). A chain is a handle: copies of one speak about
// the same workflow, so steps may be added in a loop, `for (…) flow.message(…);`. Chains are not for several threads at
// once; the built Definition is a plain value.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fluent/draft.h"
#include "model/message.h"
#include "model/policy.h"

namespace mapflow {

using Compensation = CompensationStrategy;

enum class WaitStrategy : std::uint8_t { all, any, majority };
enum class ParentClose : std::uint8_t { cancel, abandon, wait };
enum class Aggregation : std::uint8_t {
  list, merge, deep_merge, sum, avg, min, max, count, concat, first, last, median, unique, flatten, vote, best, quorum, custom,
};
std::string_view to_string(WaitStrategy strategy);
std::string_view to_string(ParentClose what);
std::string_view to_string(Aggregation aggregation);

namespace fluent {

/// What a chain is for.
struct InWorkflow {};
struct InBranch {};

/// What the last step of a chain is; decides which calls may follow it.
namespace kind {
struct Message {};
struct Parallel {};
struct If {};
struct Switch {};
struct ForEach {};
struct Repeat {};
struct Workflow {};
struct Wait {};
struct WaitForCondition {};
struct Transform {};
struct Aggregate {};
struct Custom {};
struct Sequence {};
struct Any {};
}  // namespace kind

template <class Kind, class... Allowed>
concept one_of = (std::same_as<Kind, Allowed> || ...);

template <class In, class Kind>
class StepChain;

/// What may follow anywhere in a chain: a further step, and the end.
template <class In>
class Chain {
 public:
  /// Asks an agent and takes its reply.
  StepChain<In, kind::Message> message(std::string_view agent, std::string_view action, const Data& data = {}) const {
    return next<kind::Message>("message").field("destination", agent).field("action", action).field("data", data.value());
  }
  /// Asks a person, who answers in the inbox. The agent need not be declared elsewhere.
  StepChain<In, kind::Message> human(const std::string& name, std::string_view action, const Data& data = {}) const {
    draft_->add_person(name);
    return message(name, action, data);
  }
  /// Runs branches side by side; worth an object by the branches' names.
  template <std::convertible_to<Steps>... Branches>
    requires(sizeof...(Branches) > 0)
  StepChain<In, kind::Parallel> parallel(std::string_view id, const Branches&... branches) const {
    return parallel(id, std::vector<Steps>{static_cast<Steps>(branches)...});
  }
  StepChain<In, kind::Parallel> parallel(std::string_view id, std::vector<Steps> branches) const {
    return next<kind::Parallel>("parallel").with_id(id).branches("steps", std::move(branches));
  }
  /// Steps as one, for a `when`, a timeout or a compensation that they share.
  StepChain<In, kind::Sequence> sequence(Steps steps) const { return next<kind::Sequence>("sequence").steps("steps", std::move(steps)); }
  /// Runs `then` when the condition holds; `otherwise()` says what to do when not.
  StepChain<In, kind::If> if_condition(std::string_view condition, Steps then) const {
    return next<kind::If>("conditional").expression("condition", condition).steps("if_true", std::move(then));
  }
  StepChain<In, kind::If> if_condition(std::string_view condition, Steps then, Steps otherwise) const {
    return if_condition(condition, std::move(then)).otherwise(std::move(otherwise));
  }
  /// Runs the first case that holds: `switch_(when("total > 1000", …), when("total > 100", …)).otherwise(…)`.
  template <std::same_as<Case>... Cases>
    requires(sizeof...(Cases) > 0)
  StepChain<In, kind::Switch> switch_(Cases... cases) const {
    return next<kind::Switch>("conditional").cases("switch", {std::move(cases)...});
  }
  /// Runs `body` for each item. `items`: an expression that gives a list, an object or a count, or one of these itself.
  template <std::convertible_to<std::string_view> Text>
  StepChain<In, kind::ForEach> for_each(const Text& items, Steps body) const {
    return next<kind::ForEach>("loop").expression("items", items).steps("body", std::move(body));
  }
  StepChain<In, kind::ForEach> for_each(const Value& items, Steps body) const {
    return next<kind::ForEach>("loop").field("items", items).steps("body", std::move(body));
  }
  /// Runs `body` again and again while the condition holds; it is asked before each time.
  StepChain<In, kind::Repeat> while_(std::string_view condition, Steps body) const {
    return next<kind::Repeat>("loop").expression("while", condition).steps("body", std::move(body));
  }
  /// Runs `body` again and again until the condition holds; it is asked after each time.
  StepChain<In, kind::Repeat> until(std::string_view condition, Steps body) const {
    return next<kind::Repeat>("loop").expression("until", condition).steps("body", std::move(body));
  }
  /// Runs another workflow.
  StepChain<In, kind::Workflow> sub_workflow(std::string_view id, const Data& input = {}) const {
    return next<kind::Workflow>("subworkflow").field("workflow_id", id).field("input", input.value());
  }
  StepChain<In, kind::Wait> wait(Duration span) const { return wait(format_duration(span)); }
  /// `span`: "10s", or a template that gives one.
  StepChain<In, kind::Wait> wait(std::string_view span) const { return next<kind::Wait>("wait").field("duration", span); }
  StepChain<In, kind::Wait> wait_until(Timestamp at) const { return wait_until(format_timestamp(at)); }
  /// `at`: RFC 3339, or a template that gives it.
  StepChain<In, kind::Wait> wait_until(std::string_view at) const { return next<kind::Wait>("wait").field("until", at); }
  StepChain<In, kind::Wait> wait_for_signal(std::string_view name) const { return next<kind::Wait>("wait").field("signal", name); }
  StepChain<In, kind::WaitForCondition> wait_for_condition(std::string_view condition) const {
    return next<kind::WaitForCondition>("wait").expression("condition", condition);
  }
  /// Sets variables, in order: `transform({{"total", "{{ price * count }}"}})`.
  StepChain<In, kind::Transform> transform(const Data& variables) const {
    return next<kind::Transform>("transform").field("transformations", variables.value());
  }
  /// Fails with invalid_input unless all of these hold.
  StepChain<In, kind::Transform> assert_that(const std::vector<std::string>& expressions) const {
    return next<kind::Transform>("transform").expressions("assert", expressions);
  }
  /// Makes one value of the results of several steps: `aggregate({"a", "fan[*].price"}, Aggregation::sum)`.
  StepChain<In, kind::Aggregate> aggregate(const std::vector<std::string>& sources, Aggregation aggregation = Aggregation::list) const {
    auto made = next<kind::Aggregate>("aggregate").field("source_steps", Value(Array(sources.begin(), sources.end())));
    return aggregation == Aggregation::list ? made : made.field("aggregation", to_string(aggregation));
  }
  /// Calls a function that the program registered with Engine::handler.
  StepChain<In, kind::Custom> custom(std::string_view handler, const Data& input = {}) const {
    return next<kind::Custom>("custom").field("handler", handler).field("input", input.value());
  }
  /// A step of any kind, those registered with Engine::add_kind included. Their expressions are written bare.
  StepChain<In, kind::Any> step(std::string_view kind, const Data& fields = {}) const {
    auto made = next<kind::Any>(kind);
    if (fields.value().is_object())
      for (const auto& [name, value] : fields.value().as_object()) made.field(name, value);
    return made;
  }
  /// Puts finished steps in line.
  Chain append(Steps steps) const {
    draft_->append(std::move(steps));
    return *this;
  }

  /// The definition, checked as if read from a file, or an error that lists every problem.
  Result<Definition> build() const
    requires std::same_as<In, InWorkflow>
  {
    return draft_->build(built_in_kinds(), {});
  }
  /// As build(), for definitions with kinds of their own (Engine::kinds()), or that call workflows that are known.
  Result<Definition> build(const KindCatalog& kinds, const builder::Surroundings& around = {}) const
    requires std::same_as<In, InWorkflow>
  {
    return draft_->build(kinds, around);
  }

  operator Steps() const  // NOLINT(google-explicit-constructor): a branch is its steps
    requires std::same_as<In, InBranch>
  {
    return draft_->content;
  }

 protected:
  explicit Chain(std::shared_ptr<Draft> draft) : draft_(std::move(draft)) {}
  template <class Kind>
  StepChain<In, Kind> next(std::string_view kind) const {
    return StepChain<In, Kind>(draft_, draft_->append(kind));
  }

  std::shared_ptr<Draft> draft_;
};

/// Behind a step: what is to be said about it, and whatever may follow it.
template <class In, class Kind>
class StepChain : public Chain<In> {
 public:
  // --- every step ---
  StepChain with_id(std::string_view id) const { return change([&](Step& step) { step.id = id; }); }
  StepChain with_name(std::string_view name) const { return change([&](Step& step) { step.name = name; }); }
  StepChain with_description(std::string_view text) const { return change([&](Step& step) { step.description = text; }); }
  StepChain with_metadata(const Data& metadata) const { return change([&](Step& step) { step.metadata = metadata.value(); }); }
  /// The step is skipped when the expression does not hold.
  StepChain when(std::string_view expression) const { return change([&](Step& step) { step.when = expression_text(expression); }); }
  /// Of one attempt.
  StepChain with_timeout(Duration span) const { return change([&](Step& step) { step.timeout = span; }); }
  /// Of all attempts and the pauses between them.
  StepChain with_total_timeout(Duration span) const { return change([&](Step& step) { step.total_timeout = span; }); }
  /// At most so many attempts, the first one included.
  StepChain with_retry(std::uint32_t attempts) const { return with_retry(RetryPolicy{.max_attempts = attempts}); }
  StepChain with_retry(RetryPolicy policy) const { return change([&](Step& step) { step.retry = std::move(policy); }); }
  /// What one call uses at most: so much is set aside for it.
  StepChain with_budget(StepBudget budget) const
    requires one_of<Kind, kind::Message, kind::Custom, kind::Any>
  {
    return change([&](Step& step) { step.budget = budget; });
  }
  /// A dotted variable that gets the result, too.
  StepChain with_output_key(std::string_view variable) const { return change([&](Step& step) { step.output_key = variable; }); }
  /// Makes a checkpoint of this name when the step has completed: a place to rewind to.
  StepChain with_checkpoint(std::string_view name) const { return change([&](Step& step) { step.checkpoint = name; }); }
  /// Steps that undo it; they see `original.input` and `original.result`.
  StepChain with_compensation(Steps steps) const { return hook("compensate", std::move(steps)); }
  StepChain on_success(Steps steps) const { return hook("on_success", std::move(steps)); }
  /// Steps that handle the step's error; they see `error`. Then the workflow goes on.
  StepChain on_failure(Steps steps) const { return hook("on_error", std::move(steps)); }
  /// The workflow goes on with a null result when the step fails.
  StepChain continue_on_failure() const { return change([](Step& step) { step.on_error = OnError::proceed; }); }
  /// The instance waits for a person's decision when the step fails.
  StepChain suspend_on_failure() const { return change([](Step& step) { step.on_error = OnError::suspend; }); }
  /// Steps that run instead while the agent's circuit is open.
  StepChain with_fallback(Steps steps) const
    requires one_of<Kind, kind::Message, kind::Any>
  {
    return hook("fallback", std::move(steps));
  }

  // --- message ---
  StepChain with_headers(const Data& headers) const requires one_of<Kind, kind::Message> { return field("headers", headers.value()); }
  StepChain with_priority(Priority priority) const requires one_of<Kind, kind::Message> { return field("priority", to_string(priority)); }
  /// Done once the message is handed over.
  StepChain without_response() const requires one_of<Kind, kind::Message> { return field("wait_for_response", false); }
  /// The JSON Schema that the reply must fit.
  StepChain expecting(const Value& schema) const requires one_of<Kind, kind::Message> { return raw("expect", schema); }

  // --- parallel, loops ---
  StepChain with_max_concurrent(std::uint32_t most) const requires one_of<Kind, kind::Parallel, kind::ForEach> { return field("max_concurrent", most); }
  StepChain with_fail_fast(bool fast) const requires one_of<Kind, kind::Parallel, kind::ForEach> { return field("fail_fast", fast); }
  StepChain with_wait_strategy(WaitStrategy strategy) const requires one_of<Kind, kind::Parallel> { return field("wait_strategy", to_string(strategy)); }
  /// Enough once so many branches have succeeded.
  StepChain with_wait_strategy(std::uint32_t successes) const requires one_of<Kind, kind::Parallel> { return field("wait_strategy", successes); }
  /// The name that the body knows its item by.
  StepChain with_loop_variable(std::string_view name) const requires one_of<Kind, kind::ForEach, kind::Repeat> { return field("loop_var", name); }
  /// What each time contributes to the loop's result; "none" keeps nothing.
  StepChain collecting(std::string_view what) const requires one_of<Kind, kind::ForEach, kind::Repeat> { return expression("collect", what); }
  StepChain break_when(std::string_view condition) const requires one_of<Kind, kind::ForEach, kind::Repeat> { return expression("break_when", condition); }
  StepChain with_max_iterations(std::uint64_t most) const requires one_of<Kind, kind::ForEach, kind::Repeat> { return field("max_iterations", most); }
  /// Reaching max_iterations ends the loop well instead of failing it.
  StepChain stop_at_max_iterations() const requires one_of<Kind, kind::ForEach, kind::Repeat> { return field("on_max_iterations", "stop"); }

  // --- conditional ---
  StepChain otherwise(Steps then) const requires one_of<Kind, kind::If, kind::Switch> {
    return steps(std::same_as<Kind, kind::If> ? "if_false" : "otherwise", std::move(then));
  }

  // --- sub-workflow ---
  StepChain with_version(std::string_view version) const requires one_of<Kind, kind::Workflow> { return field("version", version); }
  /// Variables to set from what the child did: `{{"receipt", "{{ child.results.print }}"}}`.
  StepChain with_output(const Data& variables) const requires one_of<Kind, kind::Workflow> { return field("output", variables.value()); }
  StepChain without_waiting() const requires one_of<Kind, kind::Workflow> { return field("wait", false); }
  StepChain on_parent_close(ParentClose what) const requires one_of<Kind, kind::Workflow> { return field("on_parent_close", to_string(what)); }

  // --- wait ---
  /// Runs when the step's timeout passes first; the workflow goes on after it.
  StepChain on_timeout(Steps then) const requires one_of<Kind, kind::Wait, kind::WaitForCondition> { return steps("on_timeout", std::move(then)); }
  /// For a condition that depends on the time.
  StepChain with_check_interval(Duration span) const requires one_of<Kind, kind::WaitForCondition> { return field("check_interval", format_duration(span)); }

  // --- transform ---
  StepChain asserting(const std::vector<std::string>& all) const requires one_of<Kind, kind::Transform> { return expressions("assert", all); }

  // --- aggregate ---
  StepChain where(std::string_view condition) const requires one_of<Kind, kind::Aggregate> { return expression("where", condition); }
  /// With Aggregation::best: the score of a `value`.
  StepChain by(std::string_view score) const requires one_of<Kind, kind::Aggregate> { return expression("by", score); }
  /// With Aggregation::quorum: how many must agree; a majority when left out.
  StepChain with_quorum(std::uint32_t votes) const requires one_of<Kind, kind::Aggregate> { return field("quorum", votes); }
  /// With Aggregation::vote: the first of several leaders wins.
  StepChain first_wins_ties() const requires one_of<Kind, kind::Aggregate> { return field("tie_break", "first"); }
  /// With Aggregation::custom: the result, of `values`; or the handler that makes it.
  StepChain with_expression(std::string_view result) const requires one_of<Kind, kind::Aggregate> { return expression("expression", result); }
  StepChain with_reducer(std::string_view handler) const requires one_of<Kind, kind::Aggregate> { return field("reducer", handler); }
  /// A source without a result fails the step instead of being left out.
  StepChain fail_on_missing() const requires one_of<Kind, kind::Aggregate> { return field("on_missing", "fail"); }

  // --- steps of any kind ---
  StepChain with_field(std::string_view name, const Data& value) const requires one_of<Kind, kind::Any> { return field(name, value.value()); }
  StepChain with_steps(std::string_view field, Steps inner) const requires one_of<Kind, kind::Any> { return steps(field, std::move(inner)); }
  StepChain with_branches(std::string_view field, std::vector<Steps> inner) const requires one_of<Kind, kind::Any> { return branches(field, std::move(inner)); }
  StepChain with_cases(std::string_view field, std::vector<Case> inner) const requires one_of<Kind, kind::Any> { return cases(field, std::move(inner)); }

 private:
  template <class>
  friend class Chain;
  StepChain(std::shared_ptr<Draft> draft, std::size_t position) : Chain<In>(std::move(draft)), position_(position) {}

  Draft& draft() const { return *this->draft_; }
  StepChain change(const auto& how) const { how(draft().step(position_)); return *this; }
  StepChain field(std::string_view name, const Value& value) const { draft().set(position_, name, value); return *this; }
  StepChain raw(std::string_view name, const Value& value) const { draft().step(position_).fields.set(name, value); return *this; }
  StepChain expression(std::string_view name, std::string_view text) const { draft().set_expression(position_, name, text); return *this; }
  StepChain expressions(std::string_view name, const std::vector<std::string>& texts) const {
    Array all;
    for (const std::string& text : texts) all.push_back(Value(expression_text(text)));
    return raw(name, Value(std::move(all)));
  }
  StepChain steps(std::string_view role, Steps inner) const { draft().set_steps(position_, role, std::move(inner)); return *this; }
  StepChain branches(std::string_view role, std::vector<Steps> inner) const { draft().set_branches(position_, role, std::move(inner)); return *this; }
  StepChain cases(std::string_view role, std::vector<Case> inner) const { draft().set_cases(position_, role, std::move(inner)); return *this; }
  StepChain hook(std::string_view role, Steps inner) const { draft().set_hook(position_, role, std::move(inner)); return *this; }

  std::size_t position_;
};

}  // namespace fluent

/// A workflow before its first step. What is said here is said of the whole.
class WorkflowChain : public fluent::Chain<fluent::InWorkflow> {
 public:
  explicit WorkflowChain(std::string_view id);

  WorkflowChain with_name(std::string_view name) const { return change([&](Definition& head) { head.name = name; }); }
  WorkflowChain with_description(std::string_view text) const { return change([&](Definition& head) { head.description = text; }); }
  WorkflowChain with_version(std::string_view version) const { return change([&](Definition& head) { head.version = version; }); }
  /// Of the whole run, pauses not counted.
  WorkflowChain with_timeout(Duration span) const { return change([&](Definition& head) { head.timeout = span; }); }
  WorkflowChain with_compensation_strategy(Compensation strategy) const { return change([&](Definition& head) { head.compensation_strategy = strategy; }); }
  /// Undoes the workflow by these steps, which see `compensations`.
  WorkflowChain with_compensation(Steps steps) const;
  WorkflowChain with_tags(std::vector<std::string> tags) const { return change([&](Definition& head) { head.tags = std::move(tags); }); }
  WorkflowChain with_metadata(const Data& metadata) const { return change([&](Definition& head) { head.metadata = metadata.value(); }); }
  /// The JSON Schema of the input.
  WorkflowChain with_input_schema(Value schema) const { return change([&](Definition& head) { head.variables_schema = std::move(schema); }); }
  /// Variables and their values at the start; the input is laid over them.
  WorkflowChain with_variables(const Data& variables) const { return change([&](Definition& head) { head.variables = variables.value(); }); }
  WorkflowChain with_budget(Budget budget) const { return change([&](Definition& head) { head.budget = budget; }); }
  /// How many of its instances run at once, by number and by key.
  WorkflowChain with_concurrency(Concurrency limits) const { return change([&](Definition& head) { head.concurrency = std::move(limits); }); }
  /// 0 … 9: how urgent its instances are that wait for their turn.
  WorkflowChain with_priority(std::uint32_t priority) const { return change([&](Definition& head) { head.priority = priority; }); }
  WorkflowChain with_max_depth(std::uint32_t depth) const { return change([&](Definition& head) { head.max_depth = depth; }); }
  /// Declares an agent: `with_agent("stock", "http", {{"url", "http://127.0.0.1:7001/"}}, {{"rate_limit", "50/s"}})`.
  WorkflowChain with_agent(std::string_view name, std::string_view transport, const Data& settings = {}, const Data& limits = {}) const;

 private:
  WorkflowChain change(const auto& how) const { how(draft_->head); return *this; }
};

/// A branch before its first step.
class BranchChain : public fluent::Chain<fluent::InBranch> {
 public:
  explicit BranchChain(std::string_view name);
};

/// Begins a workflow.
inline WorkflowChain workflow(std::string_view id) { return WorkflowChain(id); }
/// Begins steps that go inside another one. `name`: of a branch in a parallel.
inline BranchChain branch(std::string_view name = {}) { return BranchChain(name); }
/// A case of `switch_`.
inline Case when(std::string condition, Steps steps) { return {std::move(condition), std::move(steps)}; }

}  // namespace mapflow
