#include "cli/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "cli/event_line.h"
#include "cli/text.h"
#include "value/json.h"

namespace mapflow::cli {

namespace {

constexpr std::size_t kWidestCell = 200;   // of a result, where lines have no natural width
constexpr std::size_t kMostSteps = 200;    // listed one by one

std::string text_at(const Value& document, std::string_view path) {
  const Value* found = document.find_path(path);
  return found && found->is_text() ? printable(found->as_text()) : std::string();
}

std::uint64_t count_at(const Value& document, std::string_view path) {
  const Value* found = document.find_path(path);
  return found && found->is_integer() && found->as_integer() > 0 ? static_cast<std::uint64_t>(found->as_integer()) : 0;
}

std::size_t width_of(const Stream& stream) { return stream.terminal() ? stream.columns() : kWidestCell; }

/// Members one a line, values as JSON, cut to the width.
void print_members(Stream& stream, std::string_view title, const Value* members) {
  if (!members || !members->is_object() || members->size() == 0) return;
  stream.line(stream.paint(Color::bold, title));
  std::size_t widest = 0;
  for (const auto& [name, value] : members->as_object()) widest = std::max(widest, display_width(printable(name)));
  widest = std::min<std::size_t>(widest, 40);
  for (const auto& [name, value] : members->as_object()) {
    const std::string text = value.is_text() ? std::string(value.as_text()) : to_json(value);
    stream.line(fit("  " + pad(printable(name), widest) + "  " + printable(text), width_of(stream)));
  }
}

void print_error(Stream& stream, const Value& error, std::string_view indent) {
  std::string where = text_at(error, "where");
  if (!where.empty()) where += ": ";
  std::string whose;
  if (const std::string path = text_at(error, "path"); !path.empty()) {
    whose = " (step " + path;
    if (const std::uint64_t attempt = count_at(error, "attempt"); attempt > 1) whose += fmt::format(", attempt {}", attempt);
    whose += ")";
  }
  stream.line(std::string(indent) + where + stream.paint(Color::red, text_at(error, "code")) + ": " +
              text_at(error, "message") + whose);
  if (const std::string hint = text_at(error, "hint"); !hint.empty()) stream.line(std::string(indent) + "  " + hint);
  if (const Value* details = error.find("details"); details && !details->is_null())
    stream.line(fit(std::string(indent) + "  details: " + printable(to_json(*details)), width_of(stream)));
  if (const Value* cause = error.find("cause"); cause && cause->is_object())
    print_error(stream, *cause, std::string(indent) + "  because: ");
}

std::string step_elapsed(const Value& step) {
  const auto started = parse_timestamp(text_at(step, "started_at"));
  const auto ended = parse_timestamp(text_at(step, "ended_at"));
  return started && ended ? format_elapsed(*ended - *started) : "";
}

void print_steps(Stream& stream, const Value& document) {
  const Value* steps = document.find("steps");
  if (!steps || !steps->is_array() || steps->size() == 0) return;
  const Array& all = steps->as_array();
  const std::size_t left_out = all.size() > kMostSteps ? all.size() - kMostSteps : 0;
  Table table({"STEP", "TYPE", "STATE", "ATTEMPT", "TIME", "ERROR"});
  for (std::size_t i = left_out; i < all.size(); ++i) {
    const Value& step = all[i];
    const std::string state = text_at(step, "state");
    const Value* error = step.find("error");
    table.row({text_at(step, "path"), text_at(step, "type"), stream.paint(state_color(state), state),
               std::to_string(count_at(step, "attempt")), step_elapsed(step),
               error && error->is_object() ? brief_error(*error) : ""});
  }
  if (left_out > 0) stream.line(counted(left_out, "earlier step") + " left out; --json has all of them");
  for (const std::string& line : table.lines(stream)) stream.line(line);
}

/// "typically 12.3s (20 runs before), about 4.1s more"
void print_estimate(Stream& stream, const Value& document) {
  const auto span_at = [&](std::string_view path) -> std::optional<Duration> {
    const Value* seconds = document.find_path(path);
    if (!seconds || !seconds->is_number()) return std::nullopt;
    const auto span = duration_from_seconds(seconds->as_double());
    return span ? std::optional(*span) : std::nullopt;
  };
  const auto typical = span_at("estimate.typical_seconds");
  if (!typical) return;
  const std::uint64_t runs = count_at(document, "estimate.runs");
  std::string text = fmt::format("typically {} ({} before)", format_elapsed(*typical), counted(runs, "run"));
  if (const auto left = span_at("estimate.remaining_seconds"))
    text += *left > Duration(0) ? ", about " + format_elapsed(*left) + " more" : ", longer than usual";
  stream.line(text);
}

std::string summary(const Stream& stream, const Value& document) {
  const std::string state = text_at(document, "state");
  std::string text = stream.paint(state_color(state), state);
  if (const Value* seconds = document.find_path("metrics.duration_seconds"); seconds && seconds->is_number())
    if (const auto span = duration_from_seconds(seconds->as_double()))
      text += (document.find("ended_at") && document.find("ended_at")->is_null() ? " for " : " in ") + format_elapsed(*span);
  text += ", " + counted(count_at(document, "metrics.steps_completed"), "step");
  const auto add = [&](std::string_view metric, const auto& name) {
    if (const std::uint64_t count = count_at(document, metric)) text += ", " + name(count);
  };
  add("metrics.steps_failed", [](std::uint64_t count) { return std::to_string(count) + " failed"; });
  add("metrics.steps_skipped", [](std::uint64_t count) { return std::to_string(count) + " skipped"; });
  add("metrics.steps_cancelled", [](std::uint64_t count) { return std::to_string(count) + " cancelled"; });
  add("metrics.retries", [](std::uint64_t count) { return count == 1 ? "1 retry" : std::to_string(count) + " retries"; });
  add("metrics.compensations", [](std::uint64_t count) { return counted(count, "compensation"); });
  const Value* errors = document.find("errors");
  const bool explained = errors && errors->size() > 0;  // printed below
  if (const std::string reason = text_at(document, "reason"); !reason.empty() && !explained) text += " (" + reason + ")";
  return text;
}

}  // namespace

void print_errors(Stream& stream, const Value& document) {
  const Value* errors = document.find("errors");
  if (!errors || !errors->is_array() || errors->size() == 0) return;
  stream.line(stream.paint(Color::bold, "errors"));
  for (const Value& error : errors->as_array()) print_error(stream, error, "  ");
}

void print_outcome(Stream& stream, const Value& document) {
  stream.line(summary(stream, document));
  print_members(stream, "results", document.find("results"));
  print_errors(stream, document);
}

void print_instance(Stream& stream, const Value& document) {
  stream.line(stream.paint(Color::bold, text_at(document, "workflow")) + " " + text_at(document, "version") + "  " +
              text_at(document, "instance_id"));
  stream.line(summary(stream, document));
  std::string times = "started " + text_at(document, "started_at");
  if (const std::string ended = text_at(document, "ended_at"); !ended.empty()) times += ", ended " + ended;
  stream.line(times);
  print_estimate(stream, document);
  if (const std::string parent = text_at(document, "parent_id"); !parent.empty()) stream.line("child of " + parent);
  if (const Value* tags = document.find("tags"); tags && tags->size() > 0) stream.line("tags " + printable(to_json(*tags)));
  if (const Value* done = document.find_path("progress.fraction"); done && done->is_number() && text_at(document, "ended_at").empty())
    stream.line(fmt::format("progress {:.0f}%, {} of {} steps", 100 * done->as_double(),
                            count_at(document, "progress.completed"), count_at(document, "progress.total")));
  print_steps(stream, document);
  print_members(stream, "variables", document.find("variables"));
  print_members(stream, "results", document.find("results"));
  print_errors(stream, document);
}

}  // namespace mapflow::cli
