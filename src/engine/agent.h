// An agent as the dispatcher sees it: something that takes an envelope and answers later.
//
// Each transport (in-process, exec, http, …) implements Agent in src/agents/. An Agent knows nothing of workflows,
// retries or timeouts: those are durable and live in the kernel, which cancels a call whose time is up.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/definition.h"
#include "model/message.h"

namespace mapflow::engine {

using AgentDone = std::move_only_function<void(Result<Reply>)>;

class Agent {
 public:
  virtual ~Agent() = default;
  /// Sends the envelope. `done` is called exactly once, from any thread, perhaps before this returns. Must not block.
  virtual void call(Envelope envelope, AgentDone done) = 0;
  /// Asks to give the call up. Its `done` is still called once, with the answer that came first or `cancelled`.
  /// Unknown ids are ignored: the call may just have ended.
  virtual void cancel(std::string_view envelope_id) = 0;
};

/// Where a transport's log lines go: an agent's stderr, a connection that was lost. Called from any thread.
using LogLine = std::function<void(std::string_view agent, std::string_view line)>;

struct AgentContext {
  std::filesystem::path folder;             ///< the definition's: where `exec` runs
  std::size_t max_reply_bytes = 1u << 20;   ///< a larger answer is resource_exhausted
  LogLine log;                              ///< may be empty
};

/// Makes agents of the transports it knows. The engine gets one from the program that embeds it.
class AgentFactory {
 public:
  virtual ~AgentFactory() = default;
  /// Errors: invalid_input when the transport is unknown or its settings are wrong (with `where` of the config).
  virtual Result<std::unique_ptr<Agent>> make(const AgentConfig& config, const AgentContext& context) = 0;
  virtual std::vector<std::string> transports() const = 0;
};

}  // namespace mapflow::engine
