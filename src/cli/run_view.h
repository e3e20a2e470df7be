// What a person sees while `run` works: a live tree on a terminal, a line per event elsewhere.
#pragma once

#include <memory>
#include <string_view>

#include "base/time.h"
#include "cli/console.h"
#include "cli/step_tree.h"
#include "kernel/history.h"

namespace mapflow::cli {

/// Used by one thread. What is told appears with the next refresh() at the latest.
class RunView {
 public:
  virtual ~RunView() = default;
  /// The instance's document as it was found, or as it is now (for its progress).
  virtual void document(const Value& document) = 0;
  virtual void event(const kernel::Event& event) = 0;
  /// A line that an agent wrote to its log.
  virtual void log(std::string_view agent, std::string_view line) = 0;
  /// Shows what has changed; also to be called when the terminal changed its size.
  virtual void refresh(Timestamp now) = 0;
  /// Leaves the last picture on the screen, so that other text may follow.
  virtual void end(Timestamp now) = 0;
  /// Whether it shows time passing, so that refresh() is wanted without news.
  virtual bool ticking() const = 0;
};

/// The tree on a terminal. `watch`: events scroll by above it.
std::unique_ptr<RunView> make_live_view(Stream& stream, StepTree tree, bool watch);
/// Lines of text. `watch`: with everything the events say.
std::unique_ptr<RunView> make_plain_view(Stream& stream, bool watch);

}  // namespace mapflow::cli
