#include "builder/shorthand.h"

namespace mapflow::builder {

namespace {

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0; }
bool is_name_part(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

/// The dotted name of a `${name.path[0]}` that starts at `text`, which begins with "${"; "" when it is none.
std::string_view dotted_name(std::string_view text) {
  const auto end = text.find('}');
  if (end == std::string_view::npos) return {};
  const std::string_view inner = text.substr(2, end - 2);
  bool name_may_start = true, in_name = false;
  for (std::size_t i = 0; i < inner.size(); ++i) {
    const char c = inner[i];
    if (in_name && is_name_part(c)) continue;
    if (name_may_start && (is_name_start(c) || (i > 0 && is_name_part(c)))) {
      name_may_start = false;
      in_name = true;
    } else if (c == '.' && !name_may_start) {
      name_may_start = true;
      in_name = false;
    } else if (c == '[' && !name_may_start) {
      const auto close = inner.find(']', i);
      if (close == std::string_view::npos || close == i + 1) return {};
      for (std::size_t j = i + 1; j < close; ++j)
        if (inner[j] < '0' || inner[j] > '9') return {};
      i = close;
      in_name = false;
    } else {
      return {};
    }
  }
  return name_may_start ? std::string_view() : inner;
}

template <class Change>
Value change_texts(const Value& value, const Change& change) {
  if (value.is_text()) return has_shorthand(value.as_text()) ? Value(change(value.as_text())) : value;
  if (value.is_array()) {
    Array items;
    items.reserve(value.size());
    for (const Value& item : value.as_array()) items.push_back(change_texts(item, change));
    return Value(std::move(items));
  }
  if (value.is_object()) {
    Object members;
    members.reserve(value.size());
    for (const auto& [key, member] : value.as_object()) members.set(key, change_texts(member, change));
    return Value(std::move(members));
  }
  return value;
}

}  // namespace

bool has_shorthand(std::string_view text) { return text.find("${") != std::string_view::npos; }

std::string expand_shorthand(std::string_view text, TextMode mode) {
  std::string out;
  out.reserve(text.size() + 16);
  std::string_view closing;  // of the template part that the scan is in: "}}" or "%}"
  for (std::size_t i = 0; i < text.size();) {
    const std::string_view rest = text.substr(i);
    if (rest.starts_with("$${") && !dotted_name(rest.substr(1)).empty()) {
      out += "${";
      i += 3;
      continue;
    }
    if (!closing.empty()) {
      if (rest.starts_with(closing)) closing = {};
    } else if (rest.starts_with("{{")) {
      closing = "}}";
    } else if (rest.starts_with("{%")) {
      closing = "%}";
    } else if (rest.starts_with("${")) {
      if (const std::string_view name = dotted_name(rest); !name.empty()) {
        i += name.size() + 3;
        if (mode == TextMode::as_template) {
          out.append("{{ ").append(name).append(" }}");
          continue;
        }
        const bool quoted = !out.empty() && (out.back() == '\'' || out.back() == '"') && i < text.size() && text[i] == out.back();
        if (quoted) {
          out.pop_back();
          ++i;
        }
        out += name;
        continue;
      }
    }
    out += text[i++];
  }
  return out;
}

std::vector<Unexpanded> unexpanded(std::string_view text) {
  std::vector<Unexpanded> found;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    if (rest.starts_with("{{") || rest.starts_with("{%")) {
      const std::size_t end = rest.find(rest[1] == '{' ? "}}" : "%}");
      if (end == std::string_view::npos) break;
      i += end + 1;
    } else if (rest.starts_with("${") && dotted_name(rest).empty()) {
      if (const std::size_t end = rest.find('}'); end != std::string_view::npos) found.push_back({i, rest.substr(2, end - 2)});
    }
  }
  return found;
}

std::string escape_shorthand(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    if (rest.starts_with("${") && !dotted_name(rest).empty()) out += '$';
    out += text[i];
  }
  return out;
}

Value expand_shorthands(const Value& value, TextMode mode) {
  return change_texts(value, [mode](std::string_view text) { return expand_shorthand(text, mode); });
}

Value escape_shorthands(const Value& value) {
  return change_texts(value, [](std::string_view text) { return escape_shorthand(text); });
}

}  // namespace mapflow::builder
