#include "base/time.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

namespace mapflow {

namespace {

constexpr double kLongestSeconds = 1000.0 * 366 * 86400;

struct Unit {
  std::string_view name;
  std::int64_t micros;
};
// Largest first, so that format_duration can peel them off; "us" only ever appears on output of tiny spans.
constexpr std::array<Unit, 6> kUnits{{{"d", 86'400'000'000},
                                      {"h", 3'600'000'000},
                                      {"m", 60'000'000},
                                      {"s", 1'000'000},
                                      {"ms", 1'000},
                                      {"us", 1}}};

std::unexpected<Error> not_a_duration(std::string_view text) {
  return fail(code::invalid_input, fmt::format("'{}' is not a duration", text),
              "write seconds as a number, or 250ms, 10s, 5m, 2h, 1d, 1h30m, PT5M");
}

/// Takes a number with an optional fraction off the front of `text`; NaN when there is none.
double take_number(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && (std::isdigit(static_cast<unsigned char>(text[length])) || text[length] == '.')) ++length;
  double number = std::nan("");
  const auto [end, error] = std::from_chars(text.data(), text.data() + length, number, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + length) return std::nan("");
  text.remove_prefix(length);
  return number;
}

/// ISO-8601 spans: P[n]W or P[n]DT[n]H[n]M[n]S. Years and months have no fixed length and are refused.
Result<Duration> parse_iso(std::string_view text) {
  const std::string_view whole = text;
  text.remove_prefix(1);
  bool in_time = false, any = false;
  double seconds = 0;
  while (!text.empty()) {
    if (text[0] == 'T' && !in_time) {
      in_time = true;
      text.remove_prefix(1);
      continue;
    }
    const double number = take_number(text);
    if (std::isnan(number) || text.empty()) return not_a_duration(whole);
    double unit = 0;
    switch (text[0]) {
      case 'W': unit = in_time ? 0 : 604800; break;
      case 'D': unit = in_time ? 0 : 86400; break;
      case 'H': unit = in_time ? 3600 : 0; break;
      case 'M': unit = in_time ? 60 : 0; break;
      case 'S': unit = in_time ? 1 : 0; break;
      default: break;
    }
    if (unit == 0) return not_a_duration(whole);
    seconds += number * unit;
    any = true;
    text.remove_prefix(1);
  }
  if (!any) return not_a_duration(whole);
  return duration_from_seconds(seconds);
}

/// Reads exactly `digits` digits at `at`; -1 when they are not there.
int fixed_digits(std::string_view text, std::size_t at, std::size_t digits) {
  if (at + digits > text.size()) return -1;
  int number = 0;
  for (std::size_t i = at; i < at + digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    number = number * 10 + (text[i] - '0');
  }
  return number;
}

/// `number` is not negative and has at most so many digits.
void append_digits(std::string& text, std::int64_t number, int digits) {
  char written[6];
  for (int at = digits; at-- > 0; number /= 10) written[at] = static_cast<char>('0' + number % 10);
  text.append(written, static_cast<std::size_t>(digits));
}

std::unexpected<Error> not_a_timestamp(std::string_view text) {
  return fail(code::invalid_input, fmt::format("'{}' is not a timestamp", text), "write it as 2026-12-01T00:00:00Z");
}

}  // namespace

Result<Duration> duration_from_seconds(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > kLongestSeconds)
    return fail(code::invalid_input, fmt::format("a duration of {} seconds is not between 0 and 1,000 years", seconds));
  return Duration(std::llround(seconds * 1e6));
}

Result<Duration> parse_duration(std::string_view text) {
  const std::string_view whole = text;
  if (text.starts_with('P')) return parse_iso(text);
  double seconds = 0;
  std::int64_t previous_unit = INT64_MAX;
  do {
    const double number = take_number(text);
    if (std::isnan(number)) return not_a_duration(whole);
    std::size_t letters = 0;
    while (letters < text.size() && std::isalpha(static_cast<unsigned char>(text[letters]))) ++letters;
    const std::string_view name = text.substr(0, letters);
    text.remove_prefix(letters);
    if (name.empty() && text.empty() && previous_unit == INT64_MAX) return duration_from_seconds(number);
    const Unit* found = nullptr;
    for (const Unit& unit : kUnits)
      if (unit.name == name) found = &unit;
    if (!found || found->micros >= previous_unit) return not_a_duration(whole);
    previous_unit = found->micros;
    seconds += number * (static_cast<double>(found->micros) / 1e6);
  } while (!text.empty());
  return duration_from_seconds(seconds);
}

std::string format_duration(Duration span) {
  std::int64_t left = span.count();
  if (left == 0) return "0s";
  std::string text = left < 0 ? "-" : "";
  left = std::abs(left);
  for (const Unit& unit : kUnits) {
    if (left < unit.micros) continue;
    text += fmt::format("{}{}", left / unit.micros, unit.name);
    left %= unit.micros;
  }
  return text;
}

Result<Timestamp> parse_timestamp(std::string_view text) {
  using namespace std::chrono;
  const int y = fixed_digits(text, 0, 4), mo = fixed_digits(text, 5, 2), d = fixed_digits(text, 8, 2);
  if (y < 0 || mo < 0 || d < 0 || text[4] != '-' || text[7] != '-') return not_a_timestamp(text);
  const year_month_day date{year(y), month(static_cast<unsigned>(mo)), day(static_cast<unsigned>(d))};
  if (!date.ok()) return not_a_timestamp(text);
  Timestamp at = Timestamp(sys_days(date));
  if (text.size() == 10) return at;

  const int h = fixed_digits(text, 11, 2), mi = fixed_digits(text, 14, 2), s = fixed_digits(text, 17, 2);
  if (h < 0 || mi < 0 || s < 0 || h > 23 || mi > 59 || s > 60 || text[13] != ':' || text[16] != ':')
    return not_a_timestamp(text);
  if (text[10] != 'T' && text[10] != 't' && text[10] != ' ') return not_a_timestamp(text);
  at += hours(h) + minutes(mi) + seconds(s);
  std::string_view rest = text.substr(19);
  if (rest.starts_with('.')) {
    std::int64_t micros = 0, scale = 100'000;
    std::size_t i = 1;
    for (; i < rest.size() && rest[i] >= '0' && rest[i] <= '9'; ++i, scale /= 10) micros += (rest[i] - '0') * scale;
    if (i == 1) return not_a_timestamp(text);
    at += microseconds(micros);
    rest.remove_prefix(i);
  }
  if (rest == "Z" || rest == "z" || rest.empty()) return at;
  const int oh = fixed_digits(rest, 1, 2), om = fixed_digits(rest, 4, 2);
  if (rest.size() != 6 || (rest[0] != '+' && rest[0] != '-') || rest[3] != ':' || oh < 0 || om < 0 || oh > 23 || om > 59)
    return not_a_timestamp(text);
  const auto offset = hours(oh) + minutes(om);
  return rest[0] == '+' ? at - offset : at + offset;
}

// One is written for each step of an instance and for each event, so it does without a format string: thirty times as fast.
std::string format_timestamp(Timestamp at) {
  using namespace std::chrono;
  const auto day_start = floor<days>(at);
  const year_month_day date(day_start);
  const hh_mm_ss time(at - day_start);
  const int year = static_cast<int>(date.year());
  std::string text;
  text.reserve(sizeof "2026-12-01T00:00:00.000000Z");
  if (year < 0 || year > 9999) {
    text += fmt::format("{:04}", year);
  } else {
    append_digits(text, year, 4);
  }
  const auto part = [&](char before, std::int64_t number, int digits) {
    text += before;
    append_digits(text, number, digits);
  };
  part('-', static_cast<unsigned>(date.month()), 2);
  part('-', static_cast<unsigned>(date.day()), 2);
  part('T', time.hours().count(), 2);
  part(':', time.minutes().count(), 2);
  part(':', time.seconds().count(), 2);
  const std::int64_t micros = time.subseconds().count();
  if (micros % 1000 != 0) {
    part('.', micros, 6);
  } else if (micros != 0) {
    part('.', micros / 1000, 3);
  }
  return text += 'Z';
}

}  // namespace mapflow
