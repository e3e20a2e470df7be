#include "agents/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace mapflow::agents {

Settings::Settings(const AgentConfig& config) : config_(config) {
  if (config.settings.is_object() || config.settings.is_null()) return;
  status_ = fail(code::invalid_input, fmt::format("agent '{}': {} must be an object, not {}", config.name,
                                                  config.transport, to_string(config.settings.type())));
  status_.error().where = config.where;
}

void Settings::fault(std::string_view key, std::string_view problem, std::string hint) {
  if (!status_) return;
  status_ = fail(code::invalid_input,
                 fmt::format("agent '{}': {}.{} {}", config_.name, config_.transport, key, problem), std::move(hint));
  status_.error().where = config_.where;
}

const Value* Settings::find(std::string_view key) {
  known_.emplace(key);
  return config_.settings.find(key);
}

std::string Settings::required_text(std::string_view key) {
  const Value* value = find(key);
  if (value && value->is_text() && value->size() > 0) return std::string(value->as_text());
  fault(key, value ? "must be a text" : "is missing");
  return {};
}

std::string Settings::text(std::string_view key, std::string_view fallback) {
  const Value* value = find(key);
  if (value && !value->is_text()) fault(key, "must be a text");
  return std::string(value && value->is_text() ? value->as_text() : fallback);
}

Settings::Texts Settings::required_texts(std::string_view key) {
  const Value* value = find(key);
  Texts texts;
  if (value && value->is_array())
    for (const Value& item : value->as_array())
      if (item.is_text()) texts.emplace_back(item.as_text());
  if (!value)
    fault(key, "is missing");
  else if (!value->is_array() || texts.empty() || texts.size() != value->size())
    fault(key, "must be a list of texts", R"(for example ["python3", "score.py"] or ["sh", "-c", "…"])");
  return texts;
}

Settings::Pairs Settings::text_pairs(std::string_view key) {
  const Value* value = find(key);
  Pairs pairs;
  if (!value || value->is_null()) return pairs;
  if (!value->is_object()) {
    fault(key, "must be an object of texts");
    return pairs;
  }
  for (const auto& [name, member] : value->as_object()) {
    if (member.is_text())
      pairs.emplace_back(name.view(), member.as_text());
    else
      fault(fmt::format("{}.{}", key, name.view()), "must be a text", "put it in quotes");
  }
  return pairs;
}

Status Settings::finish() {
  if (!status_ || !config_.settings.is_object()) return status_;
  for (const auto& [name, member] : config_.settings.as_object())
    if (!known_.contains(name.view()))
      fault(name.view(), "is unknown", fmt::format("known: {}", fmt::join(known_, ", ")));
  return status_;
}

}  // namespace mapflow::agents
