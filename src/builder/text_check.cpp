#include "builder/text_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "builder/codes.h"
#include "builder/reading.h"
#include "builder/shape.h"
#include "builder/shorthand.h"
#include "jinja/workflow.h"

namespace mapflow::builder {

namespace {

constexpr std::array<std::string_view, 6> kBuiltIn{"results", "errors", "workflow", "instance", "step", "secrets"};

struct Members {
  std::string_view name;
  std::vector<std::string> known;
};

const std::vector<Members>& built_in_members() {
  static const std::vector<Members> kMembers{{"workflow", {"id", "name", "version"}},
                                             {"instance", {"id", "parent_id", "correlation_id", "started_at"}},
                                             {"step", {"id", "path", "attempt"}}};
  return kMembers;
}

/// Methods of objects that templates may call on `results` itself.
bool is_object_method(std::string_view name) {
  static constexpr std::array<std::string_view, 5> kMethods{"items", "keys", "values", "get", "copy"};
  return std::ranges::find(kMethods, name) != kMethods.end();
}

std::string_view root_of(std::string_view dotted) { return dotted.substr(0, dotted.find_first_of(".[")); }

/// The names that a step gives to its own blocks.
void add_block_names(const Step& step, const KindSchema& schema, std::vector<std::string>& names) {
  for (const FieldSpec& spec : schema.fields) {
    if (spec.meaning != FieldMeaning::local) continue;
    const Value* given = step.fields.find(spec.name);
    const Value& name = given ? *given : spec.otherwise;
    if (!name.is_text()) continue;
    names.emplace_back(name.as_text());
    names.push_back(std::string(name.as_text()) + "_index");
  }
}

void add_hook_names(const StepIndex::Entry& entry, std::vector<std::string>& names) {
  if (entry.in_hook && entry.branch->role != "on_success") names.emplace_back("error");
  if (entry.in_hook && entry.branch->role == "compensate") names.emplace_back("original");
  if (entry.undoing && entry.parent == StepIndex::kNone) {
    names.emplace_back("compensations");
    names.emplace_back("error");
  }
}

}  // namespace

TextCheck::TextCheck(const Definition& definition, const KindCatalog& kinds, const StepIndex& index,
                     const jinja::Environment& templates, Diagnostics& found)
    : definition_(definition), kinds_(kinds), index_(index), templates_(templates), found_(found) {
  for (std::string& name : templates.global_names()) globals_.insert(std::move(name));
  globals_.insert("now");  // the kernel's own
}

void TextCheck::run() {
  collect_variables();
  for (std::uint32_t i = 0; i < index_.entries().size(); ++i) step(i);
}

// --- what is declared ---------------------------------------------------------------------------------------------

void TextCheck::collect_variables() {
  const Value& schema = definition_.variables_schema;
  if (const Value* properties = schema.find("properties"); properties && properties->is_object()) {
    unknown_ = Unknown::warned;
    for (const auto& [name, part] : properties->as_object()) declare(name, definition_.place("variables_schema.properties." + std::string(name)));
  }
  const Value* additional = schema.find("additionalProperties");
  if (additional && additional->is_bool() && !additional->as_bool()) unknown_ = Unknown::refused;
  if (definition_.variables.is_object()) {
    if (unknown_ == Unknown::ignored) unknown_ = Unknown::near_misses;
    for (const auto& [name, value] : definition_.variables.as_object()) declare(name, definition_.place("variables." + std::string(name)));
  }
  for (const StepIndex::Entry& entry : index_.entries()) {
    const Step& step = *entry.step;
    if (!step.output_key.empty()) declare(step.output_key, step.place("output_key"));
    const KindSchema* schema_of_kind = kinds_.schema(step.type);
    if (!schema_of_kind) continue;
    for (const FieldSpec& spec : schema_of_kind->fields) {
      const Value* value = step.fields.find(spec.name);
      if (spec.meaning != FieldMeaning::variables || !value || !value->is_object()) continue;
      for (const auto& [target, source] : value->as_object()) declare(target, step.place(spec.name + "." + std::string(target)));
    }
  }
}

void TextCheck::declare(std::string_view dotted, const Location& where) {
  const std::string_view root = root_of(dotted);
  if (std::ranges::find(kBuiltIn, root) != kBuiltIn.end()) {
    report(Severity::warning, mf::reserved_name, where, fmt::format("templates never see a variable called '{}'", root),
           fmt::format("'{}' is a built-in name", root));
  }
  variables_.emplace(root);
}

// --- which texts there are ----------------------------------------------------------------------------------------

void TextCheck::step(std::uint32_t index) {
  const Step& step = *index_.entries()[index].step;
  if (!step.when.empty()) expression({.step = index, .path = "when", .condition = true}, Value(step.when));
  const KindSchema* schema = kinds_.schema(step.type);
  if (!schema) return;
  if (step.fields.is_object())
    for (const auto& [name, value] : step.fields.as_object())
      if (const FieldSpec* spec = schema->field(name)) field(index, *spec, value);
  std::size_t position = 0;
  for (const Branch& branch : step.branches) {
    if (!branch.when.empty())
      expression({.step = index, .path = fmt::format("{}.{}.when", branch.role, position), .condition = true}, Value(branch.when));
    position = &branch != &step.branches.back() && (&branch)[1].role == branch.role ? position + 1 : 0;
  }
}

void TextCheck::field(std::uint32_t index, const FieldSpec& spec, const Value& value) {
  Text text{.step = index, .path = spec.name, .field = &spec, .condition = spec.meaning == FieldMeaning::condition};
  switch (spec.type) {
    case FieldType::expression: return expression(text, value);
    case FieldType::items: return value.is_text() ? expression(text, value) : this->value(text, value);
    case FieldType::expressions:
      if (!value.is_array()) return;
      for (std::size_t i = 0; i < value.size(); ++i) {
        text.path = fmt::format("{}.{}", spec.name, i);
        expression(text, value.as_array()[i]);
      }
      return;
    case FieldType::text:
    case FieldType::value:
    case FieldType::object:
    case FieldType::duration: return this->value(text, value);
    case FieldType::names: return spec.meaning == FieldMeaning::sources ? sources(text, value) : void();
    default: return;
  }
}

void TextCheck::value(Text& text, const Value& value) {
  if (value.is_text()) {
    if (jinja::has_template(value.as_text())) template_text(text, value.as_text());
    if (has_shorthand(value.as_text())) odd_shorthands(text, value.as_text());
    return;
  }
  const std::size_t length = text.path.size();
  if (value.is_array()) {
    std::size_t position = 0;
    for (const Value& each : value.as_array()) {
      fmt::format_to(std::back_inserter(text.path), ".{}", position++);
      this->value(text, each);
      text.path.resize(length);
    }
  } else if (value.is_object()) {
    for (const auto& [key, each] : value.as_object()) {
      fmt::format_to(std::back_inserter(text.path), ".{}", key.view());
      this->value(text, each);
      text.path.resize(length);
    }
  }
}

/// What a shell knows, as ${HOME:-x}, is no expression, and nothing is said about it.
void TextCheck::odd_shorthands(const Text& text, std::string_view source) {
  for (const Unexpanded& each : unexpanded(source)) {
    if (!templates_.compile_expression(each.inside)) continue;
    const std::string_view before = source.substr(0, each.at);
    const std::size_t line_begin = before.rfind('\n') + 1;  // of the first line: npos + 1 is 0
    const auto column = std::ranges::count_if(before.substr(line_begin), [](char c) { return (c & 0xC0) != 0x80; });
    const Location inside{"", static_cast<std::uint32_t>(std::ranges::count(before, '\n') + 1), static_cast<std::uint32_t>(column + 1)};
    report(Severity::warning, mf::stays_text, place(text, inside), fmt::format("'${{{}}}' stays text: ${{…}} is for names alone", each.inside),
           fmt::format("write {{{{ {} }}}}", each.inside));
  }
}

// --- compiling ----------------------------------------------------------------------------------------------------

void TextCheck::template_text(const Text& text, std::string_view source) {
  const auto compiled = templates_.compile(source, {.file = "", .line = 1, .column = 1});
  if (compiled) return check(text, *compiled);
  report(Severity::error, mf::template_syntax, place(text, compiled.error().where), compiled.error().message, compiled.error().hint);
}

void TextCheck::expression(const Text& text, const Value& value) {
  if (value.is_bool() || value.is_number()) {
    if (text.condition) constant(text, value);
    return;
  }
  if (!value.is_text()) return;
  std::size_t skipped = 0;
  const std::string_view bare = jinja::bare_expression(value.as_text(), skipped);
  if (bare.empty()) return;  // told by the shape check
  if (const auto brace = bare.find("{{"); brace != std::string_view::npos || bare.find("{%") != std::string_view::npos) {
    report(Severity::error, mf::text_in_expression, place(text, {"", 1, 1}), fmt::format("'{}' is an expression, not a text with templates in it", text.path),
           "write names bare: total > 3, not {{ total }} > 3");
    return;
  }
  const auto compiled = templates_.compile_expression(bare, {.file = "", .line = 1, .column = static_cast<std::uint32_t>(skipped + 1)});
  if (!compiled) {
    report(Severity::error, mf::expression_syntax, place(text, compiled.error().where), compiled.error().message, compiled.error().hint);
    return;
  }
  check(text, *compiled);
  if (text.condition && compiled->constant()) constant(text, *compiled->constant());
}

void TextCheck::constant(const Text& text, const Value& value) {
  const bool holds = value.is_bool() ? value.as_bool() : value.is_number() ? value.as_double() != 0 : value.size() > 0;
  report(Severity::warning, mf::constant_condition, place(text, {"", 1, 1}), fmt::format("'{}' is always {}", text.path, holds ? "true" : "false"));
}

// --- names --------------------------------------------------------------------------------------------------------

void TextCheck::check(const Text& text, const jinja::Template& compiled) {
  for (const jinja::Reference& each : compiled.references()) reference(text, each);
}

void TextCheck::reference(const Text& text, const jinja::Reference& reference) {
  if (sees_local(text, reference.name)) return;
  if (reference.name == "results") return result(text, reference);
  if (std::ranges::find(kBuiltIn, reference.name) != kBuiltIn.end()) return member_of_built_in(text, reference);
  if (reference.guarded || variables_.contains(reference.name) || globals_.contains(reference.name)) return;
  variable(text, reference);
}

void TextCheck::result(const Text& text, const jinja::Reference& reference) {
  if (reference.path.empty()) return;
  const std::string& id = reference.path.front();
  const std::uint32_t asked = index_.find(id);
  const Location where = place(text, reference.where);
  if (asked == StepIndex::kNone) {
    if (reference.guarded || is_object_method(id)) return;
    return report(Severity::error, mf::unknown_step, where, fmt::format("there is no step '{}'", id), suggestion(id, index_.ids()));
  }
  const bool after_blocks = text.field && text.field->after_blocks;
  const ResultAccess access = index_.access(text.step, asked, after_blocks);
  if (access == ResultAccess::possible || reference.guarded) return;
  const Step& step = *index_.entries()[asked].step;
  const std::string there = step.where.known() ? fmt::format(" (line {})", step.where.line) : "";
  std::string message, hint;
  switch (access) {
    case ResultAccess::itself: message = fmt::format("step '{}' asks for its own result", id); break;
    case ResultAccess::around: message = fmt::format("step '{}'{} is still running here: this is a part of it", id, there); break;
    case ResultAccess::later: message = fmt::format("step '{}'{} runs later than this", id, there); break;
    case ResultAccess::beside: message = fmt::format("step '{}'{} is in another branch", id, there); break;
    case ResultAccess::undoing: message = fmt::format("step '{}'{} runs only when the workflow is being undone", id, there); break;
    case ResultAccess::inside_loop: {
      message = fmt::format("step '{}'{} runs many times; its results are seen only beside it", id, there);
      const std::uint32_t loop = index_.loop_around(asked);
      if (loop != StepIndex::kNone) hint = fmt::format("results.{} has what was collected", index_.entries()[loop].step->id);
      break;
    }
    case ResultAccess::possible: break;
  }
  report(Severity::error, mf::not_yet_run, where, std::move(message), std::move(hint));
}

void TextCheck::sources(Text& text, const Value& value) {
  if (!value.is_array()) return;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const Value& each = value.as_array()[i];
    text.path = fmt::format("{}.{}", text.field->name, i);
    if (each.is_text()) result(text, {.name = "results", .path = {std::string(root_of(each.as_text()))}, .where = {"", 1, 1}});
  }
}

