// What can be told from a state: who runs where, under which path, and when it wants to wake.
#include <algorithm>
#include <iterator>

#include "kernel/state.h"

namespace mapflow::kernel {

Timestamp State::wake_at() const {
  if (state != WorkflowState::running && state != WorkflowState::compensating) return kNever;
  const Timestamp first = timers.empty() ? kNever : timers.begin()->first;
  return state == WorkflowState::running ? std::min({first, deadline, ledger.wall_end}) : first;
}

const Run* State::run(RunId wanted) const {
  const auto found = runs.find(wanted);
  return found == runs.end() ? nullptr : &found->second;
}

const Frame* State::frame(FrameId wanted) const {
  const auto found = frames.find(wanted);
  return found == frames.end() ? nullptr : &found->second;
}

const CommandOutcome* State::command(std::string_view wanted) const {
  const auto found = std::ranges::find(commands, wanted, &CommandOutcome::id);
  return found == commands.end() ? nullptr : &*found;
}

const Frame* State::around(const Frame& inner) const {
  const Run* owner = run(inner.owner);
  return owner ? frame(owner->frame) : nullptr;
}

FrameId State::results_scope(FrameId from) const {
  for (const Frame* at = frame(from); at != nullptr; at = around(*at))
    if (at->scoped) return at->id;
  return kNoFrame;
}

namespace {

/// What a frame adds to the paths of its steps: "each[3]/", "pay/compensate/".
std::string path_prefix(const Program& program, const State& state, const Frame& frame) {
  if (frame.role == FrameRole::compensation) return state.undo[frame.slot].path + "/compensate/";
  if (frame.role == FrameRole::custom_compensation) return "compensation/";
  const Run* owner = state.run(frame.owner);
  if (!owner) return "";
  std::string prefix = state.path(program, owner->id);
  if (frame.role == FrameRole::on_error) return prefix + "/on_error/";
  if (frame.role == FrameRole::on_success) return prefix + "/on_success/";
  if (frame.role == FrameRole::fallback) return prefix + "/fallback/";
  if (frame.scoped) prefix += "[" + std::to_string(frame.slot) + "]";
  return prefix + "/";
}

}  // namespace

std::string State::path(const Program& program, RunId wanted) const {
  const Run* at = run(wanted);
  ensure(at != nullptr, "a path is asked of a live run");
  return path_in(program, at->frame, at->node);
}

std::string State::idempotency_key(const Program& program, const Run& run) const {
  return idempotency_key(path(program, run.id), run);
}

std::string State::idempotency_key(std::string_view path, const Run& run) const {
  std::string key;
  key.reserve(id.size() + path.size() + 8);
  key += id;
  key += '/';
  key += path;
  append_numbered(key, '#', run.execution);
  return key;
}

void append_numbered(std::string& text, char mark, std::uint32_t number) {
  char digits[11];
  char* first = std::end(digits);
  for (; number >= 10; number /= 10) *--first = static_cast<char>('0' + number % 10);
  *--first = static_cast<char>('0' + number);
  *--first = mark;
  text.append(first, std::end(digits));
}

std::string State::path_in(const Program& program, FrameId frame_id, NodeIndex node) const {
  const Frame* around = frame(frame_id);
  ensure(around != nullptr, "a live run has a frame");
  if (around->role == FrameRole::main) return program.node(node).step->id;
  std::string text = path_prefix(program, *this, *around);
  // The one step that undoes another goes by that one's name alone.
  if (around->role == FrameRole::compensation && program.block(around->block).steps.size() == 1) {
    text.pop_back();
    return text;
  }
  text += program.node(node).step->id;
  return text;
}

}  // namespace mapflow::kernel
