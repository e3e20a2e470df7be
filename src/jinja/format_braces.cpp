// '{}'.format(x).
#include <algorithm>
#include <string>

#include "jinja/builtins.h"
#include "jinja/format.h"
#include "jinja/unicode.h"

namespace mapflow::jinja::detail {

namespace {

class BraceFormatter {
 public:
  BraceFormatter(Vm& vm, const Args& args, bool markup) : vm_(vm), args_(args), markup_(markup) {}

  void run(std::string_view format, int depth) {
    if (depth < 0) vm_.value_error("Max string recursion exceeded");
    for (std::size_t at = 0; at < format.size();) {
      const std::size_t brace = std::min(format.find_first_of("{}", at), format.size());
      vm_.out.append(format.substr(at, brace - at));
      if (brace == format.size()) return;
      const char c = format[brace];
      if (brace + 1 < format.size() && format[brace + 1] == c) {
        vm_.out.push(c);
        at = brace + 2;
        continue;
      }
      if (c == '}') vm_.value_error("Single '}' encountered in format string");
      const std::size_t end = field_end(format, brace + 1);
      field(format.substr(brace + 1, end - brace - 1), depth);
      at = end + 1;
    }
  }

 private:
  std::size_t field_end(std::string_view format, std::size_t at) {
    if (at >= format.size()) vm_.value_error("Single '{' encountered in format string");
    std::size_t depth = 1;
    bool in_brackets = false;
    for (; at < format.size(); ++at) {
      const char c = format[at];
      if (c == '[') in_brackets = true;
      if (c == ']') in_brackets = false;
      if (in_brackets) continue;
      if (c == '{') ++depth;
      if (c == '}' && --depth == 0) return at;
    }
    vm_.value_error("expected '}' before end of string");
  }

  void field(std::string_view text, int depth) {
    vm_.tick();
    std::size_t name_end = 0;
    for (bool in_brackets = false; name_end < text.size(); ++name_end) {
      const char c = text[name_end];
      if (c == '[') in_brackets = true;
      if (c == ']') in_brackets = false;
      if (!in_brackets && c == '{') vm_.value_error("unexpected '{' in field name");
      if (!in_brackets && (c == '!' || c == ':')) break;
    }
    const std::string_view name = text.substr(0, name_end);
    std::string_view rest = text.substr(name_end);
    char conversion = 0;
    if (rest.starts_with('!')) {
      if (rest.size() < 2) vm_.value_error("end of string while looking for conversion specifier");
      conversion = rest[1];
      rest.remove_prefix(2);
      if (!rest.empty() && !rest.starts_with(':')) vm_.value_error("expected ':' after conversion specifier");
    }
    Cell value = lookup(name);
    check_opaque(vm_, value);
    if (conversion) value = converted(value, conversion);
    std::string_view spec = rest.empty() ? rest : rest.substr(1);
    if (spec.find_first_of("{}") != std::string_view::npos) {
      Capture capture(vm_);
      run(spec, depth - 1);
      spec = capture.finish().text();
    }
    if (!markup_) {
      append_formatted(vm_, value, spec);
      return;
    }
    if (value.is_markup()) {
      if (!spec.empty())
        vm_.value_error("Format specifier " + std::string(spec) +
                        " given, but Markup does not define __html_format__.");
      vm_.out.append(value.text());
      return;
    }
    Capture capture(vm_);
    append_formatted(vm_, value, spec);
    vm_.out.append(escaped(vm_, capture.finish()).text());
  }

  Cell converted(Cell value, char conversion) {
    if (conversion == 's') return to_text(vm_, value);
    if (conversion != 'r' && conversion != 'a')
      vm_.value_error(std::string("Unknown conversion specifier ") + conversion);
    const Cell tuple = make_tuple(vm_, {value});
    return format_percent(vm_, Cell::borrowed(conversion == 'r' ? "%r" : "%a"), tuple);
  }

  Cell lookup(std::string_view name) {
    const std::size_t first_end = std::min(name.find_first_of(".["), name.size());
    const std::string_view first = name.substr(0, first_end);
    Cell value = first_value(first);
    std::string_view rest = name.substr(first_end);
    while (!rest.empty()) {
      if (rest[0] == '.') {
        const std::size_t end = std::min(rest.find_first_of(".[", 1), rest.size());
        if (end == 1) vm_.value_error("Empty attribute in format string");
        value = get_attribute(vm_, value, attr_name(rest.substr(1, end - 1)), false);
        rest.remove_prefix(end);
      } else if (rest[0] == '[') {
        const std::size_t end = rest.find(']');
        if (end == std::string_view::npos) vm_.value_error("Missing ']' in format string");
        if (end == 1) vm_.value_error("Empty attribute in format string");
        const std::string_view key = rest.substr(1, end - 1);
        value = get_item(vm_, value, all_digits(key) ? parse_integer(vm_, key, 10) : Cell::borrowed(key));
        rest.remove_prefix(end + 1);
        if (!rest.empty() && rest[0] != '.' && rest[0] != '[')
          vm_.value_error("Only '.' or '[' may follow ']' in format field specifier");
      }
    }
    return value;
  }

  static bool all_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  }

  Cell first_value(std::string_view name) {
    if (name.empty() || all_digits(name)) {
      std::int64_t at = 0;
      if (name.empty()) {
        if (numbering_ == Numbering::manual)
          vm_.value_error("cannot switch from manual field specification to automatic field numbering");
        numbering_ = Numbering::automatic;
        at = next_++;
      } else {
        if (numbering_ == Numbering::automatic)
          vm_.value_error("cannot switch from automatic field numbering to manual field specification");
        numbering_ = Numbering::manual;
        at = index(vm_, parse_integer(vm_, name, 10));
      }
      if (at >= args_.count)
        vm_.value_error("Replacement index " + std::to_string(at) + " out of range for positional args tuple");
      return args_.positional[at];
    }
    for (std::uint32_t i = 0; i < args_.named_count; ++i)
      if (args_.named[i].name == name) return args_.named[i].value;
    vm_.value_error("there is no argument '" + std::string(name) + "'");
  }

  enum class Numbering { unknown, automatic, manual };

  Vm& vm_;
  const Args& args_;
  bool markup_;
  Numbering numbering_ = Numbering::unknown;
  std::int64_t next_ = 0;
};

}  // namespace

Cell format_braces(Vm& vm, Cell format, const Args& args) {
  vm.tick(format.size / 16 + 1);
  Capture capture(vm);
  BraceFormatter(vm, args, format.is_markup()).run(format.text(), 2);
  return capture.finish(format.is_markup());
}

}  // namespace mapflow::jinja::detail
