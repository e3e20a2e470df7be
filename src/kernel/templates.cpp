#include "kernel/templates.h"

#include "jinja/workflow.h"
#include "kernel/program.h"
#include "kernel/state.h"
#include "model/message.h"

namespace mapflow::kernel {

// --- ValueTemplate ------------------------------------------------------------------------------------------------

struct ValueTemplate::Node {
  std::optional<jinja::Template> text;                       // a text with a template in it
  std::vector<ValueTemplate> items;                          // a list
  std::vector<std::pair<Text, ValueTemplate>> members;       // an object
  bool is_list = false;
};

Result<ValueTemplate> ValueTemplate::compile(const Value& value, const jinja::Environment& environment,
                                             const std::function<Location(const std::string& part)>& place) {
  ValueTemplate out;
  out.fixed_ = value;
  auto node = std::make_shared<Node>();
  const auto below = [&](std::string_view part) {
    return [&place, prefix = std::string(part)](const std::string& rest) {
      return place(rest.empty() ? prefix : prefix + "." + rest);
    };
  };
  bool constant = true;
  if (value.is_text() && jinja::has_template(value.as_text())) {
    MAPFLOW_ASSIGN(node->text, environment.compile(value.as_text(), place("")));
    constant = false;
  } else if (value.is_array()) {
    node->is_list = true;
    for (std::size_t i = 0; i < value.size(); ++i) {
      MAPFLOW_ASSIGN(auto item, compile(value.as_array()[i], environment, below(std::to_string(i))));
      constant = constant && item.constant();
      node->items.push_back(std::move(item));
    }
  } else if (value.is_object()) {
    for (const auto& [key, member] : value.as_object()) {
      MAPFLOW_ASSIGN(auto compiled, compile(member, environment, below(key)));
      constant = constant && compiled.constant();
      node->members.emplace_back(key, std::move(compiled));
    }
  }
  if (!constant) out.node_ = std::move(node);
  return out;
}

Result<Value> ValueTemplate::render(const jinja::Scope& scope) const {
  if (!node_) return fixed_;
  if (node_->text) return node_->text->evaluate(scope);
  if (node_->is_list) {
    Array items;
    items.reserve(node_->items.size());
    for (const ValueTemplate& item : node_->items) {
      MAPFLOW_ASSIGN(auto value, item.render(scope));
      items.push_back(std::move(value));
    }
    return Value(std::move(items));
  }
  Object members;
  members.reserve(node_->members.size());
  for (const auto& [key, member] : node_->members) {
    MAPFLOW_ASSIGN(auto value, member.render(scope));
    members.set(key, std::move(value));
  }
  return Value(std::move(members));
}

// --- NameScope ----------------------------------------------------------------------------------------------------

const Value* NameScope::keep(Value value) const { return &made_.emplace_back(std::move(value)); }

Value NameScope::visible_results() const {
  std::vector<const Value*> inner;  // innermost first
  for (const Frame* frame = state_.frame(frame_); frame != nullptr; frame = state_.around(*frame))
    if (frame->scoped) inner.push_back(&frame->results);
  Value merged = state_.results;
  for (auto each = inner.rbegin(); each != inner.rend(); ++each) {
    if (!(*each)->is_object()) continue;
    for (const auto& [id, result] : (*each)->as_object()) merged.set(id, result);
  }
  return merged.is_null() ? Value(Object{}) : merged;
}

const Value* NameScope::find(std::string_view name) const {
  for (const Frame* frame = state_.frame(frame_); frame != nullptr; frame = state_.around(*frame))
    if (const Value* local = frame->locals.find(name)) return local;
  if (name == "results") {
    if (state_.results.is_object() && state_.results_scope(frame_) == kNoFrame) return &state_.results;
    return keep(visible_results());
  }
  if (name == "secrets") return &program_.secrets();
  if (name == "errors") {
    Array errors;
    for (const Error& error : state_.errors) errors.push_back(to_value(error));
    return keep(Value(std::move(errors)));
  }
  if (name == "workflow") {
    const Definition& definition = program_.definition();
    return keep(object({{"id", definition.id}, {"name", definition.name}, {"version", definition.version}}));
  }
  if (name == "instance") {
    return keep(object({{"id", state_.id}, {"parent_id", state_.parent_id}, {"correlation_id", state_.correlation_id},
                        {"started_at", format_timestamp(state_.started)}}));
  }
  if (name == "step") {
    const Run* run = state_.run(run_);
    if (!run) return nullptr;
    return keep(object({{"id", program_.node(run->node).step->id}, {"path", state_.path(program_, run_)},
                        {"attempt", run->attempt}}));
  }
  return (variables_ ? *variables_ : state_.variables).find(name);
}

const jinja::HostFunction* NameScope::function(std::string_view name) const {
  if (name != "now") return nullptr;
  tell_time_ = [now = now_](const jinja::Arguments& given) -> Result<Value> {
    if (!given.positional.empty() || !given.named.empty()) return fail(code::template_error, "now() takes no arguments");
    return Value(format_timestamp(now));
  };
  return &tell_time_;
}

std::vector<std::string> NameScope::names() const {
  std::vector<std::string> names{"results", "errors", "workflow", "instance", "step", "secrets", "now"};
  const auto add = [&](const Value& members) {
    if (!members.is_object()) return;
    for (const auto& [key, value] : members.as_object()) names.emplace_back(key.view());
  };
  for (const Frame* frame = state_.frame(frame_); frame != nullptr; frame = state_.around(*frame)) add(frame->locals);
  add(variables_ ? *variables_ : state_.variables);
  return names;
}

// --- LocalScope ---------------------------------------------------------------------------------------------------

const Value* LocalScope::find(std::string_view name) const {
  const Value* local = locals_.find(name);
  return local ? local : around_.find(name);
}

std::vector<std::string> LocalScope::names() const {
  std::vector<std::string> names = around_.names();
  if (locals_.is_object())
    for (const auto& [key, value] : locals_.as_object()) names.emplace_back(key.view());
  return names;
}

}  // namespace mapflow::kernel
