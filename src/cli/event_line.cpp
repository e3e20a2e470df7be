#include "cli/event_line.h"

#include <algorithm>
#include <array>

#include "cli/text.h"
#include "model/message.h"
#include "value/json.h"

namespace mapflow::cli {

namespace {

bool is_brief(std::string_view member) {
  constexpr std::array shown{"command", "attempt", "delivery", "error", "reason", "signal", "due", "until", "workflow", "branch"};
  return std::ranges::any_of(shown, [&](std::string_view each) { return member == each; });
}

std::string member_text(std::string_view name, const Value& value) {
  if (name == "error" && value.is_object()) return brief_error(value);
  return value.is_text() ? std::string(value.as_text()) : to_json(value);
}

/// Attempt 1 is what everybody expects.
bool goes_without_saying(std::string_view name, const Value& value) {
  return value.is_null() || (value.is_text() && value.as_text().empty()) ||
         ((name == "attempt" || name == "delivery") && value == Value(1));
}

}  // namespace

Color state_color(std::string_view name) {
  constexpr auto any = [](std::string_view wanted, auto... names) { return (... || (wanted == names)); };
  if (any(name, "completed", "compensated")) return Color::green;
  if (any(name, "failed", "timed_out", "cancelled", "compensation_failed")) return Color::red;
  if (any(name, "retrying", "compensating", "paused", "suspended", "circuit_opened", "dropped")) return Color::yellow;
  if (any(name, "running", "started", "resumed")) return Color::cyan;
  return any(name, "pending", "skipped") ? Color::dim : Color::plain;
}

std::string brief_error(const Value& error) {
  const Error read = error_from_value(error);
  return printable(read.code + ": " + read.message);
}

std::string event_line(const kernel::Event& event, Detail detail, const Stream& stream, std::size_t cell_columns) {
  std::string line = stream.paint(Color::dim, format_clock(event.at)) + "  ";
  const std::size_t dot = event.type.find('.');
  line += stream.paint(state_color(dot == std::string::npos ? event.type : event.type.substr(dot + 1)),
                       pad(printable(event.type), 18));
  if (!event.path.empty()) line += "  " + printable(event.path);
  if (event.data.is_object()) {
    for (const auto& [name, value] : event.data.as_object()) {
      if ((detail == Detail::brief && !is_brief(name)) || goes_without_saying(name, value)) continue;
      line += "  " + stream.paint(Color::dim, printable(name) + "=") + fit(printable(member_text(name, value)), cell_columns);
    }
  }
  return line;
}

}  // namespace mapflow::cli
