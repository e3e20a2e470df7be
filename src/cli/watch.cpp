#include <chrono>

#include "cli/clerk_verb.h"
#include "cli/interrupts.h"
#include "cli/outcome.h"
#include "cli/run_view.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "cli/wire.h"
#include "engine/follower.h"
#include "value/json.h"

namespace mapflow::cli {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kLook{50};       // between two looks into the store
constexpr seconds kLookForRunner{3};    // longer than it takes a node to begin with what another one left

class WatchSession {
 public:
  WatchSession(const WatchOptions& options, Console& console, engine::Clerk& clerk)
      : options_(options), console_(console), clerk_(clerk), follower_(clerk.store(), clerk.programs(), options.id) {}

  ExitCode run() {
    auto events = follower_.next();
    if (!events) return refuse(console_, events.error(), options_.json);
    if (!options_.json) begin(*events);
    if (options_.from_now) events->clear();
    runner_due_ = now() + kLookForRunner;
    while (true) {
      for (const kernel::Event& event : *events) tell(event);
      if (view_) view_->refresh(now());
      if (is_outcome(follower_.state().state)) return end();
      look_for_runner();
      if (interrupts_.wait(kLook)) return interrupted();
      events = follower_.next();
      if (!events) return refuse(console_, events.error(), options_.json);
    }
  }

 private:
  /// On a terminal what happened before is seen in the tree; elsewhere it is told.
  void begin(std::vector<kernel::Event>& before) {
    const bool live = console_.out.terminal();
    view_ = live ? make_live_view(console_.out, StepTree(), false) : make_plain_view(console_.out, false);
    view_->document(kernel::instance_document(follower_.program(), follower_.state(), now()));
    if (live) before.clear();
  }

  void tell(const kernel::Event& event) {
    if (!options_.json) return view_->event(event);
    Value line = object({{"instance_id", options_.id}});
    const Value document = event.to_value();
    for (const auto& [name, value] : document.as_object()) line.set(name, value);
    console_.out.line(to_json(line));
  }

  /// Says once when nobody runs what wants running.
  void look_for_runner() {
    if (told_nobody_ || now() < runner_due_) return;
    runner_due_ = now() + kLookForRunner;
    const auto runner = clerk_.runner(options_.id);
    if (!runner || !runner->node.empty()) return;
    told_nobody_ = true;
    const std::string text = "nobody runs it now; it goes on with " +
                             ways_to_go_on(follower_.program().definition(), options_.id, options_.store);
    if (view_) view_->log("", text);
    else console_.err.line(text);
  }

  ExitCode end() {
    if (view_) view_->end(now());
    const Value outcome = kernel::outcome_document(follower_.state(), now());
    if (!options_.json) print_outcome(console_.out, outcome);
    return exit_code_of(follower_.state().state);
  }
  ExitCode interrupted() {
    if (view_) view_->end(now());
    console_.err.line("not watched any more; that changes nothing for the instance");
    return ExitCode::interrupted;
  }

  const WatchOptions& options_;
  Console& console_;
  engine::Clerk& clerk_;
  engine::Follower follower_;
  Interrupts interrupts_;
  std::unique_ptr<RunView> view_;
  Timestamp runner_due_{};
  bool told_nobody_ = false;
};

}  // namespace

ExitCode execute(const WatchOptions& options, Console& console) {
  auto desk = open_desk(options.store);
  if (!desk) return refuse(console, desk.error(), options.json);
  return WatchSession(options, console, *desk->clerk).run();
}

}  // namespace mapflow::cli
