// Draws the tree in place: every picture goes up over the one before and replaces it line by line. Nothing but cursor
// movement is asked of the terminal, so that it is left in order whenever the program ends.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>

#include "cli/event_line.h"
#include "cli/run_view.h"
#include "cli/text.h"

namespace mapflow::cli {

namespace {

constexpr std::size_t kBarColumns = 20;
constexpr std::size_t kLogLinesKept = 1000;  // between two pictures

/// A locale that says it is not UTF-8 is believed; one that says nothing (as in most containers) is not asked.
bool unicode_terminal() {
  for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(variable);
    if (!value || !*value) continue;
    std::string name(value);
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return name.contains("utf-8") || name.contains("utf8");
  }
  return true;
}

class LiveView final : public RunView {
 public:
  LiveView(Stream& stream, StepTree tree, bool watch) : stream_(stream), tree_(std::move(tree)), watch_(watch) {}

  void document(const Value& document) override {
    if (const Value* state = document.find("state"); state && state->is_text()) state_ = state->as_text();
    if (const Value* id = document.find("instance_id"); id && id->is_text()) id_ = printable(id->as_text());
    if (const Value* workflow = document.find("workflow"); workflow && workflow->is_text())
      workflow_ = printable(workflow->as_text());
    if (const Value* done = document.find_path("progress.fraction"); done && done->is_number()) fraction_ = done->as_double();
    if (const Value* started = document.find("started_at"); started && started->is_text())
      if (const auto at = parse_timestamp(started->as_text())) started_ = *at;
    if (!loaded_) tree_.load(document);
    loaded_ = true;
  }

  void event(const kernel::Event& event) override {
    tree_.apply(event);
    if (event.type.starts_with("workflow.")) {
      state_ = event.type == "workflow.started" || event.type == "workflow.resumed" ? "running" : event.type.substr(9);
      if (event.type == "workflow.started") started_ = event.at;
    }
    if (watch_) scroll(event_line(event, Detail::full, stream_));
  }

  void log(std::string_view agent, std::string_view line) override {
    scroll(stream_.paint(Color::dim, (agent.empty() ? "mapflow" : printable(agent)) + " │ ") + printable(line));
  }

  void refresh(Timestamp now) override {
    const std::size_t columns = std::max<std::size_t>(stream_.columns(), 20);
    const std::size_t rows = std::max<std::size_t>(stream_.rows(), 4);
    std::string text = go_to_top(columns, rows);
    for (const std::string& line : above_) text += fit(line, columns) + "\x1b[K\n";
    above_.clear();
    std::vector<std::string> picture{fit(headline(now), columns)};
    // One row stays free for the cursor, one for the headline.
    for (std::string& line : tree_.draw({.now = now, .columns = columns, .rows = rows - 2, .unicode = unicode_}, stream_))
      picture.push_back(std::move(line));
    widths_.clear();
    for (const std::string& line : picture) {
      text += line + "\x1b[K\n";
      widths_.push_back(display_width(line));
    }
    stream_.write(text + "\x1b[J");
  }

  void end(Timestamp now) override {
    refresh(now);
    widths_.clear();
  }

  bool ticking() const override { return true; }

 private:
  void scroll(std::string line) {
    if (above_.size() == kLogLinesKept) above_.erase(above_.begin(), above_.begin() + kLogLinesKept / 2);
    above_.push_back(std::move(line));
  }

  /// Moves the cursor to where the last picture begins. A terminal that became narrower has wrapped its lines.
  std::string go_to_top(std::size_t columns, std::size_t rows) const {
    std::size_t up = 0;
    for (const std::size_t width : widths_) up += width == 0 ? 1 : (width + columns - 1) / columns;
    up = std::min(up, rows - 1);
    return up == 0 ? "\r" : fmt::format("\r\x1b[{}A", up);
  }

  std::string headline(Timestamp now) const {
    const bool over = state_ != "running" && state_ != "pending" && state_ != "compensating";
    const auto filled = static_cast<std::size_t>(std::lround(std::clamp(fraction_, 0.0, 1.0) * kBarColumns));
    std::string bar;
    for (std::size_t i = 0; i < kBarColumns; ++i) bar += i < filled ? (unicode_ ? "━" : "=") : (unicode_ ? "╌" : "-");
    std::string text = stream_.paint(Color::bold, workflow_) + "  " + id_ + "  " + stream_.paint(state_color(state_), state_);
    if (started_ != kNever) text += "  " + format_elapsed(now - started_);
    if (!over) text += fmt::format("  {} {:.0f}%", stream_.paint(Color::cyan, bar), 100 * fraction_);
    return text;
  }

  Stream& stream_;
  StepTree tree_;
  bool watch_;
  bool loaded_ = false;
  const bool unicode_ = unicode_terminal();
  std::string id_, workflow_, state_ = "pending";
  Timestamp started_ = kNever;
  double fraction_ = 0;
  std::vector<std::string> above_;    // lines that scroll by before the next picture
  std::vector<std::size_t> widths_;   // of the lines of the last picture
};

}  // namespace

std::unique_ptr<RunView> make_live_view(Stream& stream, StepTree tree, bool watch) {
  return std::make_unique<LiveView>(stream, std::move(tree), watch);
}

}  // namespace mapflow::cli
