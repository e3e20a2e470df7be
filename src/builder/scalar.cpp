// The core schema of YAML 1.2 (chapter 10.3): what a plain scalar means.
#include <charconv>
#include <cmath>
#include <string>

#include "builder/document.h"

namespace mapflow::builder {

namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words)
    if (text == word) return true;
  return false;
}

bool all_digits(std::string_view text) {
  for (const char c : text)
    if (!is_digit(c)) return false;
  return !text.empty();
}

/// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool is_float(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (const auto exponent = text.find_first_of("eE"); exponent != std::string_view::npos) {
    std::string_view power = text.substr(exponent + 1);
    if (power.starts_with('-') || power.starts_with('+')) power.remove_prefix(1);
    if (!all_digits(power)) return false;
    text = text.substr(0, exponent);
  }
  const auto point = text.find('.');
  if (point == std::string_view::npos) return all_digits(text);
  const std::string_view whole = text.substr(0, point), fraction = text.substr(point + 1);
  if (whole.empty()) return all_digits(fraction);
  return all_digits(whole) && (fraction.empty() || all_digits(fraction));
}

Value to_double(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) {
    // Too large is infinite in the core schema too; too small is zero.
    const bool large = text.find_first_of("eE") == std::string_view::npos || text.find("e-") == std::string_view::npos;
    return large && text.find("E-") == std::string_view::npos ? Value(HUGE_VAL) : Value(0.0);
  }
  return Value(number);
}

template <int kBase>
Value to_integer(std::string_view digits, bool negative) {
  std::uint64_t magnitude = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, kBase);
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 63;
  if (error == std::errc{} && magnitude < kLimit + (negative ? 1 : 0)) {
    return Value(static_cast<std::int64_t>(negative ? ~magnitude + 1 : magnitude));
  }
  double number = 0;
  for (const char c : digits) {
    const int digit = is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
    number = number * kBase + digit;
  }
  return Value(negative ? -number : number);
}

bool digits_of_base(std::string_view text, int base) {
  for (const char c : text) {
    const char lower = static_cast<char>(c | 0x20);
    if (!(is_digit(c) && c - '0' < base) && !(base == 16 && lower >= 'a' && lower <= 'f')) return false;
  }
  return !text.empty();
}

}  // namespace

Value resolve_plain_scalar(std::string_view text, bool& infinite) {
  infinite = false;
  if (text.empty() || one_of(text, {"~", "null", "Null", "NULL"})) return Value();
  if (one_of(text, {"true", "True", "TRUE"})) return Value(true);
  if (one_of(text, {"false", "False", "FALSE"})) return Value(false);
  const char first = text.front();
  if (!is_digit(first) && first != '-' && first != '+' && first != '.') return Value(text);

  const bool negative = first == '-';
  const std::string_view unsigned_part = first == '-' || first == '+' ? text.substr(1) : text;
  if (one_of(unsigned_part, {".inf", ".Inf", ".INF"}) || one_of(text, {".nan", ".NaN", ".NAN"})) {
    infinite = true;
    return Value(text);
  }
  Value number;
  if (all_digits(unsigned_part)) number = to_integer<10>(unsigned_part, negative);
  else if (text.starts_with("0x") && digits_of_base(text.substr(2), 16)) number = to_integer<16>(text.substr(2), false);
  else if (text.starts_with("0o") && digits_of_base(text.substr(2), 8)) number = to_integer<8>(text.substr(2), false);
  else if (is_float(text)) number = to_double(text);
  else return Value(text);
  infinite = number.is_double() && !std::isfinite(number.as_double());
  return number;
}

}  // namespace mapflow::builder
