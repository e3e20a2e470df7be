#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cli/event_line.h"
#include "cli/run_view.h"
#include "cli/text.h"

namespace mapflow::cli {

namespace {

/// What the engine keeps for itself, between the events that mean something to people.
bool is_bookkeeping(std::string_view type) {
  constexpr std::array<std::string_view, 8> kinds{"block.opened", "timer.fired", "block.closed",   "step.attempt", "step.called",
                             "step.noted",   "step.succeeded", "signal.taken"};
  return std::ranges::find(kinds, type) != kinds.end();
}

class PlainView final : public RunView {
 public:
  PlainView(Stream& stream, bool watch) : stream_(stream), detail_(watch ? Detail::full : Detail::brief) {}

  void document(const Value&) override {}
  void event(const kernel::Event& event) override {
    if (detail_ == Detail::brief && is_bookkeeping(event.type)) return;
    text_ += event_line(event, detail_, stream_) + "\n";
    if (text_.size() > 65536) flush();
  }
  void log(std::string_view agent, std::string_view line) override {
    text_ += fmt::format("{}: {}\n", agent.empty() ? "mapflow" : printable(agent), printable(line));
  }
  void refresh(Timestamp) override { flush(); }
  void end(Timestamp) override { flush(); }
  bool ticking() const override { return false; }

 private:
  void flush() {
    stream_.write(text_);
    text_.clear();
  }

  Stream& stream_;
  Detail detail_;
  std::string text_;
};

}  // namespace

std::unique_ptr<RunView> make_plain_view(Stream& stream, bool watch) { return std::make_unique<PlainView>(stream, watch); }

}  // namespace mapflow::cli
