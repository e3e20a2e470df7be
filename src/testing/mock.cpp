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

}  // namespace

Scripts::Given Scripts::agent_called(const std::string& agent, const Envelope& envelope, bool waits_for_people, Timestamp now) {
  const Given later{MockAnswer::How::pending, Value(), {}};
  return called(agents_, "agent", agent, envelope, now, waits_for_people ? &later : nullptr);
}

Scripts::Given Scripts::handler_called(const std::string& handler, const Envelope& envelope, Timestamp now) {
  return called(handlers_, "handler", handler, envelope, now, nullptr);
}

Scripts::Given Scripts::called(const Mocks& mocks, std::string_view what, const std::string& name, const Envelope& envelope,
                               Timestamp now, const Given* otherwise) {
  const std::pair key(envelope.idempotency_key, envelope.attempt);
  if (const auto known = answered_.find(key); known != answered_.end()) return known->second;
  calls_.push_back({name, envelope.action, envelope.workflow, envelope.instance_id, envelope.step, envelope.path, envelope.idempotency_key,
                    envelope.attempt, envelope.data, now});
  const MadeCall& call = calls_.back();
  ++calls_of_[name];
  auto mock = mocks.find(name);
  if (mock == mocks.end() && !otherwise) mock = mocks.find(kAnyAgent);
  std::optional<Given> given;
  if (mock != mocks.end()) given = by_rules(mock->second, call, envelope);
  if (!given && otherwise) given = *otherwise;
  if (!given) {
    problems_.push_back(fmt::format("{} '{}' was called for '{}' by step {} and {}", what, name, call.action, call.path,
                                    mock == mocks.end() ? "has no mock" : "none of its rules fits"));
    Error error(code::not_found, problems_.back());
    error.retryable = false;
    given = Given{MockAnswer::How::error, fail(std::move(error)), {}};
  }
  return answered_[key] = *std::move(given);
}

std::optional<Scripts::Given> Scripts::by_rules(const Mock& mock, const MadeCall& call, const Envelope& envelope) {
  const jinja::ValueScope names(names_of(call, envelope, calls_of_[call.agent]));
  const auto broken = [&](const Error& error) {
    problems_.push_back(fmt::format("the mock of '{}': {}", call.agent, error.to_string()));
    return Given{MockAnswer::How::error, fail(error), {}};
  };
  for (const MockRule& rule : mock) {
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
