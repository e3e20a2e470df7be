// Filters on numbers.
#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

#include "jinja/bigint.h"
#include "jinja/builtins.h"
#include "jinja/environment_state.h"
#include "jinja/unicode.h"

namespace mapflow::jinja::detail {

namespace {

Cell abs_value(Vm& vm, const Cell* a, const Args&) {
  if (a[0].is(Kind::undefined)) vm.fail_undefined(a[0]);
  if (!a[0].is_number()) vm.type_error("bad operand type for abs(): '" + type_name(a[0]) + "'");
  if (a[0].is(Kind::number)) return Cell::of(std::fabs(a[0].number));
  return negate(vm, a[0], compare_numbers(a[0], Cell::of(std::int64_t{0})) < 0);
}

// int(text, base): white space, a sign, the prefix of the base, single underscores. Unset when it is no integer.
Cell integer_from_text(Vm& vm, std::string_view source, std::int64_t base) {
  const std::string_view text = unicode::strip(source);
  std::string digits;
  std::size_t at = 0;
  if (text.starts_with('-') || text.starts_with('+')) digits += text[at++];
  const auto prefix = [&](char low) { return text.size() > at + 1 && text[at] == '0' && (text[at + 1] | 0x20) == low; };
  bool prefixed = true;
  if ((base == 16 || base == 0) && prefix('x'))
    base = 16;
  else if ((base == 8 || base == 0) && prefix('o'))
    base = 8;
  else if ((base == 2 || base == 0) && prefix('b'))
    base = 2;
  else
    prefixed = false;
  if (prefixed) at += 2;
  const bool zero_based = base == 0;
  if (base == 0) base = 10;
  bool last_was_digit = prefixed;
  const std::size_t start = digits.size();
  while (at < text.size()) {
    const auto [code, width] = unicode::decode(text.substr(at));
    at += width;
    if (code == '_') {
      if (!last_was_digit) return Cell::unset();
      last_was_digit = false;
      continue;
    }
    const int decimal = unicode::decimal_value(code);
    if (decimal < 0 && code >= 0x80) return Cell::unset();
    digits += decimal >= 0 ? static_cast<char>('0' + decimal) : static_cast<char>(code);
    last_was_digit = true;
  }
  if (!last_was_digit || digits.size() == start) return Cell::unset();
  if (zero_based && digits[start] == '0' && digits.find_first_not_of('0', start) != std::string::npos)
    return Cell::unset();
  return parse_integer(vm, digits, static_cast<int>(base));
}

Cell to_int(Vm& vm, const Cell* a, const Args&) {
  const Cell otherwise = given(a[1]) ? a[1] : Cell::of(std::int64_t{0});
  const std::int64_t base = integer_or(vm, a[2], 10);
  switch (a[0].kind) {
    case Kind::boolean: return Cell::of(std::int64_t{a[0].boolean});
    case Kind::integer:
    case Kind::bigint: return a[0];
    case Kind::number:
      if (std::isnan(a[0].number)) return otherwise;
      if (std::isinf(a[0].number)) vm.value_error("cannot convert float infinity to integer");
      return integer_of(vm, a[0].number);
    case Kind::text: {
      const bool base_known = base == 0 || (base >= 2 && base <= 36);
      if (base_known)
        if (const Cell number = integer_from_text(vm, a[0].text(), base); given(number)) return number;
      double number = 0;
      if (!parse_float(a[0].text(), number) || !std::isfinite(number)) return otherwise;
      return integer_of(vm, number);
    }
    case Kind::undefined: vm.fail_undefined(a[0]);
    default: return otherwise;
  }
}

Cell to_float(Vm& vm, const Cell* a, const Args&) {
  const Cell otherwise = given(a[1]) ? a[1] : Cell::of(0.0);
  if (a[0].is_number()) return Cell::of(to_double(vm, a[0]));
  if (a[0].is(Kind::undefined)) vm.fail_undefined(a[0]);
  double number = 0;
  if (a[0].is_text() && parse_float(a[0].text(), number)) return Cell::of(number);
  return otherwise;
}

Cell round_integer(Vm& vm, Cell number, std::int64_t digits) {
  if (digits >= 0) return negate(vm, number, false);
  if (digits < -5000) return Cell::of(std::int64_t{0});
  const Big power = pow(Big(10), static_cast<unsigned>(-digits));
  const Big value = to_big(number);
  Big quotient, rest;
  divide_qr(value, power, quotient, rest);
  const Big twice = abs(rest) * 2;
  const bool away = twice > power || (twice == power && quotient % 2 != 0);
  if (away) quotient += value < 0 ? -1 : 1;
  return from_big(vm, quotient * power);
}

Cell round(Vm& vm, const Cell* a, const Args&) {
  const std::string_view method = given(a[2]) && a[2].is_text() ? a[2].text() : given(a[2]) ? "?" : "common";
  if (method != "common" && method != "ceil" && method != "floor")
    vm.value_error("method must be common, ceil or floor");
  if (!a[0].is_number()) vm.type_error("type " + type_name(a[0]) + " doesn't define __round__ method");
  if (method == "common") {
    const bool to_int = given(a[1]) && a[1].is(Kind::none);
    if (a[0].is_int()) return round_integer(vm, a[0], to_int ? 0 : integer_or(vm, a[1], 0));
    if (to_int) return integer_of(vm, std::nearbyint(a[0].number));
    const double rounded = round_to(a[0].number, integer_or(vm, a[1], 0));
    if (std::isinf(rounded) && std::isfinite(a[0].number)) vm.value_error("rounded value too large to represent");
    return Cell::of(rounded);
  }
  const Cell power =
      arithmetic(vm, Arithmetic::pow, Cell::of(std::int64_t{10}), given(a[1]) ? a[1] : Cell::of(std::int64_t{0}));
  const Cell scaled = arithmetic(vm, Arithmetic::mul, a[0], power);
  const double number = to_double(vm, scaled);
  const Cell cut = scaled.is_int() ? scaled : integer_of(vm, method == "ceil" ? std::ceil(number) : std::floor(number));
  return arithmetic(vm, Arithmetic::div, cut, power);
}

Cell filesizeformat(Vm& vm, const Cell* a, const Args&) {
  double bytes = 0;
  if (a[0].is(Kind::undefined)) vm.fail_undefined(a[0]);
  if (a[0].is_number())
    bytes = to_double(vm, a[0]);
  else if (!a[0].is_text())
    vm.type_error("float() argument must be a string or a real number, not '" + type_name(a[0]) + "'");
  else if (!parse_float(a[0].text(), bytes))
    vm.value_error("could not convert string to float: " + summary(vm, a[0]));
  const bool binary = truth_or(vm, a[1], false);
  const double base = binary ? 1024 : 1000;
  if (bytes == 1) return Cell::borrowed("1 Byte");
  if (bytes < base) {
    const Cell whole_bytes = integer_of(vm, bytes);
    return concatenate(vm, to_text(vm, whole_bytes), Cell::borrowed(" Bytes"));
  }
  static constexpr std::string_view prefixes = "kMGTPEZY";
  double unit = base;
  std::size_t at = 0;
  for (; at < prefixes.size(); ++at) {
    unit = std::pow(base, static_cast<double>(at + 2));
    if (bytes < unit) break;
  }
  const char prefix = prefixes[std::min(at, prefixes.size() - 1)];
  const char shown = binary && prefix == 'k' ? 'K' : prefix;
  return vm.text(fmt::format("{:.1f} {}{}", base * bytes / unit, shown, binary ? "iB" : "B"));
}

constexpr FunctionSpec kTable[] = {
    {"abs", abs_value},
    {"filesizeformat", filesizeformat, "binary"},
    {"float", to_float, "default"},
    {"int", to_int, "default,base"},
    {"round", round, "precision,method"},
};

}  // namespace

std::span<const FunctionSpec> number_filters() { return kTable; }

}  // namespace mapflow::jinja::detail
