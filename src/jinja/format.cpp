#include "jinja/format.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

#include "jinja/builtins.h"
#include "jinja/format_number.h"
#include "jinja/unicode.h"

namespace mapflow::jinja::detail {

namespace {

[[noreturn]] void invalid_spec(Vm& vm) { vm.value_error("Invalid format specifier"); }

std::int64_t parse_count(Vm& vm, std::string_view& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range || number > INT32_MAX)
    vm.limit_error("Too many decimal digits in format string");
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

bool is_align(char c) { return c == '<' || c == '>' || c == '=' || c == '^'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

FormatSpec parse_spec(Vm& vm, std::string_view text) {
  FormatSpec spec;
  if (!text.empty()) {
    const std::size_t width = unicode::decode(text).width;
    if (text.size() > width && is_align(text[width])) {
      spec.fill = std::string(text.substr(0, width));
      spec.align = text[width];
      text.remove_prefix(width + 1);
    } else if (is_align(text[0])) {
      spec.align = text[0];
      text.remove_prefix(1);
    }
  }
  const auto take = [&](char c) {
    if (!text.starts_with(c)) return false;
    text.remove_prefix(1);
    return true;
  };
  if (text.starts_with('+') || text.starts_with('-') || text.starts_with(' ')) {
    spec.sign = text[0];
    spec.sign_given = true;
    text.remove_prefix(1);
  }
  spec.no_negative_zero = take('z');
  spec.alternate = take('#');
  if (text.starts_with('0')) {
    if (!spec.align) {
      spec.fill = "0";
      spec.align = '=';
    }
    text.remove_prefix(1);
  }
  if (!text.empty() && is_digit(text[0])) spec.width = parse_count(vm, text);
  if (text.starts_with(',') || text.starts_with('_')) {
    spec.grouping = text[0];
    text.remove_prefix(1);
  }
  if (take('.')) {
    if (text.empty() || !is_digit(text[0])) vm.value_error("Format specifier missing precision");
    spec.precision = parse_count(vm, text);
  }
  if (text.size() > 1) invalid_spec(vm);
  if (!text.empty()) spec.type = text[0];
  return spec;
}

void append_text_padded(Vm& vm, std::string_view text, const FormatSpec& spec) {
  if (spec.precision >= 0) text = text.substr(0, unicode::offset(text, static_cast<std::size_t>(spec.precision)));
  const std::int64_t padding = padding_to(spec.width, static_cast<std::int64_t>(unicode::length(text)));
  const std::int64_t left = spec.align == '>' ? padding : spec.align == '^' ? padding / 2 : 0;
  vm.out.append(repeated_padding(vm, text, left, padding - left, spec.fill, false).text());
}

void append_integer_formatted(Vm& vm, Cell value, const FormatSpec& spec) {
  if (spec.precision >= 0) vm.value_error("Precision not allowed in integer format specifier");
  if (spec.type == 'c') {
    if (spec.sign_given) vm.value_error("Sign not allowed with integer format specifier 'c'");
    const std::int64_t code = index(vm, value);
    if (code < 0 || code > 0x10FFFF) vm.value_error("%c arg not in range(0x110000)");
    std::string text;
    unicode::append_utf8(text, static_cast<std::uint32_t>(code));
    FormatSpec padded = spec;
    if (padded.align == 0 || padded.align == '=') padded.align = padded.align ? '>' : '<';
    append_text_padded(vm, text, padded);
    return;
  }
  static constexpr std::string_view letters = "boxX";
  const bool based = spec.type && letters.find(spec.type) != std::string_view::npos;
  if (spec.grouping == ',' && based) vm.value_error(std::string("Cannot specify ',' with '") + spec.type + "'.");
  if (spec.grouping && spec.type == 'n')
    vm.value_error(std::string("Cannot specify '") + spec.grouping + "' with 'n'.");
  std::string prefix;
  if (spec.alternate && based) prefix = std::string("0") + spec.type;
  append_padded_number(vm, spec, is_negative(value), prefix, integer_digits(vm, value, spec.type));
}

void append_float_formatted(Vm& vm, double number, const FormatSpec& spec) {
  if (spec.grouping && spec.type == 'n')
    vm.value_error(std::string("Cannot specify '") + spec.grouping + "' with 'n'.");
  std::string digits = float_digits(vm, std::fabs(number), spec.type, spec.precision, spec.alternate);
  bool negative = std::signbit(number) && !std::isnan(number);
  if (spec.no_negative_zero && digits.find_first_of("123456789") == std::string::npos && std::isfinite(number))
    negative = false;
  append_padded_number(vm, spec, negative, "", std::move(digits));
}

}  // namespace

void append_formatted(Vm& vm, Cell value, std::string_view text) {
  if (text.empty()) {
    append_text(vm, value);
    return;
  }
  static constexpr std::string_view of_floats = "eEfFgG%", of_integers = "bcdoxXn";
  if (value.is_text()) {
    const FormatSpec spec = parse_spec(vm, text);
    if (spec.type && spec.type != 's')
      vm.value_error(std::string("Unknown format code '") + spec.type + "' for object of type 'str'");
    if (spec.sign_given) vm.value_error("Sign not allowed in string format specifier");
    if (spec.alternate) vm.value_error("Alternate form (#) not allowed in string format specifier");
    if (spec.grouping) vm.value_error(std::string("Cannot specify '") + spec.grouping + "' with 's'.");
    FormatSpec padded = spec;
    if (spec.align == '=') {
      if (spec.fill != "0") vm.value_error("'=' alignment not allowed in string format specifier");
      padded.align = '<';
    }
    append_text_padded(vm, value.text(), padded);
    return;
  }
  if (!value.is_number()) {
    if (value.is(Kind::undefined)) vm.check_strict(value);
    vm.type_error("unsupported format string passed to " + type_name(value) + ".__format__");
  }
  const FormatSpec spec = parse_spec(vm, text);
  const bool float_type = spec.type && of_floats.find(spec.type) != std::string_view::npos;
  const bool integer_type = spec.type && of_integers.find(spec.type) != std::string_view::npos;
  if (value.is_int() && !float_type) {
    if (spec.type && !integer_type)
      vm.value_error(std::string("Unknown format code '") + spec.type + "' for object of type '" + type_name(value) +
                     "'");
    append_integer_formatted(vm, value, spec);
    return;
  }
  if (spec.type && !float_type && spec.type != 'n')
    vm.value_error(std::string("Unknown format code '") + spec.type + "' for object of type 'float'");
  append_float_formatted(vm, to_double(vm, value), spec);
}

// --- '%s' % x -----------------------------------------------------------------------------------------------------

namespace {

class PercentFormatter {
 public:
  PercentFormatter(Vm& vm, Cell format, Cell values)
      : vm_(vm), format_(format.text()), values_(values), markup_(format.is_markup()) {
    // As in Python, anything with subscripts counts as a mapping, and then need not be used up.
    mapping_ = values.is_dict() || values.is_list() || values.is(Kind::undefined) || values.is(Kind::range);
  }

