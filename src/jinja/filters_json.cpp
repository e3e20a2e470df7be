// JSON and other whole-value texts.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "jinja/bigint.h"
#include "jinja/builtins.h"
#include "jinja/environment_state.h"
#include "jinja/unicode.h"

namespace mapflow::jinja::detail {

namespace {

class JsonWriter {
 public:
  JsonWriter(Vm& vm, std::int64_t indent, bool sort_keys, bool html_safe)
      : vm_(vm), indent_(indent), sort_keys_(sort_keys), html_safe_(html_safe) {}

  void write(Cell cell, std::int64_t depth) {
    vm_.tick();
    vm_.guard_stack();
    if (vm_.changed_data) cell = vm_.current_data(cell);
    Sink& out = vm_.out;
    switch (cell.kind) {
      case Kind::none: out.append(std::string_view("null")); return;
      case Kind::boolean: out.append(cell.boolean ? std::string_view("true") : std::string_view("false")); return;
      case Kind::integer:
      case Kind::bigint: append_text(vm_, cell); return;
      case Kind::number: number(cell.number); return;
      case Kind::text: text(cell.text()); return;
      case Kind::list:
      case Kind::data_list:
      case Kind::tuple: list(cell, depth); return;
      case Kind::dict:
      case Kind::data_dict: dict(cell, depth); return;
      default: vm_.type_error("Object of type " + type_name(cell) + " is not JSON serializable");
    }
  }

 private:
  void number(double number) {
    if (std::isnan(number))
      vm_.out.append(std::string_view("NaN"));
    else if (std::isinf(number))
      vm_.out.append(number > 0 ? std::string_view("Infinity") : std::string_view("-Infinity"));
    else
      vm_.out.append(float_text(number));
  }

  void escape(std::uint32_t code) {
    static constexpr char digits[] = "0123456789abcdef";
    vm_.out.append("\\u", 2);
    for (int shift = 12; shift >= 0; shift -= 4) vm_.out.push(digits[code >> shift & 15]);
  }

  void text(std::string_view text) {
    Sink& out = vm_.out;
    vm_.tick(text.size() / 32);
    out.push('"');
    for (std::size_t i = 0; i < text.size();) {
      const char c = text[i];
      if (static_cast<unsigned char>(c) < 0x80) {
        static constexpr std::string_view special = "\"\\\b\f\n\r\t", letters = "\"\\bfnrt";
        if (const auto at = special.find(c); at != std::string_view::npos) {
          out.push('\\');
          out.push(letters[at]);
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F + 0 ||
                   (html_safe_ && (c == '<' || c == '>' || c == '&' || c == '\''))) {
          if (c == 0x7F)
            out.push(c);
          else
            escape(static_cast<unsigned char>(c));
        } else {
          out.push(c);
        }
        ++i;
        continue;
      }
      const auto [code, width] = unicode::decode(text.substr(i));
      if (code >= 0x10000) {
        escape(0xD800 + ((code - 0x10000) >> 10));
        escape(0xDC00 + ((code - 0x10000) & 0x3FF));
      } else {
        escape(code);
      }
      i += width;
    }
    out.push('"');
  }

  void new_line(std::int64_t depth) {
    if (indent_ < 0) return;
    vm_.out.push('\n');
    if (indent_ > 0 && depth > 1'000'000 / indent_) vm_.limit_error("the text is longer than its limit allows");
    vm_.out.fill(static_cast<std::size_t>(indent_ * depth), ' ');
  }
  void between() { vm_.out.append(indent_ < 0 ? std::string_view(", ") : std::string_view(",")); }

  void list(Cell cell, std::int64_t depth) {
    const auto size = *length_of(vm_, cell);
    vm_.out.push('[');
    for (std::int64_t i = 0; i < size; ++i) {
      if (i > 0) between();
      new_line(depth + 1);
      write(element(vm_, cell, i), depth + 1);
    }
    if (size > 0) new_line(depth);
    vm_.out.push(']');
  }

  std::string key_text(Cell key) {
    switch (key.kind) {
      case Kind::text: return std::string(key.text());
      case Kind::none: return "null";
      case Kind::boolean: return key.boolean ? "true" : "false";
      case Kind::integer:
      case Kind::bigint:
      case Kind::number: return std::string(soft(vm_, key));
      default: vm_.type_error("keys must be str, int, float, bool or None, not " + type_name(key));
    }
  }

  void dict(Cell cell, std::int64_t depth) {
    std::vector<std::pair<Cell, Cell>> members;
    Entries entries(vm_, cell);
    for (Cell key, value; entries.next(vm_, key, value);) members.emplace_back(key, value);
    if (sort_keys_)
      std::stable_sort(members.begin(), members.end(),
                       [&](const auto& x, const auto& y) { return ordered(vm_, x.first, y.first, Comparison::lt); });
    vm_.out.push('{');
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i > 0) between();
      new_line(depth + 1);
      text(key_text(members[i].first));
      vm_.out.append(": ", 2);
      write(members[i].second, depth + 1);
    }
    if (!members.empty()) new_line(depth);
    vm_.out.push('}');
  }

  Vm& vm_;
  std::int64_t indent_;
  bool sort_keys_;
  bool html_safe_;
};

