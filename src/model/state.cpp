#include "model/state.h"

#include <array>
#include <cstddef>
#include <initializer_list>

namespace mapflow {

namespace {

constexpr std::array<std::string_view, 10> kWorkflowNames{"pending",   "running", "paused",    "suspended",   "compensating",
                                                          "completed", "failed",  "cancelled", "compensated", "timed_out"};
constexpr std::array<std::string_view, 11> kStepNames{"pending",   "running", "waiting", "retrying",  "compensating", "completed",
                                                      "failed",    "skipped", "cancelled", "timed_out", "compensated"};

/// One row per `from`: bit n is set when the state with number n may follow.
template <class State>
constexpr std::uint32_t to(std::initializer_list<State> states) {
  std::uint32_t bits = 0;
  for (const State state : states) bits |= 1u << static_cast<unsigned>(state);
  return bits;
}

constexpr std::array<std::uint32_t, 10> workflow_table() {
  using enum WorkflowState;
  const std::uint32_t unhappy_end = to({failed, cancelled, timed_out, compensating});
  std::array<std::uint32_t, 10> table{};
  const auto row = [&](WorkflowState from, std::uint32_t bits) { table[static_cast<std::size_t>(from)] = bits; };
  row(pending, to({running, cancelled, timed_out, compensating}));  // compensating: it was taken back, and had done something
  row(running, to({paused, suspended, completed}) | unhappy_end);
  row(paused, to({running}) | unhappy_end);
  row(suspended, to({running, paused}) | unhappy_end);
  row(compensating, to({compensated, failed, cancelled, timed_out}));
  row(failed, to({running, pending}));  // retry, rewind; pending: where it is not its turn
  row(cancelled, to({running, pending}));
  row(timed_out, to({running, pending}));
  row(compensated, to({running, pending}));
  row(completed, to({running, pending, compensating}));  // compensating: with the parent that it is a part of
  return table;
}

constexpr std::array<std::uint32_t, 11> step_table() {
  using enum StepState;
  std::array<std::uint32_t, 11> table{};
  const auto row = [&](StepState from, std::uint32_t bits) { table[static_cast<std::size_t>(from)] = bits; };
  row(pending, to({running, skipped, cancelled}));
  row(running, to({waiting, retrying, completed, failed, skipped, cancelled, timed_out}));
  row(waiting, to({running, retrying, completed, failed, skipped, cancelled, timed_out}));
  row(retrying, to({running, failed, skipped, cancelled, timed_out}));
  row(completed, to({compensating}));
  row(compensating, to({compensated, failed}));
  row(failed, to({running, skipped}));  // a person's retry or skip
  row(timed_out, to({running, skipped}));
  return table;
}

template <class State, std::size_t N>
std::optional<State> parse(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i)
    if (names[i] == name) return static_cast<State>(i);
  return std::nullopt;
}

}  // namespace

std::string_view to_string(WorkflowState state) { return kWorkflowNames[static_cast<std::size_t>(state)]; }
std::string_view to_string(StepState state) { return kStepNames[static_cast<std::size_t>(state)]; }
std::optional<WorkflowState> parse_workflow_state(std::string_view name) { return parse<WorkflowState>(kWorkflowNames, name); }
std::optional<StepState> parse_step_state(std::string_view name) { return parse<StepState>(kStepNames, name); }

bool may_follow(WorkflowState from, WorkflowState next) {
  static constexpr auto kTable = workflow_table();
  return (kTable[static_cast<std::size_t>(from)] >> static_cast<unsigned>(next) & 1u) != 0;
}

bool may_follow(StepState from, StepState next) {
  static constexpr auto kTable = step_table();
  return (kTable[static_cast<std::size_t>(from)] >> static_cast<unsigned>(next) & 1u) != 0;
}

}  // namespace mapflow
