// pause, resume, cancel, terminate, signal, retry, skip, update, rewind, inbox answer: one request to one instance.
#include <algorithm>
#include <optional>
#include <utility>

#include "cli/clerk_verb.h"
#include "cli/inputs.h"
#include "cli/verbs.h"
#include "base/time.h"
#include "model/message.h"
#include "model/policy.h"
#include "value/json.h"

namespace mapflow::cli {

namespace {

using What = RequestOptions::What;

/// What the request brings along. Errors: as read_payload().
Result<Value> payload_of(const RequestOptions& options) {
  return read_payload(options.payload, options.input_file, options.inputs);
}

/// "tokens=200000" …: the members of a budget that are given; nullopt when there are none.
Result<std::optional<Budget>> budget_of(const std::vector<std::string>& assignments) {
  if (assignments.empty()) return std::nullopt;
  Budget budget;
  for (const std::string& each : assignments) {
    const std::size_t equals = std::min(each.find('='), each.size());
    const std::string name = each.substr(0, equals), text = each.substr(std::min(equals + 1, each.size()));
    const auto number = parse_json(text);
    const bool counted = number && number->is_integer() && number->as_integer() >= 0;
    if (name == "tokens" && counted) budget.tokens = static_cast<std::uint64_t>(number->as_integer());
    else if (name == "steps" && counted) budget.steps = static_cast<std::uint64_t>(number->as_integer());
    else if (name == "cost_usd" && number && number->is_number() && number->as_double() >= 0) budget.cost_usd = number->as_double();
    else if (const auto span = parse_duration(text); name == "wall_time" && span) budget.wall_time = *span;
    else return fail(code::invalid_input, "'" + each + "' is no member of a budget", "tokens=N, steps=N, cost_usd=AMOUNT or wall_time=SPAN");
  }
  return budget;
}

Result<engine::Demand> demand_of(const RequestOptions& options) {
  MAPFLOW_ASSIGN(Value payload, payload_of(options));
  switch (options.what) {
    case What::pause: return kernel::Pause{options.reason};
    case What::resume: return kernel::Resume{};
    case What::cancel: return kernel::Cancel{options.reason};
    case What::terminate: return kernel::Terminate{options.reason};
    case What::signal: return kernel::Signal{options.name, std::move(payload)};
    case What::retry: return kernel::Retry{options.name};
    case What::skip: return kernel::Skip{options.name, std::move(payload)};
    case What::update: {
      MAPFLOW_ASSIGN(auto budget, budget_of(options.budget));
      if (!payload.is_object() && !budget)
        return fail(code::invalid_input, "nothing to change was given", "name variables with -i KEY=VALUE or --input FILE, or --budget KEY=VALUE");
      return kernel::Update{std::move(payload), std::move(budget)};
    }
    case What::rewind:
      if (options.name.empty() == options.before.empty())
        return fail(code::invalid_input, "say where to go back to", "a checkpoint's name, or --before STEP");
      return kernel::Rewind{{options.name, options.before}, false, nullptr};
    case What::answer: break;
  }
  Result<Reply> outcome = Reply{std::move(payload), {}};
  if (!options.error.empty()) outcome = fail(code::agent_error, options.error);
  return kernel::Complete{options.id, std::move(outcome)};
}

std::string done_text(What what) {
  switch (what) {
    case What::pause: return "paused";
    case What::resume: return "resumed";
    case What::cancel: return "cancelled";
    case What::terminate: return "terminated";
    case What::signal: return "signalled";
    case What::retry: return "retried";
    case What::skip: return "skipped a step of";
    case What::update: return "updated";
    case What::rewind: return "rewound";
    case What::answer: break;
  }
  return "answered";
}

/// The instance that a token belongs to: the longest beginning of it, up to a '/', that names one.
Result<std::string> instance_of(engine::Clerk& clerk, const std::string& token) {
  for (std::size_t end = token.rfind('/'); end != std::string::npos && end > 0; end = token.rfind('/', end - 1)) {
    const auto found = clerk.store().instance(token.substr(0, end));
    if (found) return token.substr(0, end);
    if (!found.error().is(code::not_found)) return fail(found.error());
  }
  return fail(code::not_found, "'" + token + "' is no token of a message that waits for an answer",
              "`mapflow inbox` lists what waits");
}

}  // namespace

ExitCode execute(const RequestOptions& options, Console& console) {
  auto demand = demand_of(options);
  if (!demand) return refuse(console, demand.error(), options.json);
  const auto limit = duration_from_seconds(options.timeout_seconds);
  if (!limit) return refuse(console, limit.error(), options.json);
  auto desk = open_desk(options.store);
  if (!desk) return refuse(console, desk.error(), options.json);
  const auto id = options.what == What::answer ? instance_of(*desk->clerk, options.id) : Result<std::string>(options.id);
  if (!id) return refuse_request(console, id.error(), options.json);
  if (const Status told = desk->clerk->tell(*id, *std::move(demand), *limit, options.key); !told)
    return refuse_request(console, told.error(), options.json);
  return tell_carried_out(console, *desk->clerk, *id, done_text(options.what), options.store, options.json);
}

}  // namespace mapflow::cli
