#include "builder/validator.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "builder/codes.h"
#include "builder/flow_check.h"
#include "builder/reading.h"
#include "builder/shape.h"
#include "builder/step_index.h"
#include "builder/text_check.h"
#include "jinja/workflow.h"

namespace mapflow::builder {

namespace {

/// A call from one workflow to another.
struct Call {
  std::string workflow;
  Location where;
  bool certain = false;  ///< made whenever the caller runs to its end
};

/// Names that there are, and a guess for those that there are not.
class KnownNames {
 public:
  void add(const std::string& name) {
    if (set_.insert(name).second) list_.push_back(name);
  }
  bool empty() const { return list_.empty(); }
  bool contains(std::string_view name) const { return set_.contains(name); }
  /// A guess looks at every name, so only so many are made.
  std::string guess(std::string_view name, std::string otherwise) {
    std::string hint = guesses_left_-- > 0 ? did_you_mean(name, list_) : std::string();
    return hint.empty() ? std::move(otherwise) : std::move(hint);
  }
  std::string listed() const { return list_.size() <= 10 ? fmt::format("known are {}", fmt::join(list_, ", ")) : std::string(); }

 private:
  std::set<std::string, std::less<>> set_;
  std::vector<std::string> list_;
  int guesses_left_ = 100;
};

class DefinitionCheck {
 public:
  DefinitionCheck(const Definition& definition, const KindCatalog& kinds, const Surroundings& around, const jinja::Environment& templates,
                  KnownNames& workflows, Diagnostics& found)
      : definition_(definition), kinds_(kinds), around_(around), templates_(templates), workflows_(workflows), index_(definition, kinds), found_(found) {}

  std::vector<Call> run() {
    for (const AgentConfig& agent : definition_.agents) agents_.add(agent.name);
    for (const std::string& agent : around_.agents) agents_.add(agent);
    check_shape(definition_, kinds_, found_);
    for (const StepIndex::Entry& entry : index_.entries()) step(entry);
    TextCheck(definition_, kinds_, index_, templates_, found_).run();
    FlowCheck(definition_, index_, templates_, found_).run();
    compensation();
    limit_keys();
    concurrency_key();
    return std::move(calls_);
  }

 private:
  void step(const StepIndex::Entry& entry) {
    const Step& step = *entry.step;
    timeouts(step);
    retry(step);
    if (definition_.compensation_strategy == CompensationStrategy::none) {
      if (const Branch* hook = step.hook("compensate"))
        warn(mf::compensation_unused, hook->where, fmt::format("step '{}' is never undone: compensation_strategy is none", step.id));
    }
    const KindSchema* schema = kinds_.schema(step.type);
    if (!schema) return;
    if (schema->check) schema->check(step, found_);
    for (const FieldSpec& spec : schema->fields) {
      const Value* value = step.fields.find(spec.name);
      if (!value || !value->is_text() || jinja::has_template(value->as_text())) continue;
      if (spec.meaning == FieldMeaning::agent) agent(step, spec, value->as_text());
      if (spec.meaning == FieldMeaning::workflow) workflow(entry, spec, value->as_text());
    }
  }

  void agent(const Step& step, const FieldSpec& spec, std::string_view name) {
    if (name.empty() || agents_.contains(name)) return;
    if (agents_.empty() && !around_.agents_known) return;
    if (agents_.empty()) {
      if (undeclared_.insert(std::string(name)).second)
        warn(mf::undeclared_agent, step.place(spec.name), fmt::format("nobody declares the agent '{}'", name), "write it under agents:, or run this in a program with a handler of that name");
      return;
    }
    error(mf::unknown_agent, step.place(spec.name), fmt::format("unknown agent '{}'", name), agents_.guess(name, agents_.listed()));
  }

  void workflow(const StepIndex::Entry& entry, const FieldSpec& spec, std::string_view id) {
    if (id.empty()) return;
    const Location where = entry.step->place(spec.name);
    calls_.push_back({std::string(id), where, entry.certain});
    if (workflows_.contains(id)) return;
    error(mf::unknown_workflow, where, fmt::format("unknown workflow '{}'", id), workflows_.guess(id, "include its file, or register it first"));
  }

  void timeouts(const Step& step) {
    const auto longer = [&](const std::optional<Duration>& span, const std::optional<Duration>& limit, std::string_view name, std::string_view what) {
      if (!span || !limit || *span <= *limit) return;
      warn(mf::timeout_order, step.place(name), fmt::format("'{}' of {} is never reached: {} is {}", name, format_duration(*span), what, format_duration(*limit)));
    };
    longer(step.timeout, step.total_timeout, "timeout", "the step's total_timeout");
    longer(step.timeout, definition_.timeout, "timeout", "the workflow's timeout");
    longer(step.total_timeout, definition_.timeout, "total_timeout", "the workflow's timeout");
  }

  void retry(const Step& step) {
    if (!step.retry) return;
    for (const std::string& code : step.retry->retry_on) {
      if (std::ranges::find(step.retry->abort_on, code) != step.retry->abort_on.end())
        warn(mf::retry_unused, step.place("retry"), fmt::format("'{}' is in retry_on and in abort_on, so it is never retried", code));
    }
  }

