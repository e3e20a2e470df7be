// Points in time: RFC 3339 texts, or numbers of seconds since 1970, always in UTC.
#include <array>
#include <cmath>
#include <ctime>

#include <fmt/format.h>

#include "base/time.h"
#include "jinja/workflow_filters.h"

namespace mapflow::jinja::workflow {

namespace {

// Years 0001 to 9999: what RFC 3339 can write.
constexpr double kFirstSecond = -62135596800.0, kLastSecond = 253402300799.0;

Result<Timestamp> time_of(std::string_view filter, const Value& value) {
  if (value.is_text()) return parse_timestamp(value.as_text());
  if (!value.is_number())
    return fail(code::invalid_input, fmt::format("{} needs a time, as RFC 3339 text or seconds since 1970, not {}",
                                                 filter, to_string(value.type())));
  const double seconds = value.as_double();
  if (!(seconds >= kFirstSecond && seconds <= kLastSecond))
    return fail(code::invalid_input, fmt::format("{}: this time is outside of the years 1 to 9999", filter));
  if (value.is_integer()) return from_micros(value.as_integer() * 1'000'000);
  return from_micros(static_cast<std::int64_t>(std::llround(seconds * 1e6)));
}

Result<Timestamp> checked(std::string_view filter, double micros) {
  if (!(micros >= kFirstSecond * 1e6 && micros <= kLastSecond * 1e6))
    return fail(code::invalid_input, fmt::format("{}: the result is outside of the years 1 to 9999", filter));
  return from_micros(static_cast<std::int64_t>(micros));
}

Result<Value> to_datetime(const Arguments& arguments) {
  Call call("to_datetime", arguments);
  const Value& value = call.value(0, "value");
  const std::string format(call.text_or(1, "format", ""));
  MAPFLOW_JINJA_CHECK(call);
  if (format.empty()) {
    MAPFLOW_ASSIGN(const Timestamp at, time_of("to_datetime", value));
    return Value(format_timestamp(at));
  }
  if (!value.is_text()) return fail(code::invalid_input, "to_datetime: with a format, the value must be a string");
  const std::string text(value.as_text());
  std::tm fields{};
  fields.tm_mday = 1;
  const char* end = ::strptime(text.c_str(), format.c_str(), &fields);
  if (!end || *end != '\0')
    return fail(code::invalid_input, fmt::format("to_datetime: '{}' does not have the form '{}'", text, format));
  const long offset = fields.tm_gmtoff;
  MAPFLOW_ASSIGN(const Timestamp at,
                 checked("to_datetime", (static_cast<double>(::timegm(&fields)) - static_cast<double>(offset)) * 1e6));
  return Value(format_timestamp(at));
}

Result<Value> to_epoch(const Arguments& arguments) {
  Call call("to_epoch", arguments);
  const Value& value = call.value(0, "value");
  MAPFLOW_JINJA_CHECK(call);
  MAPFLOW_ASSIGN(const Timestamp at, time_of("to_epoch", value));
  const std::int64_t micros = to_micros(at);
  if (micros % 1'000'000 == 0) return Value(micros / 1'000'000);
  return Value(static_cast<double>(micros) / 1e6);
}

Result<Value> strftime(const Arguments& arguments) {
  Call call("strftime", arguments);
  const Value& value = call.value(0, "value");
  std::string format(call.text_or(1, "format", "%Y-%m-%dT%H:%M:%SZ"));
  MAPFLOW_JINJA_CHECK(call);
  MAPFLOW_ASSIGN(const Timestamp at, time_of("strftime", value));
  const std::int64_t micros = to_micros(at);
  const std::int64_t fraction = ((micros % 1'000'000) + 1'000'000) % 1'000'000;
  const std::time_t seconds = (micros - fraction) / 1'000'000;
  // %f, the microseconds, is Python's; the C library does not know it.
  for (std::size_t i = 0; i + 1 < format.size(); ++i) {
    if (format[i] != '%') continue;
    if (format[i + 1] == 'f') format.replace(i, 2, fmt::format("{:06}", fraction));
    ++i;
  }
  std::tm fields{};
  ::gmtime_r(&seconds, &fields);
  std::array<char, 2048> buffer{};
  if (format.size() > buffer.size() / 4) return fail(code::invalid_input, "strftime: the format is too long");
  const std::size_t size = std::strftime(buffer.data(), buffer.size(), format.c_str(), &fields);
  if (size == 0 && !format.empty()) return fail(code::invalid_input, "strftime: the result is too long");
  return Value(std::string_view(buffer.data(), size));
}

Result<Value> timedelta(const Arguments& arguments) {
  Call call("timedelta", arguments);
  const Value& value = call.value(0, "value");
  const Value* span = call.find(1, "span");
  double seconds = 0;
  static constexpr std::pair<std::string_view, double> units[] = {
      {"weeks", 604800}, {"days", 86400}, {"hours", 3600}, {"minutes", 60}, {"seconds", 1}, {"milliseconds", 1e-3}};
  for (const auto& [name, size] : units) seconds += call.number_or(SIZE_MAX, name, 0) * size;
  MAPFLOW_JINJA_CHECK(call);
  if (span && span->is_number()) {
    seconds += span->as_double();
  } else if (span && span->is_text()) {
    const bool back = span->as_text().starts_with('-');
    MAPFLOW_ASSIGN(const Duration parsed, parse_duration(span->as_text().substr(back ? 1 : 0)));
    seconds += (back ? -1e-6 : 1e-6) * static_cast<double>(parsed.count());
  } else if (span && !span->is_null()) {
    return fail(code::invalid_input, "timedelta: the span must be a number of seconds or a text such as '1h30m'");
  }
  MAPFLOW_ASSIGN(const Timestamp at, time_of("timedelta", value));
  MAPFLOW_ASSIGN(const Timestamp moved,
                 checked("timedelta", static_cast<double>(to_micros(at)) + std::round(seconds * 1e6)));
  return Value(format_timestamp(moved));
}

}  // namespace

void add_time_filters(Environment& environment) {
  environment.add_filter("to_datetime", to_datetime);
  environment.add_filter("to_epoch", to_epoch);
  environment.add_filter("strftime", strftime);
  environment.add_filter("timedelta", timedelta);
}

}  // namespace mapflow::jinja::workflow