void TextCheck::member_of_built_in(const Text& text, const jinja::Reference& reference) {
  if (reference.path.empty() || reference.guarded) return;
  for (const Members& each : built_in_members()) {
    if (each.name != reference.name || std::ranges::find(each.known, reference.path.front()) != each.known.end()) continue;
    if (is_object_method(reference.path.front())) continue;
    std::string hint = suggestion(reference.path.front(), each.known);
    if (hint.empty()) hint = fmt::format("it has {}", fmt::join(each.known, ", "));
    report(Severity::error, mf::unknown_member, place(text, reference.where),
           fmt::format("'{}' has no '{}'", reference.name, reference.path.front()), std::move(hint));
  }
}

void TextCheck::variable(const Text& text, const jinja::Reference& reference) {
  if (unknown_ == Unknown::ignored) return;
  const bool refused = unknown_ == Unknown::refused;
  if (!refused && !warned_.insert(reference.name).second) return;
  std::vector<std::string> known(variables_.begin(), variables_.end());
  local_names(text, known);
  std::string hint = suggestion(reference.name, known);
  if (unknown_ == Unknown::near_misses && hint.empty()) return;
  if (reference.name == "error") hint = "it is there in the steps of on_error, fallback and compensate";
  if (reference.name == "original") hint = "it is there in the steps of compensate";
  if (reference.name == "compensations") hint = "it is there in compensation_steps";
  if (hint.empty() && !refused) hint = "declare it in variables_schema, or give it a default";
  report(refused ? Severity::error : Severity::warning, mf::undeclared_variable, place(text, reference.where),
         fmt::format("nothing declares the variable '{}'", reference.name), std::move(hint));
}