  void compensation() {
    const bool custom = definition_.compensation_strategy == CompensationStrategy::custom;
    if (custom && definition_.compensation_steps.empty()) {
      error(mf::compensation_steps, definition_.place("compensation_strategy"), "compensation_strategy custom needs compensation_steps");
    } else if (!custom && !definition_.compensation_steps.empty()) {
      warn(mf::compensation_steps, definition_.place("compensation_steps"), "compensation_steps run only with compensation_strategy custom");
    }
  }

  void limit_keys() {
    for (const AgentConfig& agent : definition_.agents) {
      const Value* key = agent.limits.find("key");
      if (!key || !key->is_text()) continue;
      const Location where = definition_.place("agents." + agent.name + ".key");
      const auto compiled = templates_.compile_expression(key->as_text(), {.file = "", .line = 1, .column = 1});
      if (!compiled) error(mf::expression_syntax, place_in_text(definition_.places, "agents." + agent.name + ".key", where, compiled.error().where), compiled.error().message, compiled.error().hint);
    }
  }

  void concurrency_key() {
    if (!definition_.concurrency || definition_.concurrency->key.empty()) return;
    const Location where = definition_.place("concurrency.key");
    const auto compiled = templates_.compile_expression(definition_.concurrency->key, {.file = "", .line = 1, .column = 1});
    if (compiled) return;
    error(mf::expression_syntax, place_in_text(definition_.places, "concurrency.key", where, compiled.error().where), compiled.error().message, compiled.error().hint);
  }

  void error(std::string_view code, Location where, std::string message, std::string hint = {}) {
    found_.push_back({Severity::error, std::string(code), std::move(where), std::move(message), std::move(hint)});
  }
  void warn(std::string_view code, Location where, std::string message, std::string hint = {}) {
    found_.push_back({Severity::warning, std::string(code), std::move(where), std::move(message), std::move(hint)});
  }

  const Definition& definition_;
  const KindCatalog& kinds_;
  const Surroundings& around_;
  const jinja::Environment& templates_;
  KnownNames& workflows_;
  StepIndex index_;
  Diagnostics& found_;
  KnownNames agents_;
  std::set<std::string> undeclared_;  ///< agents that were told
  std::vector<Call> calls_;
};

/// Finds workflows that always end up calling themselves. A call that a condition can avoid ends the search: recursion
/// with a way out is allowed, and bounded by max_depth.
class RecursionCheck {
 public:
  RecursionCheck(const std::map<std::string, std::vector<Call>>& calls, Diagnostics& found) : calls_(calls), found_(found) {}

  void run() {
    for (const auto& [workflow, calls] : calls_) visit(workflow);
  }

 private:
  enum class Mark { fresh, open, done };

  /// Depth first, with a stack of its own: a library may be a long chain.
  void visit(const std::string& start) {
    open(start);
    while (!way_.empty()) {
      auto& [workflow, next] = way_.back();
      const auto calls = calls_.find(workflow);
      if (calls == calls_.end() || next == calls->second.size()) {
        marks_[workflow] = Mark::done;
        way_.pop_back();
        continue;
      }
      const Call& call = calls->second[next++];
      if (!call.certain) continue;
      if (marks_[call.workflow] == Mark::open) report(call);
      else open(call.workflow);
    }
  }

  void open(const std::string& workflow) {
    if (marks_[workflow] != Mark::fresh) return;
    marks_[workflow] = Mark::open;
    way_.emplace_back(workflow, 0);
  }

  void report(const Call& call) {
    std::string way;
    for (auto each = std::ranges::find(way_, call.workflow, &std::pair<std::string, std::size_t>::first); each != way_.end(); ++each)
      way += each->first + " → ";
    way += call.workflow;
    found_.push_back({Severity::error, std::string(mf::endless_recursion), call.where,
                      fmt::format("workflow '{}' calls itself without end: {}", call.workflow, way), "make one of the calls conditional"});
  }

  const std::map<std::string, std::vector<Call>>& calls_;
  Diagnostics& found_;
  std::map<std::string, Mark> marks_;
  std::vector<std::pair<std::string, std::size_t>> way_;  // open workflows, and which of their calls is next
};

}  // namespace

Diagnostics validate(std::span<const Definition> definitions, const KindCatalog& kinds, const Surroundings& around) {
  Diagnostics found;
  std::optional<jinja::Environment> usual;
  if (!around.templates) usual.emplace(jinja::workflow_environment());
  const jinja::Environment& templates = around.templates ? *around.templates : *usual;

  KnownNames workflows;
  for (const std::string& workflow : around.workflows) workflows.add(workflow);
  for (const Definition& definition : definitions) workflows.add(definition.id);
  std::map<std::string, std::vector<Call>> calls;
  for (const Definition& definition : definitions)
    calls.emplace(definition.id, DefinitionCheck(definition, kinds, around, templates, workflows, found).run());
  RecursionCheck(calls, found).run();
  return found;
}

}  // namespace mapflow::builder
