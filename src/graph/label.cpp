#include "graph/label.h"

#include <fmt/format.h>

#include <algorithm>

#include "value/json.h"

namespace mapflow::graph {

namespace {

std::string field_text(const Step& step, std::string_view name) {
  const Value* const value = step.fields.find(name);
  if (!value) return {};
  return value->is_text() ? std::string(value->as_text()) : to_json(*value);
}

/// Later ones are more telling.
constexpr std::array kTelling{StepState::skipped,   StepState::completed, StepState::compensated, StepState::pending,  StepState::cancelled,   StepState::waiting,
                              StepState::running,   StepState::retrying,  StepState::compensating, StepState::timed_out, StepState::failed};

std::size_t weight(StepState state) { return static_cast<std::size_t>(std::ranges::find(kTelling, state) - kTelling.begin()); }

}  // namespace

void add_mark(StepMarks& marks, const std::string& step, StepState state) {
  const auto [mark, fresh] = marks.try_emplace(step, StepMark{state, 1});
  if (fresh) return;
  ++mark->second.runs;
  if (weight(state) > weight(mark->second.state)) mark->second.state = state;
}

Colors colors_of(StepState state) {
  switch (state) {
    case StepState::pending: return {"#ffffff", "#9aa4b2"};
    case StepState::running: return {"#dbeafe", "#2563eb"};
    case StepState::waiting: return {"#fef3c7", "#d97706"};
    case StepState::retrying: return {"#ffedd5", "#ea580c"};
    case StepState::compensating: return {"#ede9fe", "#7c3aed"};
    case StepState::completed: return {"#dcfce7", "#16a34a"};
    case StepState::failed:
    case StepState::timed_out: return {"#fee2e2", "#dc2626"};
    case StepState::skipped:
    case StepState::cancelled: return {"#f1f5f9", "#94a3b8"};
    case StepState::compensated: return {"#f3e8ff", "#9333ea"};
  }
  return {"#ffffff", "#9aa4b2"};
}

std::string subtitle(const Step& step) {
  const auto with = [&](std::string_view field, std::string_view between) {
    const std::string text = field_text(step, field);
    return text.empty() ? step.type : step.type + std::string(between) + text;
  };
  if (step.type == "message") return with("destination", " → ") + (step.fields.find("action") ? "." + field_text(step, "action") : "");
  if (step.type == "custom") return with("handler", " ");
  if (step.type == "subworkflow") return with("workflow_id", " → ");
  if (step.type == "conditional") return step.fields.find("condition") ? "if " + field_text(step, "condition") : "switch";
  if (step.type == "aggregate") return with("aggregation", " ");
  if (step.type == "loop") {
    if (step.fields.find("items")) return "for each of " + field_text(step, "items");
    if (step.fields.find("while")) return "while " + field_text(step, "while");
    return "until " + field_text(step, "until");
  }
  if (step.type == "wait") {
    for (const char* way : {"duration", "until", "signal", "condition"})
      if (step.fields.find(way)) return fmt::format("wait {}{}", std::string_view(way) == "duration" ? "" : std::string(way) + " ", field_text(step, way));
  }
  return step.type;
}

std::string branch_title(const Branch& branch) {
  if (!branch.name.empty()) return branch.name;
  if (!branch.when.empty()) return branch.when;
  if (branch.role == "if_true") return "then";
  if (branch.role == "if_false" || branch.role == "otherwise") return "else";
  if (branch.role == "steps" || branch.role == "body") return {};
  std::string title = branch.role;
  std::ranges::replace(title, '_', ' ');
  return title;
}

std::string shortened(std::string_view text, std::size_t most) {
  std::string out;
  std::size_t characters = 0;
  for (const char c : text) {
    const bool begins = (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    if (begins && ++characters > most) return out + "…";
    out += c == '\n' || c == '\t' || c == '\r' ? ' ' : c;
  }
  return out;
}

std::string xml_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

const StepMark* mark_of(const StepMarks* marks, std::string_view step) {
  if (!marks) return nullptr;
  const auto found = marks->find(step);
  return found == marks->end() ? nullptr : &found->second;
}

}  // namespace mapflow::graph
