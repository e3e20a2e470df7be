#include "builder/yaml_text.h"

#include <algorithm>

#include "builder/document.h"
#include "value/json.h"

namespace mapflow::builder {

namespace {

bool may_be_plain(std::string_view text, bool in_flow) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ' || text.back() == ':') return false;
  if (std::string_view("-?:,[]{}#&*!|>'\"%@`=<").find(text.front()) != std::string_view::npos) return false;
  if (in_flow && text.find_first_of(",[]{}") != std::string_view::npos) return false;
  if (text.find(": ") != std::string_view::npos || text.find(" #") != std::string_view::npos) return false;
  if (text.starts_with("---") || text.starts_with("...")) return false;
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7F; })) return false;
  bool infinite = false;
  return resolve_plain_scalar(text, infinite).is_text() && !infinite;
}

void write_flow(std::string& out, const Value& value) {
  if (value.is_array()) {
    out += '[';
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i > 0) out += ", ";
      write_flow(out, value.as_array()[i]);
    }
    out += ']';
  } else if (value.is_object()) {
    out += "{ ";
    bool first = true;
    for (const auto& [key, member] : value.as_object()) {
      if (!std::exchange(first, false)) out += ", ";
      out += yaml_scalar(key, true) + ": ";
      write_flow(out, member);
    }
    out += first ? "}" : " }";
    if (first) out.erase(out.size() - 2, 1);
  } else {
    out += value.is_text() ? yaml_scalar(value.as_text(), true) : to_json(value);
  }
}

bool is_leaf(const Value& value) { return (!value.is_array() && !value.is_object()) || value.size() == 0; }

void write_block(std::string& out, const Value& value, std::size_t indent);

/// Behind "key:" or "-": a leaf on the same line, anything else below.
void write_held(std::string& out, const Value& value, std::size_t indent) {
  if (value.is_text()) out += ' ' + yaml_scalar(value.as_text(), false) + '\n';
  else if (is_leaf(value)) out += ' ' + yaml_flow(value) + '\n';
  else {
    out += '\n';
    write_block(out, value, indent + 2);
  }
}

void write_block(std::string& out, const Value& value, std::size_t indent) {
  const std::string blanks(indent, ' ');
  if (is_leaf(value)) {
    out += blanks + (value.is_text() ? yaml_scalar(value.as_text(), false) : yaml_flow(value)) + '\n';
  } else if (value.is_object()) {
    for (const auto& [key, member] : value.as_object()) {
      out += blanks + yaml_scalar(key, false) + ':';
      write_held(out, member, indent);
    }
  } else {
    for (const Value& item : value.as_array()) {
      if (is_leaf(item) || item.is_array()) {
        out += blanks + '-';
        write_held(out, item, indent);
      } else {
        // "- first: …" with the other members below the first one.
        std::string members;
        write_block(members, item, indent + 2);
        members.replace(indent, 1, "-");
        out += members;
      }
    }
  }
}

}  // namespace

std::string yaml_scalar(std::string_view text, bool in_flow) { return may_be_plain(text, in_flow) ? std::string(text) : to_json(Value(text)); }

std::string yaml_flow(const Value& value) {
  std::string out;
  write_flow(out, value);
  return out;
}

std::string yaml_block(const Value& value, std::size_t indent) {
  std::string out;
  write_block(out, value, indent);
  return out;
}

}  // namespace mapflow::builder