Cell tojson(Vm& vm, const Cell* a, const Args&) {
  const std::int64_t indent = given_value(a[1]) ? std::max<std::int64_t>(0, index(vm, a[1])) : -1;
  Capture capture(vm);
  append_json_text(vm, a[0], indent, true, true);
  return capture.finish(true);
}

// --- pprint -------------------------------------------------------------------------------------------------------

// Python's pprint: one line where it fits into 80 columns, else an element per line.
class PrettyPrinter {
 public:
  explicit PrettyPrinter(Vm& vm) : vm_(vm) {}

  void write(Cell cell, std::int64_t indent, std::int64_t allowance) {
    vm_.guard_stack();
    if (vm_.changed_data) cell = vm_.current_data(cell);
    const std::string repr = sorted_repr(cell);
    constexpr std::int64_t kWidth = 80;
    const bool nests = cell.is_dict() || cell.is_sequence();
    if (static_cast<std::int64_t>(unicode::length(repr)) <= kWidth - indent - allowance ||
        (!nests && !cell.is_text())) {
      vm_.out.append(repr);
      return;
    }
    if (cell.is_text()) {
      vm_.out.append(repr);
      return;
    }
    const bool dict = cell.is_dict();
    const char open = dict ? '{' : cell.is_list() ? '[' : '(';
    const char close = dict ? '}' : cell.is_list() ? ']' : ')';
    vm_.out.push(open);
    dict ? entries(cell, indent + 1, allowance + 1) : items(cell, indent + 1, allowance + 1);
    if (cell.is(Kind::tuple) && cell.as<List>()->size == 1) vm_.out.push(',');
    vm_.out.push(close);
  }

 private:
  std::vector<std::pair<Cell, Cell>> sorted_members(Cell cell) {
    std::vector<std::pair<Cell, Cell>> members;
    Entries all(vm_, cell);
    for (Cell key, value; all.next(vm_, key, value);) members.emplace_back(key, value);
    vm_.tick(members.size() * 4);
    const auto before = [&](const auto& x, const auto& y) {
      if (x.first.is_text() && y.first.is_text()) return x.first.text() < y.first.text();
      if (x.first.is_number() && y.first.is_number()) return compare_numbers(x.first, y.first) < 0;
      const auto type_of = [](Cell key) { return key.is_text() ? "str" : type_name(key); };
      return type_of(x.first) < type_of(y.first);
    };
    std::stable_sort(members.begin(), members.end(), before);
    return members;
  }

  std::string sorted_repr(Cell cell) {
    Capture capture(vm_);
    append_sorted(cell);
    const std::string repr(capture.so_far());
    capture.finish();
    return repr;
  }

  void append_sorted(Cell cell) {
    vm_.guard_stack();
    vm_.tick();
    if (vm_.changed_data) cell = vm_.current_data(cell);
    if (cell.is_dict()) {
      vm_.out.push('{');
      bool first = true;
      for (const auto& [key, value] : sorted_members(cell)) {
        if (!first) vm_.out.append(", ", 2);
        first = false;
        append_sorted(key);
        vm_.out.append(": ", 2);
        append_sorted(value);
      }
      vm_.out.push('}');
    } else if (cell.is_sequence()) {
      vm_.out.push(cell.is_list() ? '[' : '(');
      const auto size = *length_of(vm_, cell);
      for (std::int64_t i = 0; i < size; ++i) {
        if (i > 0) vm_.out.append(", ", 2);
        append_sorted(element(vm_, cell, i));
      }
      if (cell.is(Kind::tuple) && size == 1) vm_.out.push(',');
      vm_.out.push(cell.is_list() ? ']' : ')');
    } else {
      append_repr(vm_, cell);
    }
  }

  void line(std::int64_t indent) {
    vm_.out.append(",\n", 2);
    vm_.out.fill(static_cast<std::size_t>(indent), ' ');
  }

  void items(Cell cell, std::int64_t indent, std::int64_t allowance) {
    const auto size = *length_of(vm_, cell);
    for (std::int64_t i = 0; i < size; ++i) {
      if (i > 0) line(indent);
      write(element(vm_, cell, i), indent, i + 1 == size ? allowance : 1);
    }
  }

  void entries(Cell cell, std::int64_t indent, std::int64_t allowance) {
    const auto members = sorted_members(cell);
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i > 0) line(indent);
      const std::string key = sorted_repr(members[i].first);
      vm_.out.append(key);
      vm_.out.append(": ", 2);
      write(members[i].second, indent + static_cast<std::int64_t>(unicode::length(key)) + 2,
            i + 1 == members.size() ? allowance : 1);
    }
  }

  Vm& vm_;
};

Cell pprint(Vm& vm, const Cell* a, const Args&) {
  Capture capture(vm);
  PrettyPrinter(vm).write(a[0], 0, 0);
  return capture.finish();
}

constexpr FunctionSpec kTable[] = {
    {"pprint", pprint},
    {"tojson", tojson, "indent"},
};

}  // namespace

void append_json_text(Vm& vm, Cell cell, std::int64_t indent, bool sort_keys, bool html_safe) {
  JsonWriter(vm, indent, sort_keys, html_safe).write(cell, 0);
}

std::span<const FunctionSpec> json_filters() { return kTable; }

}  // namespace mapflow::jinja::detail
