#include "engine/secrets.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "jinja/workflow.h"

namespace mapflow::engine {

using jinja::kSecretMarker;

bool holds_secret(const Value& value) {
  switch (value.type()) {
    case ValueType::text: return value.as_text().find(kSecretMarker) != std::string_view::npos;
    case ValueType::array: return std::ranges::any_of(value.as_array(), holds_secret);
    case ValueType::object:
      return std::ranges::any_of(value.as_object(), [](const Object::Member& m) { return holds_secret(m.value); });
    default: return false;
  }
}

Result<Value> Secrets::reveal(const Value& value) const {
  if (!holds_secret(value)) return value;
  if (value.is_text()) {
    MAPFLOW_ASSIGN(const std::string text, reveal_text(value.as_text()));
    return Value(text);
  }
  if (value.is_array()) {
    Array items;
    items.reserve(value.size());
    for (const Value& item : value.as_array()) {
      MAPFLOW_ASSIGN(Value revealed, reveal(item));
      items.push_back(std::move(revealed));
    }
    return Value(std::move(items));
  }
  Object members;
  members.reserve(value.size());
  for (const Object::Member& member : value.as_object()) {
    MAPFLOW_ASSIGN(Value revealed, reveal(member.value));
    members.set(member.key, std::move(revealed));
  }
  return Value(std::move(members));
}

Result<std::string> Secrets::reveal_text(std::string_view text) const {
  std::string out;
  while (true) {
    const std::size_t begin = text.find(kSecretMarker);
    if (begin == std::string_view::npos) return out.append(text);
    out.append(text.substr(0, begin));
    text.remove_prefix(begin + kSecretMarker.size());
    const std::size_t end = text.find(kSecretMarker);
    if (end == std::string_view::npos)
      return fail(code::invalid_input, "a reference to a secret is cut short",
                  "secrets can be joined with other texts, but not cut or changed");
    const auto secret = by_name_.find(text.substr(0, end));
    if (secret == by_name_.end())
      return fail(code::invalid_input, fmt::format("unknown secret '{}'", text.substr(0, end)),
                  "give it as MAPFLOW_SECRET_<NAME> in the environment or with --secrets");
    out += secret->second;
    text.remove_prefix(end + kSecretMarker.size());
  }
}

}  // namespace mapflow::engine