bool TextCheck::sees_local(const Text& text, std::string_view name) const {
  std::vector<std::string> names;
  local_names(text, names);
  return std::ranges::find(names, name) != names.end();
}

void TextCheck::local_names(const Text& text, std::vector<std::string>& names) const {
  if (text.field) {
    names.insert(names.end(), text.field->names.begin(), text.field->names.end());
    const Step& own = *index_.entries()[text.step].step;
    if (text.field->after_blocks) add_block_names(own, *kinds_.schema(own.type), names);
  }
  for (std::uint32_t at = text.step; at != StepIndex::kNone; at = index_.entries()[at].parent) {
    const StepIndex::Entry& entry = index_.entries()[at];
    add_hook_names(entry, names);
    if (entry.parent == StepIndex::kNone || entry.in_hook) continue;
    const Step& parent = *index_.entries()[entry.parent].step;
    if (const KindSchema* schema = kinds_.schema(parent.type)) add_block_names(parent, *schema, names);
  }
}

// --- saying so ----------------------------------------------------------------------------------------------------

Location TextCheck::place(const Text& text, const Location& inside) const {
  const Step& step = *index_.entries()[text.step].step;
  return place_in_text(step.places, text.path, step.place(text.path), inside);
}

std::string TextCheck::suggestion(std::string_view name, const std::vector<std::string>& known) {
  return suggestions_left_-- > 0 ? did_you_mean(name, known) : std::string();
}

void TextCheck::report(Severity severity, std::string_view code, Location where, std::string message, std::string hint) {
  found_.push_back({severity, std::string(code), std::move(where), std::move(message), std::move(hint)});
}

}  // namespace mapflow::builder