  void run() {
    for (std::size_t at = 0; at < format_.size();) {
      const std::size_t percent = std::min(format_.find('%', at), format_.size());
      vm_.out.append(format_.substr(at, percent - at));
      if (percent == format_.size()) break;
      at = percent + 1;
      at = conversion(at);
    }
    const bool all_used = values_.is(Kind::tuple) ? used_ >= values_.as<List>()->size : used_ > 0 || mapping_;
    if (!all_used) vm_.type_error("not all arguments converted during string formatting");
  }

 private:
  char peek(std::size_t at) {
    if (at >= format_.size()) vm_.value_error("incomplete format");
    return format_[at];
  }

  Cell next_value() {
    if (values_.is(Kind::tuple)) {
      if (used_ >= values_.as<List>()->size) vm_.type_error("not enough arguments for format string");
      return values_.as<List>()->items[used_++];
    }
    if (used_++ > 0) vm_.type_error("not enough arguments for format string");
    return values_;
  }

  std::int64_t count_or_star(std::size_t& at) {
    if (peek(at) == '*') {
      ++at;
      const Cell given = next_value();
      if (!given.is_int()) vm_.type_error("* wants int");
      return index(vm_, given);
    }
    std::string_view rest = format_.substr(at);
    if (!is_digit(peek(at))) return -1;
    const std::int64_t count = parse_count(vm_, rest);
    at = format_.size() - rest.size();
    return count;
  }

  std::size_t conversion(std::size_t at) {
    Cell named = Cell::unset();
    if (peek(at) == '(') {
      std::size_t end = at + 1;
      for (int depth = 1; depth > 0; ++end) {
        if (end >= format_.size()) vm_.value_error("incomplete format key");
        depth += format_[end] == '(' ? 1 : format_[end] == ')' ? -1 : 0;
      }
      if (!values_.is_dict()) {
        if (values_.is(Kind::undefined)) vm_.fail_undefined(values_);
        vm_.type_error("format requires a mapping");
      }
      const std::string_view key = format_.substr(at + 1, end - at - 2);
      named = member(vm_, values_, Cell::borrowed(key));
      if (!given(named)) vm_.value_error("there is no key '" + std::string(key) + "'");
      at = end;
    }
    FormatSpec spec;
    spec.align = '>';
    bool zero = false;
    for (bool flags = true; flags;) {
      switch (peek(at)) {
        case '#': spec.alternate = true; break;
        case '0': zero = true; break;
        case '-': spec.align = '<'; break;
        case ' ':
          if (spec.sign != '+') spec.sign = ' ';
          break;
        case '+': spec.sign = '+'; break;
        default: flags = false;
      }
      if (flags) ++at;
    }
    spec.width = count_or_star(at);
    if (spec.width < -1) {
      spec.align = '<';
      spec.width = -std::max(spec.width, -std::numeric_limits<std::int64_t>::max());
    }
    if (peek(at) == '.') {
      ++at;
      spec.precision = std::max<std::int64_t>(0, count_or_star(at));
    }
    if (peek(at) == 'h' || peek(at) == 'l' || peek(at) == 'L') ++at;
    spec.type = peek(at);
    if (zero && spec.align == '>') {
      spec.align = '=';
      spec.fill = "0";
    }
    if (spec.type == '%') {
      vm_.out.push('%');
      return at + 1;
    }
    static constexpr std::string_view known = "diouxXeEfFgGcrsa";
    if (known.find(spec.type) == std::string_view::npos)
      vm_.value_error("unsupported format character '" +
                      std::string(format_.substr(at, unicode::decode(format_.substr(at)).width)) + "'");
    append(given(named) ? named : next_value(), spec);
    return at + 1;
  }

