// Agents that are functions of this program.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "base/error.h"
#include "engine/agent.h"
#include "model/message.h"

namespace mapflow::agents {

/// Tells a handler that nobody waits for its answer any more: `stop_requested()`, or a std::stop_callback.
using CancellationToken = std::stop_token;
/// Answers an envelope. Called on threads of the TaskRunner, for several envelopes at once; it may block.
using Handler = std::function<Result<Reply>(const Envelope&, CancellationToken)>;
/// Runs a task later on one of a bounded number of threads, or destroys it when it has too much to do. Whoever gives it
/// waits for its tasks before it goes.
using TaskRunner = std::function<void(std::move_only_function<void()>)>;

/// An agent over a handler. What the handler throws becomes handler_error.
/// A task that the runner does not run answers `unavailable`. A call that is cancelled before its turn is not run. A
/// handler that runs sees it in its token; its answer counts when it still gives one. Destroying the agent answers
/// every call with `cancelled` at once, and drops what handlers that still run answer later; it waits neither for them
/// nor for a `done` that a handler's thread is in.
std::unique_ptr<engine::Agent> make_in_process_agent(std::string name, Handler handler, TaskRunner run);

}  // namespace mapflow::agents
