// SVG, drawn here: steps below each other, the branches of a step side by side in its frame.
//
// A step is measured first (how much room it and what is in it take) and then drawn at its place. Every picture has an
// axis: the line along which steps follow each other.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "graph/graph.h"
#include "graph/label.h"

namespace mapflow::graph {

namespace {

constexpr double kGap = 28;        // between steps, with an arrow in it
constexpr double kPad = 16;        // inside frames, and between columns
constexpr double kLeaf = 46;       // height of a step, and of the head of a frame
constexpr double kTitle = 20;      // height of a branch's title
constexpr double kMargin = 24;
constexpr double kLetter = 7.2;    // of 12 px, on the wide side so that texts stay inside
constexpr double kSmallLetter = 6.2;
constexpr std::size_t kMostLetters = 46;

std::size_t letters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

double text_width(std::string_view text, double letter) { return static_cast<double>(letters(text)) * letter; }

/// The room something takes. `axis`: how far from its left side its steps follow each other.
struct Room {
  double width = 0, height = 0, axis = 0;
};

class Svg {
 public:
  explicit Svg(const StepMarks* marks) : marks_(marks) {}

  std::string draw(const Definition& definition) {
    const std::string title = definition.name.empty() ? definition.id : definition.name;
    const Room main = of_block(definition.steps);
    const Room undo = definition.compensation_steps.empty() ? Room{} : of_block(definition.compensation_steps);
    const double top = kMargin + 34;
    const double legend = marks_ ? 36 : 0;
    const double undo_at = kMargin + main.width + (undo.width > 0 ? 3 * kPad : 0);
    const double height = top + 2 * kGap + std::max(main.height, undo.height) + kMargin + legend;
    const double width = std::max({undo_at + undo.width + kMargin, 2 * kMargin + text_width(title, 10), marks_ ? 760.0 : 0.0});

    text(kMargin, kMargin + 14, title, "title");
    const double axis = kMargin + main.axis;
    circle(axis, top);
    arrow(axis, top + 5, top + kGap);
    block(definition.steps, kMargin, top + kGap, main);
    const double end = top + kGap + main.height;
    const double beside = definition.steps.empty() ? 0 : of_step(definition.steps.back()).height - of_body(definition.steps.back()).height;
    arrow(axis, end - beside, end + kGap - 5);  // past what hangs beside the last step
    circle(axis, end + kGap);
    if (undo.width > 0) {
      text(undo_at, top, "compensation steps", "note");
      block(definition.compensation_steps, undo_at, top + kGap, undo);
    }
    if (marks_) draw_legend(height - kMargin - 8);
    return fmt::format(R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0:.0f}" height="{1:.0f}" viewBox="0 0 {0:.0f} {1:.0f}" role="img" aria-label="{2}">
<style>
  text {{ font: 12px system-ui, sans-serif; fill: #0f172a }}
  .title {{ font: 600 16px system-ui, sans-serif }}
  .name {{ font-weight: 600 }}
  .note {{ font-size: 11px; fill: #64748b }}
  .frame {{ fill: #f8fafc; stroke: #cbd5e1 }}
  .hook {{ fill: none; stroke: #94a3b8; stroke-dasharray: 4 3 }}
  .arrow {{ stroke: #64748b; stroke-width: 1.4; fill: none; marker-end: url(#head) }}
</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#64748b"/></marker></defs>
<rect width="100%" height="100%" fill="#ffffff"/>
{3}</svg>
)",
                       width, height, xml_text(title), out_);
  }

 private:
  // --- measuring ---

  static std::string title_of(const Step& step) { return shortened(step.name.empty() ? step.id : step.name, kMostLetters); }
  static std::string note_of(const Step& step) { return shortened(subtitle(step), kMostLetters); }

  static double head_width(const Step& step) {
    return std::max({132.0, text_width(title_of(step), kLetter) + 40, text_width(note_of(step), kSmallLetter) + 28});
  }

  static Room of_block(const Block& steps) {
    Room room;
    double right = 0;
    for (const Step& each : steps) {
      const Room own = of_step(each);
      room.axis = std::max(room.axis, own.axis);
      right = std::max(right, own.width - own.axis);
      room.height += own.height + (&each == &steps.front() ? 0 : kGap);
    }
    room.width = room.axis + right;
    return room;
  }

  static double title_height(const Branch& branch) { return branch_title(branch).empty() ? kPad / 2 : kTitle; }

  /// Branches side by side, each with its title on top.
  static Room of_columns(const std::vector<Branch>& branches) {
    Room room;
    for (const Branch& branch : branches) {
      const Room own = of_block(branch.steps);
      room.width += std::max(own.width, text_width(shortened(branch_title(branch), kMostLetters), kSmallLetter)) + (&branch == &branches.front() ? 0 : kPad);
      room.height = std::max(room.height, own.height + title_height(branch));
    }
    return room;
  }

  /// The step and its frame, without what hangs beside it.
  static Room of_body(const Step& step) {
    const double head = head_width(step);
    if (step.branches.empty()) return {head, kLeaf, head / 2};
    const Room inside = of_columns(step.branches);
    const double width = std::max(head, inside.width + 2 * kPad);
    return {width, kLeaf + inside.height + kPad, width / 2};
  }

  static Room of_step(const Step& step) {
    Room room = of_body(step);
    if (step.hooks.empty()) return room;
    const Room hooks = of_columns(step.hooks);
    room.width += kPad * 2 + hooks.width + 2 * kPad;
    room.height = std::max(room.height, hooks.height + kPad);
    return room;
  }

  // --- drawing ---

  void block(const Block& steps, double x, double y, const Room& room) {
    const double axis = x + room.axis;
    for (const Step& each : steps) {
      const Room own = of_step(each);
      if (&each != &steps.front()) {
        arrow(axis, y, y + kGap);
        y += kGap;
      }
      step(each, axis - own.axis, y);
      const double body = of_body(each).height;
      if (&each != &steps.back() && own.height > body) line(axis, y + body, y + own.height);
      y += own.height;
    }
  }

  void step(const Step& step, double x, double y) {
    const Room body = of_body(step);
    const StepMark* const mark = mark_of(marks_, step.id);
    const Colors colors = colors_of(mark ? mark->state : StepState::pending);
    out_ += fmt::format("<g><title>{}</title>\n", xml_text(step.id + (step.description.empty() ? "" : ": " + step.description) +
                                                           (mark ? " (" + std::string(to_string(mark->state)) + ")" : "")));
    if (!step.branches.empty()) rect(x, y, body.width, body.height, 10, R"(class="frame")");
    rect(x, y, body.width, kLeaf, 10, fmt::format(R"(fill="{}" stroke="{}" stroke-width="1.5")", colors.fill, colors.line));
    text(x + 14, y + 20, title_of(step), "name");
    text(x + 14, y + 36, note_of(step), "note");
    if (mark && mark->runs > 1) text_end(x + body.width - 10, y + 20, fmt::format("×{}", mark->runs));
    out_ += "</g>\n";
    if (!step.branches.empty()) columns(step.branches, x + kPad, y + kLeaf, body.width - 2 * kPad);
    if (step.hooks.empty()) return;
    const Room hooks = of_columns(step.hooks);
    const double beside = x + body.width + 2 * kPad;
    rect(beside, y, hooks.width + 2 * kPad, hooks.height + kPad, 10, R"(class="hook")");
    out_ += fmt::format("<path d=\"M{:.1f} {:.1f}H{:.1f}\" class=\"arrow\" stroke-dasharray=\"4 3\"/>\n", x + body.width, y + kLeaf / 2, beside - 1);
    columns(step.hooks, beside + kPad, y, hooks.width);
  }

  void columns(const std::vector<Branch>& branches, double x, double y, double width) {
    x += std::max(0.0, (width - of_columns(branches).width) / 2);
    for (const Branch& branch : branches) {
      const Room own = of_block(branch.steps);
      const std::string title = shortened(branch_title(branch), kMostLetters);
      const double column = std::max(own.width, text_width(title, kSmallLetter));
      if (!title.empty()) text(x, y + 14, title, "note");
      block(branch.steps, x + (column - own.width) / 2, y + title_height(branch), own);
      x += column + kPad;
    }
  }

  void draw_legend(double y) {
    static constexpr std::array kShown{StepState::completed, StepState::running, StepState::waiting,  StepState::retrying,
                                       StepState::failed,    StepState::skipped, StepState::compensated, StepState::pending};
    double x = kMargin;
    for (const StepState state : kShown) {
      rect(x, y - 10, 12, 12, 3, fmt::format(R"(fill="{}" stroke="{}")", colors_of(state).fill, colors_of(state).line));
      text(x + 17, y, std::string(to_string(state)), "note");
      x += 30 + text_width(to_string(state), kLetter);
    }
  }

  void rect(double x, double y, double width, double height, double radius, std::string_view attributes) {
    out_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"{}\" {}/>\n", x, y, width, height, radius, attributes);
  }
  void circle(double x, double y) { out_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\" fill=\"#334155\"/>\n", x, y); }
  void arrow(double x, double from, double to) { out_ += fmt::format("<path d=\"M{0:.1f} {1:.1f}V{2:.1f}\" class=\"arrow\"/>\n", x, from, to - 1); }
  void line(double x, double from, double to) { out_ += fmt::format("<path d=\"M{0:.1f} {1:.1f}V{2:.1f}\" stroke=\"#64748b\" stroke-width=\"1.4\"/>\n", x, from, to); }
  void text(double x, double y, std::string_view what, std::string_view look) {
    out_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"{}\">{}</text>\n", x, y, look, xml_text(what));
  }
  void text_end(double x, double y, std::string_view what) {
    out_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"note\" text-anchor=\"end\">{}</text>\n", x, y, xml_text(what));
  }

  const StepMarks* marks_;
  std::string out_;
};

}  // namespace

std::string to_svg(const Definition& definition, const StepMarks* marks) { return Svg(marks).draw(definition); }

}  // namespace mapflow::graph
