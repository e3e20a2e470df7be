// Texts of values, as Python's str() and repr() write them, and as HTML.
#include <charconv>
#include <cmath>
#include <cstdio>

#include "jinja/bigint.h"
#include "jinja/program.h"
#include "jinja/runtime.h"
#include "jinja/unicode.h"

namespace mapflow::jinja::detail {

namespace {

void append_items(Vm& vm, Cell cell) {
  Walk walk(vm, cell);
  bool first = true;
  for (Cell item; walk.next(vm, item);) {
    vm.tick();
    if (!first) vm.out.append(", ", 2);
    first = false;
    append_repr(vm, item);
  }
}

void append_entries(Vm& vm, Cell dict) {
  Entries entries(vm, dict);
  bool first = true;
  for (Cell key, value; entries.next(vm, key, value);) {
    vm.tick();
    if (!first) vm.out.append(", ", 2);
    first = false;
    append_repr(vm, key);
    vm.out.append(": ", 2);
    append_repr(vm, value);
  }
}

void append_integer(Sink& out, std::int64_t number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

void append_range(Sink& out, const Range& range) {
  out.append(std::string_view("range("));
  append_integer(out, range.start);
  out.append(std::string_view(", "));
  append_integer(out, range.stop);
  if (range.step != 1) {
    out.append(std::string_view(", "));
    append_integer(out, range.step);
  }
  out.push(')');
}

void append_escape(Sink& out, std::uint32_t code) {
  char text[16];
  const int size = code < 0x100     ? std::snprintf(text, sizeof text, "\\x%02x", code)
                   : code < 0x10000 ? std::snprintf(text, sizeof text, "\\u%04x", code)
                                    : std::snprintf(text, sizeof text, "\\U%08x", code);
  out.append(text, static_cast<std::size_t>(size));
}

}  // namespace

std::string float_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  char buffer[40];
  const double size = std::fabs(number);
  if (size != 0 && (size < 1e-4 || size >= 1e16)) {
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::scientific).ptr;
    return {buffer, end};
  }
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::fixed).ptr;
  std::string text(buffer, end);
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

void append_repr_of_text(Sink& out, std::string_view text) {
  const char quote = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos ? '"' : '\'';
  out.push(quote);
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7F) {
      if (c == quote || c == '\\') out.push('\\');
      out.push(c);
      ++i;
      continue;
    }
    if (c == '\n' || c == '\r' || c == '\t') {
      out.push('\\');
      out.push(c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
      ++i;
      continue;
    }
    const auto [code, width] = unicode::decode(text.substr(i));
    if (unicode::is_printable(code))
      out.append(text.substr(i, width));
    else
      append_escape(out, code);
    i += width;
  }
  out.push(quote);
}

void append_repr(Vm& vm, Cell cell) {
  if (vm.changed_data) cell = vm.current_data(cell);
  Sink& out = vm.out;
  switch (cell.kind) {
    case Kind::text:
      if (cell.is_markup()) out.append(std::string_view("Markup("));
      append_repr_of_text(out, cell.text());
      if (cell.is_markup()) out.push(')');
      return;
    case Kind::unset:
    case Kind::undefined: out.append(std::string_view("Undefined")); return;
    case Kind::list:
    case Kind::data_list:
      vm.guard_stack();
      out.push('[');
      append_items(vm, cell);
      out.push(']');
      return;
    case Kind::tuple:
      vm.guard_stack();
      out.push('(');
      append_items(vm, cell);
      if (cell.as<List>()->size == 1) out.push(',');
      out.push(')');
      return;
    case Kind::dict:
    case Kind::data_dict:
      vm.guard_stack();
      out.push('{');
      append_entries(vm, cell);
      out.push('}');
      return;
    case Kind::view:
      vm.guard_stack();
      out.append(type_name(cell));
      out.append(std::string_view("(["));
      append_items(vm, cell);
      out.append(std::string_view("])"));
      return;
    case Kind::space:
      out.append(std::string_view("<Namespace {"));
      append_entries(vm, Cell::made(Kind::dict, cell.as<Space>()->members));
      out.append(std::string_view("}>"));
      return;
    case Kind::macro:
      out.append(std::string_view("<Macro "));
      if (cell.as<Macro>()->def->name.empty())
        out.append(std::string_view("anonymous"));
      else
        append_repr_of_text(out, cell.as<Macro>()->def->name);
      out.push('>');
      return;
    case Kind::loop:
      out.append("<LoopContext " + std::to_string(cell.as<Loop>()->index0 + 1) + "/" +
                 std::to_string(cell.as<Loop>()->total(vm)) + ">");
      return;
    case Kind::module: out.append("<TemplateModule '" + std::string(cell.as<Module>()->name) + "'>"); return;
    case Kind::function: out.append("<function " + std::string(cell.as<Function>()->name) + ">"); return;
    case Kind::iterator:
    case Kind::method:
    case Kind::self:
    case Kind::block:
    case Kind::cycler:
    case Kind::joiner: out.append("<" + type_name(cell) + " object>"); return;
    default: append_text(vm, cell);
  }
}

void append_text(Vm& vm, Cell cell) {
  Sink& out = vm.out;
  switch (cell.kind) {
    case Kind::text: out.append(cell.text()); return;
    case Kind::integer: append_integer(out, cell.integer); return;
    case Kind::none: out.append("None", 4); return;
    case Kind::boolean: out.append(cell.boolean ? std::string_view("True") : std::string_view("False")); return;
    case Kind::number: out.append(float_text(cell.number)); return;
    case Kind::bigint: out.append(big_text(vm, *cell.as<Big>())); return;
    case Kind::undefined: vm.check_strict(cell); return;
    case Kind::range: append_range(out, *cell.as<Range>()); return;
    case Kind::module: out.append(cell.as<Module>()->body); return;
    default: append_repr(vm, cell);
  }
}

Cell to_text(Vm& vm, Cell cell) {
  if (cell.is_text()) return cell;
  Capture capture(vm);
  append_text(vm, cell);
  return capture.finish();
}

void append_escaped(Sink& out, std::string_view text) {
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string_view entity;
    switch (text[i]) {
      case '&': entity = "&amp;"; break;
      case '<': entity = "&lt;"; break;
      case '>': entity = "&gt;"; break;
      case '"': entity = "&#34;"; break;
      case '\'': entity = "&#39;"; break;
      default: continue;
    }
    out.append(text.substr(from, i - from));
    out.append(entity);
    from = i + 1;
  }
  out.append(text.substr(from));
}

Cell escaped(Vm& vm, Cell cell) {
  if (cell.is_markup()) return cell;
  const Cell text = to_text(vm, cell);
  Capture capture(vm);
  append_escaped(vm.out, text.text());
  return capture.finish(true);
}

void append_output(Vm& vm, Cell cell) {
  if (!vm.autoescape || cell.is_markup() || cell.is(Kind::integer)) {
    append_text(vm, cell);
  } else if (cell.is_text()) {
    append_escaped(vm.out, cell.text());
  } else if (cell.is(Kind::module)) {
    vm.out.append(cell.as<Module>()->body);
  } else {
    append_escaped(vm.out, to_text(vm, cell).text());
  }
}

std::string summary(Vm& vm, Cell cell) {
  constexpr std::size_t kLongest = 60;
  Capture capture(vm);
  append_repr(vm, cell);
  std::string text(capture.so_far());
  capture.finish();
  if (text.size() > kLongest) {
    text.resize(kLongest);
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) text.pop_back();
    text += "…";
  }
  return text;
}

}  // namespace mapflow::jinja::detail
