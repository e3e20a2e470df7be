// Agents that answer from a script.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "jinja/jinja.h"
#include "kernel/templates.h"
#include "model/message.h"
#include "value/value.h"

namespace mapflow::testing {

/// What becomes of one call.
struct MockAnswer {
  enum class How : std::uint8_t {
    reply,
    error,
    silent,   ///< no answer, ever
    pending,  ///< somebody answers later, by the call's token
  };
  How how = How::reply;
  kernel::ValueTemplate content;  ///< the reply; or the error, as agents write it: {code, message, retryable, …}
  Duration delay{};
};

struct MockRule {
  std::optional<jinja::Template> when;   ///< sees the call; none: always
  std::vector<MockAnswer> answers;       ///< one call after the other; the last one also for all further calls
  std::uint32_t times = UINT32_MAX;      ///< for so many calls, then the next rule
};

/// The first rule that applies answers.
using Mock = std::vector<MockRule>;
using Mocks = std::map<std::string, Mock, std::less<>>;

/// The name of the mock for every agent that has none.
inline constexpr std::string_view kAnyAgent = "*";
/// As whose calls those of mocked workflows are told; the action is the workflow's id, the data its input.
inline constexpr std::string_view kWorkflowAgent = "workflow";

/// A call that an agent or handler was asked for. The same call made again, after a crash, is no further one.
struct MadeCall {
  std::string agent, action, workflow, instance, step, path, key;
  std::uint32_t attempt = 1;
  Value data;
  Timestamp at{};

  /// {agent, action, step, path, workflow, instance, attempt, at, data}: what expectations are compared with.
  Value to_value() const;
  /// "inventory.reserve", with its attempt from the second on.
  std::string to_string() const;
};

/// Keeps the score of one case: who was called, and what the scripts have left.
/// Thread safety: none; everything runs in one thread.
class Scripts {
 public:
  /// All must outlive it.
  Scripts(const Mocks& agents, const Mocks& handlers, const Mocks& workflows) : agents_(agents), handlers_(handlers), workflows_(workflows) {}

  struct Given {
    MockAnswer::How how = MockAnswer::How::reply;
    Result<Value> answer;  ///< for reply and error
    Duration delay{};
  };
  /// What the agent does with this call; a call that was answered before gets the same again. `waits_for_people`: the agent is
  /// a person, who answers later unless a mock says otherwise.
  Given agent_called(const std::string& agent, const Envelope& envelope, bool waits_for_people, Timestamp now);
  Given handler_called(const std::string& handler, const Envelope& envelope, Timestamp now);
  /// What the mock of a workflow, the envelope's action, answers in its place.
  Given workflow_called(const Envelope& envelope, Timestamp now);

  const std::vector<MadeCall>& calls() const { return calls_; }
  /// What no script had an answer for, in words.
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  struct Callee {
    std::string_view what;         ///< "agent", "handler", "workflow"
    std::string name;
    const Mock* mock = nullptr;    ///< null: it has none
  };
  Given called(const Callee& callee, const Envelope& envelope, Timestamp now, const Given* otherwise = nullptr);
  std::optional<Given> by_rules(const Callee& callee, const MadeCall& call, const Envelope& envelope);

  const Mocks& agents_;
  const Mocks& handlers_;
  const Mocks& workflows_;
  std::vector<MadeCall> calls_;
  std::vector<std::string> problems_;
  std::map<const MockRule*, std::uint32_t> used_;
  std::map<std::string, std::uint32_t> calls_of_;                      ///< by "agent NAME", "workflow ID" …
  std::map<std::pair<std::string, std::uint32_t>, Given> answered_;    ///< by idempotency key and attempt
};

}  // namespace mapflow::testing
