#include "builder/shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "builder/codes.h"
#include "jinja/workflow.h"
#include "value/schema.h"

namespace mapflow::builder {

namespace {

class ShapeCheck {
 public:
  ShapeCheck(const Definition& definition, const KindCatalog& kinds, Diagnostics& found)
      : definition_(definition), kinds_(kinds), found_(found) {}

  void run() {
    if (definition_.id.empty()) {
      error(mf::missing, definition_.place("id"), "a workflow needs an 'id'");
    } else if (!is_usable_id(definition_.id, true)) {
      error(mf::bad_id, definition_.place("id"), fmt::format("'{}' cannot be the id of a workflow", definition_.id),
            "use letters, digits, '_', '-' and '.'");
    }
    if (definition_.steps.empty()) error(mf::no_steps, definition_.place("steps"), "a workflow needs steps");
    block(definition_.steps, 1);
    block(definition_.compensation_steps, 1);
    if (!definition_.variables_schema.is_null()) {
      check_json_schema(definition_.variables_schema, "variables_schema",
                        [this](const std::string& path) { return definition_.place(path); }, found_);
    }
  }

 private:
  void block(const Block& steps, std::size_t depth) {
    if (depth > kDeepestNesting) {
      if (!steps.empty()) error(mf::too_deep, steps.front().where, fmt::format("steps nested deeper than {} levels", kDeepestNesting));
      return;
    }
    for (const Step& each : steps) step(each, depth);
  }

  void step(const Step& step, std::size_t depth) {
    check_id(step);
    if (step.type.empty()) {
      error(mf::missing, step.place("type"), "a step needs a 'type'", fmt::format("one of {}", fmt::join(kinds_.kind_names(), ", ")));
    } else if (const KindSchema* schema = kinds_.schema(step.type)) {
      check_fields(step, *schema);
    } else {
      std::string hint = did_you_mean(step.type, kinds_.kind_names());
      if (hint.empty()) hint = fmt::format("one of {}", fmt::join(kinds_.kind_names(), ", "));
      error(mf::unknown_kind, step.place("type"), fmt::format("unknown step kind '{}'", step.type), std::move(hint));
    }
    for (const Branch& branch : step.branches) block(branch.steps, depth + 1);
    for (const Branch& hook : step.hooks) block(hook.steps, depth + 1);
  }

  void check_id(const Step& step) {
    if (step.id.empty()) return error(mf::missing, step.where, "a step needs an 'id'");
    const Location at = step.place("id");
    if (!is_usable_id(step.id, false)) {
      error(mf::bad_id, at, fmt::format("'{}' cannot be the id of a step", step.id), "use letters, digits, '_' and '-'");
    }
    const auto [first, fresh] = ids_.emplace(step.id, at);
    if (fresh) return;
    const std::string place = first->second.known() ? fmt::format(" at line {}", first->second.line) : std::string();
    error(mf::duplicate_step, at, fmt::format("there is already a step '{}'{}", step.id, place), "ids are unique in a workflow");
  }

  void check_fields(const Step& step, const KindSchema& schema) {
    if (step.fields.is_object()) {
      for (const auto& [name, value] : step.fields.as_object()) {
        const FieldSpec* spec = schema.field(name);
        if (spec) check_field(step, *spec, value, found_);
        else unknown_field(step, schema, name);
      }
    }
    std::map<std::string_view, std::size_t> branches;
    for (const Branch& branch : step.branches) {
      ++branches[branch.role];
      const FieldSpec* spec = schema.field(branch.role);
      if (!spec || !holds_steps(*spec)) unknown_field(step, schema, branch.role);
      else if (spec->type == FieldType::branches && branch.name.empty() && branch.steps.size() > 1)
        error(mf::nameless_branch, branch.where, fmt::format("a branch of {} steps needs a name", branch.steps.size()), "write {name: [steps]}");
      else if (spec->type == FieldType::cases && branch.when.empty())
        error(mf::missing, branch.where, "a case needs 'when'");
    }
    for (const FieldSpec& spec : schema.fields) {
      const bool there = holds_steps(spec) ? branches.contains(spec.name) : step.fields.find(spec.name) != nullptr;
      if (spec.required && !there) error(mf::missing, step.where, fmt::format("a {} step needs '{}'", schema.name, spec.name));
    }
  }

  void unknown_field(const Step& step, const KindSchema& schema, std::string_view name) {
    std::vector<std::string> known;
    for (const FieldSpec& spec : schema.fields) known.push_back(spec.name);
    error(mf::unknown_key, step.place(name), fmt::format("unknown key '{}' in a {} step", name, schema.name), did_you_mean(name, known));
  }

  static bool holds_steps(const FieldSpec& spec) {
    return spec.type == FieldType::steps || spec.type == FieldType::branches || spec.type == FieldType::cases;
  }

  void error(std::string_view code, Location where, std::string message, std::string hint = {}) {
    found_.push_back({Severity::error, std::string(code), std::move(where), std::move(message), std::move(hint)});
  }

