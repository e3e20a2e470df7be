#include "jinja/format_number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include "jinja/bigint.h"
#include "jinja/builtins.h"
#include "jinja/unicode.h"

namespace mapflow::jinja::detail {

namespace {

std::string to_chars_text(Vm& vm, double size, std::chars_format format, std::int64_t precision) {
  check_text_size(vm, static_cast<std::uint64_t>(precision) + 400);
  std::vector<char> buffer(static_cast<std::size_t>(precision) + 400);
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), size, format, static_cast<int>(precision)).ptr;
  return {buffer.data(), end};
}

void strip_zeros(std::string& digits) {
  const std::size_t exponent = digits.find('e');
  std::string tail = exponent == std::string::npos ? std::string() : digits.substr(exponent);
  digits.resize(std::min(exponent, digits.size()));
  if (digits.find('.') != std::string::npos) {
    while (digits.back() == '0') digits.pop_back();
    if (digits.back() == '.') digits.pop_back();
  }
  digits += tail;
}

// As %g: significant digits, an exponent where it is far from one. `dot` asks for at least one digit behind the point.
std::string general(Vm& vm, double size, std::int64_t precision, bool alternate, bool dot) {
  if (precision == 0) precision = 1;
  std::string scientific = to_chars_text(vm, size, std::chars_format::scientific, precision - 1);
  int exponent = 0;
  const std::size_t e = scientific.find('e');
  std::from_chars(scientific.data() + e + (scientific[e + 1] == '+' ? 2 : 1), scientific.data() + scientific.size(),
                  exponent);
  if (size == 0) exponent = 0;
  if (exponent < -4 || exponent + 1 > precision - (dot ? 1 : 0)) {
    if (!alternate) strip_zeros(scientific);
    return scientific;
  }
  std::string fixed =
      to_chars_text(vm, size, std::chars_format::fixed, std::max<std::int64_t>(0, precision - 1 - exponent));
  if (!alternate) strip_zeros(fixed);
  if (dot && fixed.find('.') == std::string::npos) fixed += ".0";
  if (alternate && fixed.find('.') == std::string::npos) fixed += '.';
  return fixed;
}

// Separators into the digits before the point; zeros in front until the width is reached.
std::string grouped(std::string_view digits, char separator, std::size_t every, std::int64_t least) {
  std::size_t whole = 0;
  while (whole < digits.size() && ((digits[whole] >= '0' && digits[whole] <= '9') ||
                                   (every == 4 && (digits[whole] | 0x20) >= 'a' && (digits[whole] | 0x20) <= 'f')))
    ++whole;
  const std::string_view rest = digits.substr(whole);
  std::string reversed;
  std::size_t count = 0;
  const auto put = [&](char digit) {
    if (count > 0 && count % every == 0) reversed += separator;
    reversed += digit;
    ++count;
  };
  for (std::size_t i = whole; i-- > 0;) put(digits[i]);
  while (static_cast<std::int64_t>(reversed.size() + rest.size()) < least) put('0');
  std::reverse(reversed.begin(), reversed.end());
  return reversed + std::string(rest);
}

}  // namespace

std::string float_digits(Vm& vm, double size, char type, std::int64_t precision, bool alternate) {
  const char low = static_cast<char>(type | 0x20);
  std::string digits;
  if (!std::isfinite(size)) {
    digits = std::isnan(size) ? "nan" : "inf";
    if (type == '%') digits += '%';
  } else if (type == 0) {
    digits = precision < 0 ? float_text(size) : general(vm, size, precision, alternate, true);
  } else {
    if (precision < 0) precision = 6;
    if (precision > 1'000'000) vm.limit_error("the text is longer than its limit allows");
    if (low == 'f') digits = to_chars_text(vm, size, std::chars_format::fixed, precision);
    if (type == '%') digits = to_chars_text(vm, size * 100, std::chars_format::fixed, precision);
    if (low == 'e') digits = to_chars_text(vm, size, std::chars_format::scientific, precision);
    if (low == 'g' || low == 'n') digits = general(vm, size, precision, alternate, false);
    if (alternate && precision == 0 && low != 'g') {
      const std::size_t e = std::min(digits.find('e'), digits.size());
      digits.insert(e, ".");
    }
    if (type == '%') digits += '%';
  }
  if (type >= 'A' && type <= 'Z') digits = unicode::upper(digits);
  return digits;
}

std::string integer_digits(Vm& vm, Cell integer, char type) {
  const Cell size = negate(vm, integer, is_negative(integer));
  if (type == 'd' || type == 'n' || type == 0) return std::string(soft(vm, size));
  const Big big = to_big(size);
  vm.tick(big == 0 ? 1 : msb(big) / 8 + 1);
  std::string digits;
  if (type == 'b') {
    Big rest = big;
    do {
      digits += static_cast<char>('0' + static_cast<int>(rest & 1));
      rest >>= 1;
    } while (rest != 0);
    std::reverse(digits.begin(), digits.end());
    return digits;
  }
  digits = big.str(0, type == 'o' ? std::ios_base::oct : std::ios_base::hex);
  return type == 'X' ? unicode::upper(digits) : unicode::lower(digits);
}

bool is_negative(Cell number) {
  if (number.is(Kind::number)) return std::signbit(number.number) && !std::isnan(number.number);
  return compare_numbers(number, Cell::of(std::int64_t{0})) < 0;
}

void append_padded_number(Vm& vm, const FormatSpec& spec, bool negative, std::string_view prefix, std::string digits) {
  std::string front;
  if (negative)
    front = "-";
  else if (spec.sign == '+' || spec.sign == ' ')
    front = std::string(1, spec.sign);
  front += prefix;
  const char align = spec.align ? spec.align : '>';
  const bool zeros = align == '=' && spec.fill == "0";
  if (spec.grouping) {
    const bool wide = spec.type == 'b' || spec.type == 'o' || spec.type == 'x' || spec.type == 'X';
    if (zeros && spec.width > 0) check_text_size(vm, static_cast<std::uint64_t>(spec.width) * 2);
    digits =
        grouped(digits, spec.grouping, wide ? 4 : 3, zeros ? spec.width - static_cast<std::int64_t>(front.size()) : 0);
  }
  const auto size = static_cast<std::int64_t>(front.size() + digits.size());
  const std::int64_t padding = padding_to(spec.width, size);
  const auto pad = [&](std::int64_t count) {
    check_text_size(vm, static_cast<std::uint64_t>(count) * spec.fill.size());
    for (std::int64_t i = 0; i < count; ++i) vm.out.append(spec.fill);
  };
  if (align == '>') pad(padding);
  if (align == '^') pad(padding / 2);
  vm.out.append(front);
  if (align == '=') pad(padding);
  vm.out.append(digits);
  if (align == '<') pad(padding);
  if (align == '^') pad(padding - padding / 2);
}

}  // namespace mapflow::jinja::detail
