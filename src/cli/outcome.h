// What an instance came to, as text and as an exit status.
#pragma once

#include "cli/exit_code.h"
#include "cli/report.h"
#include "model/state.h"

namespace mapflow::cli {

/// Whether there is nothing to wait for: the instance is over, or stands until somebody decides.
inline bool is_outcome(WorkflowState state) { return is_terminal(state) || state == WorkflowState::suspended; }

inline ExitCode exit_code_of(WorkflowState state) {
  return state == WorkflowState::completed ? ExitCode::success : ExitCode::failed;
}

}  // namespace mapflow::cli
