#include "cli/step_tree.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/event_line.h"
#include "cli/text.h"

namespace mapflow::cli {

struct StepTree::Node {
  std::string path, label, kind;
  StepState state = StepState::pending;
  std::int64_t attempt = 0;
  Timestamp started = kNever;
  Timestamp ended = kNever;
  Timestamp due = kNever;
  std::string error;
  std::uint64_t forgotten = 0;       // settled steps below that are only counted
  std::uint64_t forgotten_failed = 0;
  Node* parent = nullptr;
  std::vector<std::unique_ptr<Node>> children;
};

struct StepTree::Line {
  const Node* node = nullptr;
  std::size_t depth = 0;
};

namespace {

constexpr std::size_t kWidestName = 44;

std::string_view symbol(StepState state, bool unicode) {
  switch (state) {
    case StepState::pending: return unicode ? "·" : ".";
    case StepState::running: return unicode ? "●" : "*";
    case StepState::waiting: return unicode ? "◌" : "~";
    case StepState::retrying: return unicode ? "↻" : "@";
    case StepState::compensating: return unicode ? "↶" : "<";
    case StepState::completed: return unicode ? "✓" : "+";
    case StepState::failed: return unicode ? "✗" : "x";
    case StepState::skipped: return "-";
    case StepState::cancelled: return unicode ? "⊘" : "o";
    case StepState::timed_out: return unicode ? "⧖" : "x";
    case StepState::compensated: return unicode ? "↩" : "<";
  }
  return "?";
}

std::optional<StepState> state_of_event(std::string_view type) {
  if (!type.starts_with("step.")) return std::nullopt;
  type.remove_prefix(5);
  if (type == "started" || type == "attempt") return StepState::running;
  if (type == "compensation_failed") return StepState::failed;
  return parse_step_state(type);
}

std::string text_member(const Value& object, std::string_view name) {
  const Value* member = object.find(name);
  return member && member->is_text() ? std::string(member->as_text()) : std::string();
}

Timestamp time_member(const Value& object, std::string_view name) {
  const auto at = parse_timestamp(text_member(object, name));
  return at ? *at : kNever;
}

}  // namespace

StepTree::StepTree() : root_(std::make_unique<Node>()) {}
StepTree::~StepTree() = default;
StepTree::StepTree(StepTree&&) noexcept = default;

StepTree::Node& StepTree::node(std::string_view path) {
  if (const auto found = by_path_.find(path); found != by_path_.end()) return *found->second;
  Node* parent = root_.get();
  std::string_view label = path;
  for (std::size_t slash = path.rfind('/'); slash != std::string_view::npos && slash > 0; slash = path.rfind('/', slash - 1)) {
    const std::string_view above = path.substr(0, slash);
    auto found = by_path_.find(above);
    std::size_t label_from = slash + 1;
    if (found == by_path_.end() && above.ends_with(']')) {  // an iteration, which has no row of its own
      label_from = above.rfind('[');
      if (label_from != std::string_view::npos) found = by_path_.find(above.substr(0, label_from));
    }
    if (found == by_path_.end()) continue;
    parent = found->second;
    label = path.substr(label_from);
    break;
  }
  auto made = std::make_unique<Node>();
  made->path = path;
  made->label = printable(label);
  made->parent = parent;
  if (made->label.starts_with("["))
    if (const std::size_t end = made->label.find("]/"); end != std::string::npos) made->label.replace(end, 2, "] ");
  by_path_.emplace(made->path, made.get());
  parent->children.push_back(std::move(made));
  return *parent->children.back();
}

void StepTree::expect(const Definition& definition) {
  for (const Step& step : definition.steps) node(step.id).kind = step.type;
}

void StepTree::load(const Value& document) {
  const Value* steps = document.find("steps");
  if (!steps || !steps->is_array()) return;
  for (const Value& step : steps->as_array()) {
    const std::string path = text_member(step, "path");
    if (path.empty()) continue;
    Node& at = node(path);
    at.kind = text_member(step, "type");
    at.state = parse_step_state(text_member(step, "state")).value_or(StepState::pending);
    at.started = time_member(step, "started_at");
    at.ended = time_member(step, "ended_at");
    at.due = time_member(step, "due");
    if (const Value* attempt = step.find("attempt"); attempt && attempt->is_integer()) at.attempt = attempt->as_integer();
    if (const Value* error = step.find("error"); error && error->is_object()) at.error = brief_error(*error);
    if (is_settled(at.state)) settle(at);
  }
}

void StepTree::apply(const kernel::Event& event) {
  const auto state = state_of_event(event.type);
  if (!state || event.path.empty()) return;
  Node& at = node(event.path);
  if (*state == StepState::running && (at.started == kNever || is_settled(at.state))) {
    at.started = event.at;
    at.ended = kNever;
  }
  at.state = *state;
  if (!event.kind.empty()) at.kind = event.kind;
  if (const Value* attempt = event.data.find("attempt"); attempt && attempt->is_integer()) at.attempt = attempt->as_integer();
  const Value* error = event.data.find("error");
  at.error = error && error->is_object() ? brief_error(*error) : "";
  at.due = time_member(event.data, "due");
  if (is_settled(*state)) {
    at.ended = event.at;
    settle(at);
  }
}

void StepTree::settle(Node& settled) {
  if (settled.state == StepState::completed) count_settled(settled, 0);
  if (settled.parent != root_.get()) count_settled(*settled.parent, kSettledShown);
}

/// Of the settled iterations (and other children, where there are many) only the last `shown` stay, the rest is counted.
void StepTree::count_settled(Node& parent, std::size_t shown) {
  const auto counts = [shown](const auto& child) {
    return is_settled(child->state) && (shown > 0 || child->label.starts_with("["));
  };
  auto over = static_cast<std::size_t>(std::ranges::count_if(parent.children, counts));
  for (; over > shown; --over) {
    const auto oldest = std::ranges::find_if(parent.children, counts);
    const bool bad = (*oldest)->state == StepState::failed || (*oldest)->state == StepState::timed_out;
    parent.forgotten += 1;
    parent.forgotten_failed += bad ? 1 : 0;
    forget(**oldest);
    parent.children.erase(oldest);
  }
}

void StepTree::forget(Node& gone) {
  by_path_.erase(gone.path);
  for (const auto& child : gone.children) forget(*child);
}

void StepTree::collect(const Node& parent, std::size_t depth, std::vector<Line>& lines) const {
  for (const auto& child : parent.children) {
    lines.push_back({child.get(), depth});
    collect(*child, depth + 1, lines);
  }
}

std::vector<std::string> StepTree::draw(const Canvas& canvas, const Stream& stream) const {
  std::vector<Line> lines;
  collect(*root_, 0, lines);
  std::size_t left_out = 0;
  if (lines.size() > canvas.rows && canvas.rows > 0) {
    const std::size_t room = canvas.rows - 1;  // one line says what is left out
    std::size_t surplus = lines.size() - room;
    left_out = surplus;
    const auto goes = [&](const Line& line) {
      const bool quiet = line.node->state == StepState::completed || line.node->state == StepState::skipped;
      return surplus > 0 && quiet && surplus--;
    };
    std::erase_if(lines, goes);
    lines.resize(std::min(lines.size(), room));
  }

  std::size_t name_width = 0, kind_width = 0;
  for (const Line& line : lines) {
    name_width = std::max(name_width, 2 * line.depth + display_width(line.node->label));
    kind_width = std::max(kind_width, display_width(line.node->kind));
  }
  name_width = std::min(name_width, std::min(kWidestName, canvas.columns / 2));

  std::vector<std::string> drawn;
  for (const Line& line : lines) {
    const Node& step = *line.node;
    const Color color = state_color(to_string(step.state));
    std::string text = "  " + std::string(2 * line.depth, ' ') + stream.paint(color, symbol(step.state, canvas.unicode)) + " ";
    const std::size_t room = name_width > 2 * line.depth ? name_width - 2 * line.depth : 1;
    const std::string name = pad(fit(step.label, room), room);
    text += step.state == StepState::pending ? stream.paint(Color::dim, name) : name;
    text += "  " + stream.paint(Color::dim, pad(step.kind, kind_width)) + "  ";
    const bool timed = step.started != kNever && step.state != StepState::skipped;
    text += pad(timed ? format_elapsed((step.ended == kNever ? canvas.now : step.ended) - step.started) : "", 7);
    if (step.forgotten > 0) text += fmt::format("  {} {}", step.forgotten, step.children.empty() ? "done" : "more done");
    if (step.forgotten_failed > 0) text += stream.paint(Color::red, fmt::format(" ({} failed)", step.forgotten_failed));
    if (step.due != kNever && !is_settled(step.state)) {
      const std::string when = "in " + format_elapsed(step.due - canvas.now);
      text += step.state == StepState::retrying ? fmt::format("  attempt {} {}", step.attempt + 1, when) : "  " + when;
    } else if (step.attempt > 1) {
      text += fmt::format("  attempt {}", step.attempt);
    }
    if (!step.error.empty()) text += "  " + stream.paint(color, step.error);
    text.erase(text.find_last_not_of(' ') + 1);
    drawn.push_back(fit(text, canvas.columns));
  }
  if (left_out > 0) drawn.push_back(stream.paint(Color::dim, "  … and " + counted(left_out, "more step")));
  return drawn;
}

}  // namespace mapflow::cli
