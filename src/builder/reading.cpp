#include "builder/reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "builder/shape.h"
#include "jinja/workflow.h"
#include "value/json.h"

namespace mapflow::builder {

void Reading::error(std::string_view code, Mark mark, std::string message, std::string hint) {
  // Nobody reads so many, and telling them takes longer than reading the text.
  constexpr std::size_t kMostFindings = 10'000;
  if (found_.size() > kMostFindings) return;
  if (found_.size() == kMostFindings) {
    code = mf::too_big;
    message = fmt::format("more than {} problems; the others are not told", kMostFindings);
    hint.clear();
  }
  found_.push_back({Severity::error, std::string(code), at(mark), std::move(message), std::move(hint)});
}

void Reading::unknown_key(Node member, std::string_view where, std::span<const std::string_view> known) {
  // A guess looks at every known name; after so many findings nobody reads one.
  constexpr std::size_t kMostGuesses = 200;
  std::vector<std::string> names;
  if (found_.size() < kMostGuesses) names.assign(known.begin(), known.end());
  std::string hint = did_you_mean(member.key(), names);
  if (hint.empty() && !names.empty() && names.size() <= 10) hint = fmt::format("known are {}", fmt::join(names, ", "));
  error(mf::unknown_key, member.key_mark(), fmt::format("unknown key '{}' in {}", member.key(), where), std::move(hint));
}

void Reading::wrong_type(Node node, std::string_view what, std::string_view wanted) {
  error(mf::wrong_type, node.mark(), fmt::format("'{}' must be {}, not {}", what, wanted, node.kind_name()));
}

std::optional<std::string> Reading::text(Node node, std::string_view what) {
  if (node.is_text()) return std::string(node.text());
  if (node.is_scalar() && node.scalar().is_number())
    return node.written().empty() ? to_json(node.scalar()) : std::string(node.written());
  wrong_type(node, what, "a text");
  return std::nullopt;
}

std::optional<std::string> Reading::expression(Node node, std::string_view what, Mark* start) {
  if (start) *start = node.mark();
  if (node.is_scalar() && (node.scalar().is_bool() || node.scalar().is_number())) return to_json(node.scalar());
  if (!node.is_text()) {
    wrong_type(node, what, "an expression");
    return std::nullopt;
  }
  const std::string expanded = expand_shorthand(node.text(), TextMode::as_expression);
  std::size_t skipped = 0;
  const std::string_view bare = jinja::bare_expression(expanded, skipped);
  Mark begin = node.mark();
  if (begin.line && expanded.substr(0, skipped).find('\n') == std::string::npos) begin.column += static_cast<std::uint32_t>(skipped);
  if (bare.empty()) error(mf::missing, begin, fmt::format("'{}' is empty", what));
  if (start) *start = begin;
  return std::string(bare);
}

std::optional<bool> Reading::boolean(Node node, std::string_view what) {
  if (node.is_scalar() && node.scalar().is_bool()) return node.scalar().as_bool();
  wrong_type(node, what, "true or false");
  return std::nullopt;
}

std::optional<std::int64_t> Reading::integer(Node node, std::string_view what, std::int64_t least, std::int64_t most) {
  if (!node.is_scalar() || !node.scalar().is_integer()) {
    wrong_type(node, what, "a whole number");
    return std::nullopt;
  }
  const std::int64_t value = node.scalar().as_integer();
  if (value >= least && value <= most) return value;
  error(mf::not_allowed, node.mark(),
        value < least ? fmt::format("'{}' must be at least {}", what, least) : fmt::format("'{}' must be at most {}", what, most));
  return std::nullopt;
}

std::optional<double> Reading::number(Node node, std::string_view what, double least, double most) {
  if (!node.is_scalar() || !node.scalar().is_number()) {
    wrong_type(node, what, "a number");
    return std::nullopt;
  }
  const double value = node.scalar().as_double();
  if (value >= least && value <= most) return value;
  error(mf::not_allowed, node.mark(),
        value < least ? fmt::format("'{}' must be at least {}", what, least) : fmt::format("'{}' must be at most {}", what, most));
  return std::nullopt;
}

std::optional<Duration> Reading::duration(Node node, std::string_view what) {
  if (!node.is_text() && !(node.is_scalar() && node.scalar().is_number())) {
    wrong_type(node, what, "a duration");
    return std::nullopt;
  }
  const auto span = node.is_text() ? parse_duration(node.text()) : duration_from_seconds(node.scalar().as_double());
  if (span) return *span;
  error(mf::bad_duration, node.mark(), fmt::format("'{}': {}", what, span.error().message),
        "write seconds as a number, or a text like 250ms, 10s, 5m, 2h, 1d, PT5M");
  return std::nullopt;
}

std::vector<std::string> Reading::texts(Node node, std::string_view what) {
  std::vector<std::string> out;
  if (node.is_null()) return out;
  if (node.is_map() || (node.is_scalar() && node.scalar().is_bool())) {
    wrong_type(node, what, "a text or a list of texts");
    return out;
  }
  if (!node.is_list()) {
    if (auto one = text(node, what)) out.push_back(*std::move(one));
    return out;
  }
  for (const Node each : node.children())
    if (auto one = text(each, what)) out.push_back(*std::move(one));
  return out;
}

std::optional<std::size_t> Reading::choice(Node node, std::string_view what, std::span<const std::string_view> choices) {
  const auto given = text(node, what);
  if (!given) return std::nullopt;
  if (const auto found = std::ranges::find(choices, *given); found != choices.end())
    return static_cast<std::size_t>(found - choices.begin());
  std::string hint = did_you_mean(*given, {choices.begin(), choices.end()});
  if (hint.empty()) hint = fmt::format("one of {}", fmt::join(choices, ", "));
  error(mf::not_allowed, node.mark(), fmt::format("'{}' cannot be '{}'", what, *given), std::move(hint));
  return std::nullopt;
}

bool Reading::expect_map(Node node, std::string_view what) {
  if (node.is_map()) return true;
  wrong_type(node, what, "an object");
  return false;
}

void Reading::note(Places& places, const std::string& path, Mark mark) const {
  if (mark.line != 0) places.insert_or_assign(path, at(mark));
}

namespace {

/// Members of members are noted only when a template in them may want its place: data may be large.
bool worth_noting(std::string_view path) { return std::ranges::count(path, '.') <= 1; }

}  // namespace

Value Reading::value(Node node, const std::string& path, TextMode mode, Places& places) {
  switch (node.type()) {
    case NodeType::list: {
      if (worth_noting(path)) note(places, path, node.mark());
      Array items;
      std::size_t index = 0;
      for (const Node child : node.children()) items.push_back(value(child, path + "." + std::to_string(index++), mode, places));
      return Value(std::move(items));
    }
    case NodeType::map: {
      if (worth_noting(path)) note(places, path, node.mark());
      Object members;
      for (const Node child : node.children())
        members.set(Text(child.key()), value(child, path + "." + std::string(child.key()), mode, places));
      return Value(std::move(members));
    }
    case NodeType::scalar: break;
  }
  if (!node.is_text()) {
    if (worth_noting(path)) note(places, path, node.mark());
    return node.scalar();
  }
  if (worth_noting(path) || has_shorthand(node.text()) || jinja::has_template(node.text())) {
    note_text(places, path, node, node.mark());
  }
  return has_shorthand(node.text()) ? Value(expand_shorthand(node.text(), mode)) : node.scalar();
}

namespace {

/// The keys beside a text's own that say how it lies in the file.
std::string lines_key(std::string_view path) { return std::string(path) + "|"; }
std::string folded_key(std::string_view path) { return std::string(path) + ">"; }

}  // namespace

void Reading::note_text(Places& places, const std::string& path, Node text, Mark begin) const {
  note(places, path, begin);
  if (text.layout() == TextLayout::lines) note(places, lines_key(path), begin);
  if (text.layout() == TextLayout::folded) note(places, folded_key(path), begin);
}

Location place_in_text(const Places& places, std::string_view path, const Location& origin, const Location& inside) {
  if (!origin.known() || !inside.known() || places.contains(folded_key(path))) return origin;
  Location at = origin;
  if (inside.line > 1) {
    if (!places.contains(lines_key(path))) return origin;
    at.line += inside.line - 1;  // and every line is indented as the first one
  }
  at.column += std::max(inside.column, 1u) - 1;
  return at;
}

}  // namespace mapflow::builder
