// The transport `exec`: a process per call, the envelope as JSON on its stdin, the answer as JSON on its stdout.
//
//   exec: { command: ["python3", "score.py"], env: { LEVEL: "2" }, cwd: agents }
//
// docs/agents.md says what an agent program may rely on.
#pragma once

#include <memory>

#include "agents/process_loop.h"
#include "agents/transport.h"

namespace mapflow::agents {

std::unique_ptr<Transport> make_exec_transport();
/// With other limits than the usual ones.
std::unique_ptr<Transport> make_exec_transport(ProcessLimits limits);

}  // namespace mapflow::agents