  void append(Cell value, FormatSpec spec) {
    check_opaque(vm_, value);
    switch (spec.type) {
      case 's':
      case 'r':
      case 'a': text(value, spec); return;
      case 'c': character(value, spec); return;
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G': {
        if (value.is(Kind::undefined)) vm_.fail_undefined(value);
        if (!value.is_number()) vm_.type_error("must be real number, not " + type_name(value));
        const double number = to_double(vm_, value);
        append_padded_number(vm_, spec, std::signbit(number) && !std::isnan(number), "",
                             float_digits(vm_, std::fabs(number), spec.type, spec.precision, spec.alternate));
        return;
      }
      default: integer(value, spec);
    }
  }

  void text(Cell value, FormatSpec spec) {
    if (spec.align == '=') spec.align = '>';
    spec.fill = " ";
    Cell made = value;
    if (spec.type == 's') {
      made = markup_ ? escaped(vm_, value) : to_text(vm_, value);
    } else {
      Capture capture(vm_);
      append_repr(vm_, value);
      made = capture.finish();
      if (spec.type == 'a') made = ascii_only(made);
      if (markup_) made = escaped(vm_, made);
    }
    append_text_padded(vm_, made.text(), spec);
  }

  Cell ascii_only(Cell text) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    for (std::size_t i = 0; i < text.size;) {
      const auto [code, width] = unicode::decode(text.text().substr(i));
      if (code < 0x80) {
        out += static_cast<char>(code);
      } else {
        const int size = code < 0x100 ? 2 : code < 0x10000 ? 4 : 8;
        out += size == 2 ? "\\x" : size == 4 ? "\\u" : "\\U";
        for (int shift = size * 4 - 4; shift >= 0; shift -= 4) out += digits[code >> shift & 15];
      }
      i += width;
    }
    return vm_.text(out);
  }

  void character(Cell value, FormatSpec spec) {
    if (spec.align == '=') spec.align = '>';
    spec.fill = " ";
    spec.precision = -1;
    if (value.is_text()) {
      if (unicode::length(value.text()) != 1) vm_.type_error("%c requires int or char");
      append_text_padded(vm_, value.text(), spec);
      return;
    }
    if (!value.is_int()) vm_.type_error("%c requires int or char");
    const std::int64_t code = index(vm_, value);
    if (code < 0 || code > 0x10FFFF) vm_.value_error("%c arg not in range(0x110000)");
    std::string one;
    unicode::append_utf8(one, static_cast<std::uint32_t>(code));
    append_text_padded(vm_, one, spec);
  }

  void integer(Cell value, FormatSpec spec) {
    const bool decimal = spec.type == 'd' || spec.type == 'i' || spec.type == 'u';
    if (value.is(Kind::undefined)) vm_.fail_undefined(value);
    if (!value.is_number() || (!decimal && !value.is_int()))
      vm_.type_error(std::string("%") + spec.type + " format: " +
                     (decimal ? "a real number is required, not " : "an integer is required, not ") + type_name(value));
    const Cell whole_value = value.is(Kind::number) ? integer_of(vm_, value.number) : value;
    std::string digits = integer_digits(vm_, whole_value, decimal ? 'd' : spec.type);
    if (spec.precision > static_cast<std::int64_t>(digits.size())) {
      check_text_size(vm_, static_cast<std::uint64_t>(spec.precision));
      digits.insert(0, static_cast<std::size_t>(spec.precision) - digits.size(), '0');
    }
    std::string prefix;
    if (spec.alternate && !decimal) prefix = std::string("0") + spec.type;
    append_padded_number(vm_, spec, is_negative(whole_value), prefix, std::move(digits));
  }

  Vm& vm_;
  std::string_view format_;
  Cell values_;
  bool markup_;
  bool mapping_;
  std::size_t used_ = 0;
};

}  // namespace

Cell format_percent(Vm& vm, Cell format, Cell values) {
  vm.tick(format.size / 16 + 1);
  Capture capture(vm);
  PercentFormatter(vm, format, values).run();
  return capture.finish(format.is_markup());
}

}  // namespace mapflow::jinja::detail
