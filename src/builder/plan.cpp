#include "builder/plan.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "jinja/workflow.h"

namespace mapflow::builder {

namespace {

std::string root_of(std::string_view dotted) { return std::string(dotted.substr(0, dotted.find('.'))); }

/// What the templates of one step came to.
struct Findings {
  std::vector<std::string> needs;
  std::vector<std::string> problems;
  bool known() const { return needs.empty() && problems.empty(); }
  void need(std::string name) {
    if (std::ranges::find(needs, name) == needs.end()) needs.push_back(std::move(name));
  }
};

Value texts(const std::vector<std::string>& all) {
  Array out;
  for (const std::string& each : all) out.emplace_back(each);
  return Value(std::move(out));
}

/// Walks the steps in order. `names` holds what is known at the point where the walk is: a name that a step may have
/// changed is taken out of it.
class Planner {
 public:
  Planner(const Definition& definition, const KindCatalog& kinds)
      : definition_(definition), kinds_(kinds), environment_(jinja::workflow_environment()), globals_(environment_.global_names()) {}

  Value run(const Value& variables) {
    Value names = variables.is_object() ? variables : Value(Object{});
    names.set("workflow", object({{"id", definition_.id}, {"name", definition_.name}, {"version", definition_.version}}));
    return object({{"workflow", definition_.id}, {"version", definition_.version}, {"steps", block(definition_.steps, names)}});
  }

 private:
  Value block(const Block& steps, Value& names) {
    Array out;
    for (const Step& each : steps) out.push_back(step(each, names));
    return Value(std::move(out));
  }

  Value step(const Step& step, Value& names) {
    Value out = object({{"id", step.id}, {"type", step.type}});
    Findings findings;
    bool skipped = false;
    if (!step.when.empty()) {
      const Value when = condition(step.when, names, findings);
      skipped = when == Value(false);
      out.set("when", when);
    }
    if (skipped) {
      out.set("skipped", true);
      return out;
    }
    const bool certain = step.when.empty() || findings.known();
    const KindSchema* const schema = kinds_.schema(step.type);
    Value fields(Object{});
    std::optional<bool> decided;
    if (schema)
      for (const FieldSpec& spec : schema->fields)
        if (const Value* written = step.fields.find(spec.name)) fields.set(Text(spec.name), field(spec, *written, names, findings, certain, decided));
    if (fields.size() > 0) out.set("fields", std::move(fields));
    if (!findings.needs.empty()) out.set("needs", texts(findings.needs));
    if (!findings.problems.empty()) out.set("problems", texts(findings.problems));
    if (step.retry) out.set("retry", object({{"max_attempts", step.retry->max_attempts}}));
    if (step.timeout) out.set("timeout", format_duration(*step.timeout));
    if (step.total_timeout) out.set("total_timeout", format_duration(*step.total_timeout));
    blocks(step, schema, names, decided, out);
    if (!step.output_key.empty()) names.erase(root_of(step.output_key));
    return out;
  }

  // --- fields ---

  Value field(const FieldSpec& spec, const Value& written, Value& names, Findings& findings, bool certain, std::optional<bool>& decided) {
    if (spec.after_blocks) return written;
    switch (spec.type) {
      case FieldType::expression: {
        if (spec.meaning != FieldMeaning::condition) return written.is_text() ? expression(written.as_text(), names, findings) : written;
        const Value holds = written.is_text() ? condition(written.as_text(), names, findings) : written;
        if (holds.is_bool()) decided = holds.as_bool();
        return holds;
      }
      case FieldType::items: return written.is_text() ? expression(written.as_text(), names, findings) : rendered(written, names, findings);
      case FieldType::text:
      case FieldType::duration:
      case FieldType::value: return rendered(written, names, findings);
      case FieldType::object:
        return spec.meaning == FieldMeaning::variables ? written_variables(written, names, findings, certain) : rendered(written, names, findings);
      default: return written;
    }
  }

  /// Each target sees those before it.
  Value written_variables(const Value& targets, Value& names, Findings& findings, bool certain) {
    Value out(Object{});
    if (!targets.is_object()) return targets;
    for (const auto& [target, source] : targets.as_object()) {
      Findings own;
      Value value = rendered(source, names, own);
      const bool set = own.known() && certain && names.set_path(target.view(), value).has_value();
      if (!set) names.erase(root_of(target.view()));
      out.set(target, std::move(value));
      take(findings, std::move(own));
    }
    return out;
  }

  static void take(Findings& all, Findings own) {
    for (std::string& name : own.needs) all.need(std::move(name));
    for (std::string& problem : own.problems) all.problems.push_back(std::move(problem));
  }

  // --- blocks ---

