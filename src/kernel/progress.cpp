// How far along an instance is: steps that are over, and those still to come as far as can be told now.
#include <algorithm>

#include "kernel/history.h"
#include "kernel/step_kind.h"

namespace mapflow::kernel {
namespace {

/// How many steps a block comes to when every one of its steps runs once.
std::uint64_t weight(const Program& program, BlockIndex block);

std::uint64_t weight(const Program& program, NodeIndex index) {
  std::uint64_t below = 0;
  for (const BlockIndex branch : program.node(index).branches) below += weight(program, branch);
  return 1 + below;
}

std::uint64_t weight(const Program& program, BlockIndex block) {
  std::uint64_t sum = 0;
  for (const NodeIndex node : program.block(block).steps) sum += weight(program, node);
  return sum;
}

std::uint64_t remaining(const Program& program, const State& state, const Frame& frame);

std::uint64_t remaining(const Program& program, const State& state, const Run& run) {
  const StepNode& node = program.node(run.node);
  std::uint64_t sum = 1;
  for (const auto& [id, frame] : state.frames)
    if (frame.owner == run.id) sum += remaining(program, state, frame);
  if (node.branches.empty()) return sum;
  const std::uint32_t expected = node.kind->blocks_expected(run, *node.spec);
  for (std::uint32_t slot = run.join.opened; slot < expected; ++slot) {
    const BlockIndex block = node.branches[std::min<std::size_t>(slot, node.branches.size() - 1)];
    if (node.branches.size() == 1) return sum + (expected - slot) * weight(program, block);
    sum += weight(program, block);
  }
  return sum;
}

std::uint64_t remaining(const Program& program, const State& state, const Frame& frame) {
  const auto& steps = program.block(frame.block).steps;
  std::uint64_t sum = 0;
  for (std::size_t i = frame.next; i < steps.size(); ++i) sum += weight(program, steps[i]);
  if (const Run* active = state.run(frame.active)) sum += remaining(program, state, *active);
  return sum;
}

}  // namespace

Progress progress(const Program& program, const State& state) {
  Progress out;
  const Counters& count = state.counters;
  out.completed = count.completed + count.skipped + count.failed + count.cancelled;
  out.total = out.completed;
  for (const auto& [id, frame] : state.frames)
    if (frame.owner == kNoRun) out.total += remaining(program, state, frame);
  out.fraction = out.total == 0 ? (is_terminal(state.state) ? 1.0 : 0.0)
                                : static_cast<double>(out.completed) / static_cast<double>(out.total);
  return out;
}

}  // namespace mapflow::kernel
