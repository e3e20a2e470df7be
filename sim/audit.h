// Reads one instance's records as they become durable, and checks that they tell a lawful story.
//
// It keeps its own small books, so that it depends on the kernel's state as little as it can: what runs, which timers
// are set, what was completed and must be undone in which order.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kernel/program.h"
#include "kernel/record.h"
#include "kernel/state.h"

namespace mapflow::sim {

class RecordAudit {
 public:
  /// Checks the next record of the instance, and applies it to `state()`. Gives what is wrong with it; empty: nothing.
  /// A record with something wrong is not applied.
  std::string next(const kernel::Program& program, const kernel::Record& record);
  const kernel::State& state() const { return state_; }
  /// Somebody may ask for a retry before its time has come.
  void allow_early_retries() { early_retries_ = true; }
  /// What is wrong with how the story ended; empty: nothing.
  std::string end() const;

 private:
  struct Books {
    kernel::NodeIndex node;
    kernel::FrameId frame;
    StepState state = StepState::running;
    std::uint32_t attempt = 0;
    std::uint32_t delivery = 0;
    bool faulted = false;
    bool kept_child = false;  ///< its child can be undone with it
    Timestamp due = kNever;
    Timestamp deadline = kNever;
    Timestamp total_deadline = kNever;
    Timestamp placed{};       ///< when its call was
  };
  class Checker;

  /// After a rewind the story goes on from another place.
  void open_new_books();

  bool early_retries_ = false;
  kernel::State state_;
  std::map<kernel::RunId, Books> running_;
  std::set<kernel::FrameId> open_;
  std::uint32_t last_run_ = 0, last_frame_ = 0;
  std::vector<kernel::NodeIndex> to_undo_;               ///< completed steps with compensation, in that order
  std::vector<std::uint32_t> undone_;                    ///< entries of it, in the order their undoing began
};

}  // namespace mapflow::sim
