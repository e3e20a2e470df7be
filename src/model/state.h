// The states of workflows and steps, and the one table of which may follow which.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mapflow {

enum class WorkflowState : std::uint8_t {
  pending, running, paused, suspended, compensating,
  completed, failed, cancelled, compensated, timed_out,  // terminal from here on
};

enum class StepState : std::uint8_t {
  pending, running, waiting, retrying, compensating,
  completed, failed, skipped, cancelled, timed_out, compensated,  // settled from here on
};

std::string_view to_string(WorkflowState state);
std::string_view to_string(StepState state);
std::optional<WorkflowState> parse_workflow_state(std::string_view name);
std::optional<StepState> parse_step_state(std::string_view name);

constexpr bool is_terminal(WorkflowState state) { return state >= WorkflowState::completed; }
constexpr bool is_settled(StepState state) { return state >= StepState::completed; }

/// Whether an instance (a step) in state `from` may go to state `to`. Staying is not a transition.
bool may_follow(WorkflowState from, WorkflowState to);
bool may_follow(StepState from, StepState to);

}  // namespace mapflow