  void blocks(const Step& step, const KindSchema* schema, Value& names, std::optional<bool> decided, Value& out) {
    // Whatever the blocks may change is unknown inside them too: they may run often, or beside each other.
    forget_written(step, names);
    Array all;
    const auto add = [&](const Branch& branch) {
      Value inside = names;
      if (schema) forget_locals(step, *schema, inside);
      Value entry = object({{"role", branch.role}});
      if (!branch.name.empty()) entry.set("name", branch.name);
      if (!branch.when.empty()) {
        Findings findings;
        const Value when = condition(branch.when, names, findings);
        entry.set("when", when);
        if (when == Value(false)) entry.set("taken", false);
      }
      if (decided && (branch.role == "if_true" || branch.role == "if_false")) entry.set("taken", *decided == (branch.role == "if_true"));
      entry.set("steps", block(branch.steps, inside));
      all.push_back(std::move(entry));
    };
    for (const Branch& branch : step.branches) add(branch);
    for (const Branch& hook : step.hooks) add(hook);
    if (!all.empty()) out.set("blocks", Value(std::move(all)));
  }

  void forget_written(const Step& step, Value& names) const {
    const auto forget = [&](const Branch& branch) {
      for (const Step& inner : branch.steps) {
        if (!inner.output_key.empty()) names.erase(root_of(inner.output_key));
        if (const KindSchema* schema = kinds_.schema(inner.type))
          for (const FieldSpec& spec : schema->fields)
            if (const Value* targets = inner.fields.find(spec.name); targets && targets->is_object() && spec.meaning == FieldMeaning::variables)
              for (const auto& [target, source] : targets->as_object()) names.erase(root_of(target.view()));
        forget_written(inner, names);
      }
    };
    for (const Branch& branch : step.branches) forget(branch);
    for (const Branch& hook : step.hooks) forget(hook);
  }

  static void forget_locals(const Step& step, const KindSchema& schema, Value& names) {
    for (const FieldSpec& spec : schema.fields) {
      if (spec.meaning != FieldMeaning::local) continue;
      const Value* const written = step.fields.find(spec.name);
      const Value& local = written ? *written : spec.otherwise;
      if (!local.is_text()) continue;
      names.erase(local.as_text());
      names.erase(std::string(local.as_text()) + "_index");
    }
  }

  // --- templates ---

  Value rendered(const Value& value, const Value& names, Findings& findings) const {
    if (value.is_text()) {
      if (!jinja::has_template(value.as_text())) return value;
      return evaluated(environment_.compile(value.as_text()), value, names, findings);
    }
    if (value.is_array()) {
      Array out;
      for (const Value& each : value.as_array()) out.push_back(rendered(each, names, findings));
      return Value(std::move(out));
    }
    if (!value.is_object()) return value;
    Value out(Object{});
    for (const auto& [key, each] : value.as_object()) out.set(key, rendered(each, names, findings));
    return out;
  }

  Value expression(std::string_view text, const Value& names, Findings& findings) const {
    std::size_t skipped = 0;
    return evaluated(environment_.compile_expression(jinja::bare_expression(text, skipped)), Value(text), names, findings);
  }

  /// Whether it holds, or what was written where that is not known.
  Value condition(std::string_view text, const Value& names, Findings& findings) const {
    std::size_t skipped = 0;
    const auto compiled = environment_.compile_expression(jinja::bare_expression(text, skipped));
    Findings own;
    evaluated(compiled, Value(text), names, own);
    const bool known = own.known();
    take(findings, std::move(own));
    if (!known) return Value(text);
    const auto holds = compiled->test(jinja::ValueScope(names));
    return holds ? Value(*holds) : Value(text);
  }

  /// The template's value, or what was written where that is not known.
  Value evaluated(const Result<jinja::Template>& compiled, const Value& written, const Value& names, Findings& findings) const {
    if (!compiled) {
      findings.problems.push_back(compiled.error().message);
      return written;
    }
    bool known = true;
    for (const jinja::Reference& reference : compiled->references()) {
      if (names.find(reference.name) || std::ranges::find(globals_, reference.name) != globals_.end()) continue;
      known = false;
      findings.need(reference.path.empty() ? reference.name : reference.name + "." + reference.path.front());
    }
    if (!known) return written;
    auto value = compiled->evaluate(jinja::ValueScope(names));
    if (value) return *std::move(value);
    findings.problems.push_back(value.error().message);
    return written;
  }

  const Definition& definition_;
  const KindCatalog& kinds_;
  const jinja::Environment environment_;
  const std::vector<std::string> globals_;
};

}  // namespace

Value plan(const Definition& definition, const KindCatalog& kinds, const Value& variables) {
  return Planner(definition, kinds).run(variables);
}

}  // namespace mapflow::builder
