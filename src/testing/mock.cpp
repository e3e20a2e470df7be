#include "testing/mock.h"

#include <fmt/format.h>

#include <algorithm>

namespace mapflow::testing {

Value MadeCall::to_value() const {
  return object({{"agent", agent}, {"action", action}, {"step", step}, {"path", path}, {"workflow", workflow}, {"instance", instance},
                 {"attempt", attempt}, {"at", format_timestamp(at)}, {"data", data}});
}

std::string MadeCall::to_string() const {
  std::string text = action.empty() ? agent : agent + "." + action;
  if (attempt > 1) text += fmt::format(" (attempt {})", attempt);
  return text;
}

namespace {

/// The names that conditions and replies of a mock see.
Value names_of(const MadeCall& call, const Envelope& envelope, std::uint32_t number) {
  Value names = call.to_value();
  names.set("headers", envelope.headers);
  names.set("delivery", envelope.delivery);
  names.set("idempotency_key", envelope.idempotency_key);
  names.set("call", number);
  return names;
}

Error as_error(const Value& content) {
  if (auto error = error_from_reply(object({{"error", content}}))) return *std::move(error);
  return Error(code::internal, "the mock's error is none");
}

const Mock* mock_of(const Mocks& mocks, std::string_view name) {
  const auto found = mocks.find(name);
  return found == mocks.end() ? nullptr : &found->second;
}

}  // namespace

Scripts::Given Scripts::agent_called(const std::string& agent, const Envelope& envelope, bool waits_for_people, Timestamp now) {
  const Given later{MockAnswer::How::pending, Value(), {}};
  const Mock* mock = mock_of(agents_, agent);
  if (!mock && !waits_for_people) mock = mock_of(agents_, kAnyAgent);
  return called({"agent", agent, mock}, envelope, now, waits_for_people ? &later : nullptr);
}

Scripts::Given Scripts::handler_called(const std::string& handler, const Envelope& envelope, Timestamp now) {
  return called({"handler", handler, mock_of(handlers_, handler)}, envelope, now);
}

Scripts::Given Scripts::workflow_called(const Envelope& envelope, Timestamp now) {
  return called({kWorkflowAgent, envelope.action, mock_of(workflows_, envelope.action)}, envelope, now);
}

Scripts::Given Scripts::called(const Callee& callee, const Envelope& envelope, Timestamp now, const Given* otherwise) {
  const std::pair key(envelope.idempotency_key, envelope.attempt);
  if (const auto known = answered_.find(key); known != answered_.end()) return known->second;
  const bool workflow = callee.what == kWorkflowAgent;
  calls_.push_back({workflow ? std::string(kWorkflowAgent) : callee.name, envelope.action, envelope.workflow, envelope.instance_id, envelope.step,
                    envelope.path, envelope.idempotency_key, envelope.attempt, envelope.data, now});
  const MadeCall& call = calls_.back();
  std::optional<Given> given;
  if (callee.mock) given = by_rules(callee, call, envelope);
  if (!given && otherwise) given = *otherwise;
  if (!given) {
    problems_.push_back(fmt::format("{} '{}' was called{} by step {} and {}", callee.what, callee.name, workflow ? "" : fmt::format(" for '{}'", call.action),
                                    call.path, callee.mock ? "none of its rules fits" : "has no mock"));
    Error error(code::not_found, problems_.back());
    error.retryable = false;
    given = Given{MockAnswer::How::error, fail(std::move(error)), {}};
  }
  return answered_[key] = *std::move(given);
}

std::optional<Scripts::Given> Scripts::by_rules(const Callee& callee, const MadeCall& call, const Envelope& envelope) {
  const std::uint32_t number = ++calls_of_[fmt::format("{} {}", callee.what, callee.name)];
  const jinja::ValueScope names(names_of(call, envelope, number));
  const auto broken = [&](const Error& error) {
    problems_.push_back(fmt::format("the mock of '{}': {}", callee.name, error.to_string()));
    return Given{MockAnswer::How::error, fail(error), {}};
  };
  for (const MockRule& rule : *callee.mock) {
    std::uint32_t& used = used_[&rule];
    if (used >= rule.times) continue;
    if (rule.when) {
      const auto fits = rule.when->test(names);
      if (!fits) return broken(fits.error());
      if (!*fits) continue;
    }
    const MockAnswer& answer = rule.answers[std::min<std::size_t>(used, rule.answers.size() - 1)];
    ++used;
    auto content = answer.content.render(names);
    if (!content) return broken(content.error());
    if (answer.how == MockAnswer::How::error) return Given{answer.how, fail(as_error(*content)), answer.delay};
    return Given{answer.how, *std::move(content), answer.delay};
  }
  return std::nullopt;
}

}  // namespace mapflow::testing