  const Definition& definition_;
  const KindCatalog& kinds_;
  Diagnostics& found_;
  std::map<std::string, Location, std::less<>> ids_;
};

std::string_view a_kind(const Value& value) {
  switch (value.type()) {
    case ValueType::null: return "nothing";
    case ValueType::boolean: return "a boolean";
    case ValueType::integer: return "an integer";
    case ValueType::number: return "a number";
    case ValueType::text: return "a text";
    case ValueType::array: return "a list";
    case ValueType::object: return "an object";
  }
  return "";
}

/// What a field of this type must be, when `value` is something else; "" when it fits.
std::string_view wanted_instead(FieldType type, const Value& value) {
  const bool scalar = value.is_text() || value.is_bool() || value.is_number();
  switch (type) {
    case FieldType::expression: return scalar ? "" : "an expression";
    case FieldType::expressions: return value.is_array() ? "" : "a list of expressions";
    case FieldType::items:
      return value.is_text() || value.is_integer() || value.is_array() || value.is_object() ? "" : "an expression, a list, an object or a count";
    case FieldType::text: return value.is_text() ? "" : "a text";
    case FieldType::name: return value.is_text() ? "" : "a plain text";
    case FieldType::object: return value.is_object() ? "" : "an object";
    case FieldType::names: return value.is_array() ? "" : "a list of texts";
    case FieldType::duration: return value.is_text() || value.is_number() ? "" : "a duration";
    case FieldType::integer: return value.is_integer() ? "" : "a whole number";
    case FieldType::number: return value.is_number() ? "" : "a number";
    case FieldType::boolean: return value.is_bool() ? "" : "true or false";
    case FieldType::choice: return value.is_text() ? "" : "a text";
    case FieldType::choice_or_count: return value.is_text() || value.is_integer() ? "" : "a text or a count";
    case FieldType::schema: return value.is_object() || value.is_bool() ? "" : "a JSON Schema";
    default: return "";
  }
}

}  // namespace

void check_shape(const Definition& definition, const KindCatalog& kinds, Diagnostics& found) {
  ShapeCheck(definition, kinds, found).run();
}

void check_field(const Step& step, const FieldSpec& spec, const Value& value, Diagnostics& found) {
  const auto error = [&](std::string_view code, std::string message, std::string hint = {}, std::string_view part = {}) {
    const std::string path = part.empty() ? spec.name : spec.name + "." + std::string(part);
    found.push_back({Severity::error, std::string(code), step.place(path), std::move(message), std::move(hint)});
  };
  if (const std::string_view wanted = wanted_instead(spec.type, value); !wanted.empty())
    return error(mf::wrong_type, fmt::format("'{}' must be {}, not {}", spec.name, wanted, a_kind(value)));
  if (spec.type == FieldType::expression && value.is_text() && value.as_text().empty())
    return error(mf::missing, fmt::format("'{}' is empty", spec.name));
  if (spec.required && value.is_text() && value.as_text().empty()) return error(mf::not_allowed, fmt::format("'{}' is empty", spec.name));
  switch (spec.type) {
    case FieldType::expressions:
    case FieldType::names: {
      std::size_t index = 0;
      for (const Value& each : value.as_array()) {
        if (!each.is_text())
          error(mf::wrong_type, fmt::format("'{}' must hold texts, not {}", spec.name, a_kind(each)), {}, std::to_string(index));
        ++index;
      }
      break;
    }
    case FieldType::items:
      if (value.is_integer() && value.as_integer() < 0) error(mf::not_allowed, fmt::format("'{}' must be at least 0", spec.name));
      break;
    case FieldType::name:
      if (jinja::has_template(value.as_text())) error(mf::not_allowed, fmt::format("'{}' is a plain text; a template cannot stand here", spec.name));
      break;
    case FieldType::duration: {
      if (value.is_text() && jinja::has_template(value.as_text())) break;
      const auto span = value.is_text() ? parse_duration(value.as_text()) : duration_from_seconds(value.as_double());
      if (!span) error(mf::bad_duration, fmt::format("'{}': {}", spec.name, span.error().message),
                       "write seconds as a number, or a text like 250ms, 10s, 5m, 2h, 1d, PT5M");
      break;
    }
    case FieldType::choice:
    case FieldType::choice_or_count: {
      if (value.is_integer()) {
        if (value.as_integer() < 1) error(mf::not_allowed, fmt::format("'{}' must be at least 1", spec.name));
        break;
      }
      if (std::ranges::find(spec.choices, value.as_text()) != spec.choices.end()) break;
      std::string hint = did_you_mean(value.as_text(), spec.choices);
      if (hint.empty()) {
        hint = fmt::format("one of {}{}", fmt::join(spec.choices, ", "), spec.type == FieldType::choice_or_count ? ", or a count" : "");
      }
      error(mf::not_allowed, fmt::format("'{}' cannot be '{}'", spec.name, value.as_text()), std::move(hint));
      break;
    }
    case FieldType::schema:
      check_json_schema(value, spec.name, [&step](const std::string& path) { return step.place(path); }, found);
      break;
    default: break;
  }
}

void check_json_schema(const Value& schema, const std::string& path, const std::function<Location(const std::string&)>& place,
                       Diagnostics& found) {
  const auto compiled = Schema::compile(schema);
  if (compiled) return;
  // The message says where in the schema: "not a JSON Schema: /properties/a/type names …".
  const std::string& message = compiled.error().message;
  std::string at = path;
  if (const auto slash = message.find(": /"); slash != std::string::npos) {
    std::string pointer = message.substr(slash + 2, message.find(' ', slash + 2) - slash - 2);
    std::ranges::replace(pointer, '/', '.');
    at += pointer;
  }
  found.push_back({Severity::error, std::string(mf::bad_schema), place(at), fmt::format("'{}' is {}", path, message), {}});
}

bool is_usable_id(std::string_view id, bool allow_dots) {
  if (id.empty() || id.size() > 200) return false;
  for (const char c : id) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte == 0x7F || std::string_view("/[]{}#:\"'`\\,").find(c) != std::string_view::npos) return false;
    if (c == '.' && !allow_dots) return false;
  }
  return true;
}

}  // namespace mapflow::builder
