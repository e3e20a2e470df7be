#include "engine/dispatcher.h"

#include <fmt/format.h>

#include <utility>

#include "value/json.h"

namespace mapflow::engine {
namespace {

using kernel::CallDone;

constexpr Duration kWorkersRetry = std::chrono::milliseconds(5);

/// Errors: resource_exhausted. Only what may be too long is measured exactly.
Status check_size(const Value& value, std::size_t limit, std::string_view what) {
  if (value.memory_bytes() <= limit) return {};
  const std::size_t bytes = to_json(value).size();
  if (bytes <= limit) return {};
  return fail(code::resource_exhausted, fmt::format("{} has {} bytes, more than the limit of {}", what, bytes, limit));
}

Result<Reply> checked(Result<Reply> reply, std::size_t limit) {
  if (!reply) return reply;
  MAPFLOW_TRY(check_size(reply->result, limit, "the answer"));
  return reply;
}

CallDone outcome(const kernel::PlaceCall& call, Result<Reply> reply) {
  return CallDone{call.run, call.attempt, std::move(reply)};
}

}  // namespace

Dispatcher::Dispatcher(DispatchParts parts, std::shared_ptr<const Clock> clock, std::shared_ptr<Mailbox> mailbox,
                       const ShardOptions& options)
    : parts_(std::move(parts)), clock_(std::move(clock)), mailbox_(std::move(mailbox)), options_(options) {}

void Dispatcher::place(std::uint64_t tenure, const Instance& instance, kernel::PlaceCall call,
                       std::vector<Work>& ready) {
  if (Status prepared = prepare(call.envelope); !prepared) {
    ready.push_back({instance.ref, outcome(call, fail(std::move(prepared).error()))});
    return;
  }
  if (const auto* handler = handler_of(*instance.program, call.target))
    return call_handler(*handler, tenure, instance.ref, std::move(call), ready);
  if (call.target.kind == kernel::Target::Kind::handler) {
    Error unknown(code::not_found, fmt::format("there is no handler '{}'", call.target.name),
                  "register it with Engine::handler before the first start");
    ready.push_back({instance.ref, outcome(call, fail(std::move(unknown)))});
    return;
  }
  auto agent = parts_.agents->get(*instance.program, call.target.name);
  if (!agent) {
    ready.push_back({instance.ref, outcome(call, fail(std::move(agent).error()))});
    return;
  }
  call_agent(*std::move(agent), tenure, instance.ref, std::move(call));
}

Status Dispatcher::prepare(Envelope& envelope) const {
  MAPFLOW_TRY(check_size(envelope.data, options_.payload_bytes, "the message"));
  MAPFLOW_TRY(check_size(envelope.headers, options_.payload_bytes, "the message's headers"));
  for (Value* part : {&envelope.data, &envelope.headers})
    if (holds_secret(*part)) {
      MAPFLOW_ASSIGN(*part, parts_.secrets->reveal(*part));
    }
  return {};
}

const std::shared_ptr<const RegisteredHandler>* Dispatcher::handler_of(const kernel::Program& program,
                                                                       const kernel::Target& target) const {
  if (target.kind == kernel::Target::Kind::handler) return parts_.handlers->find(target.name);
  const AgentConfig* const config = parts_.agents->config(program, target.name);
  // A handler stands in for an agent of its name that nobody declares, so programs need not declare their own.
  if (!config) return parts_.handlers->find(target.name);
  if (config->transport != "handler") return nullptr;
  return parts_.handlers->find(config->settings.is_text() ? config->settings.as_text() : target.name);
}

void Dispatcher::call_handler(const std::shared_ptr<const RegisteredHandler>& handler, std::uint64_t tenure,
                              InstanceRef instance, kernel::PlaceCall call, std::vector<Work>& ready) {
  if (handler->mode == HandlerMode::immediate) {
    const StepInput input{std::move(call.envelope), [] { return false; }};
    Result<Reply> reply = checked(run_handler(handler->function, input), options_.payload_bytes);
    if (!call.expects_reply && reply) reply = Reply{};
    ready.push_back({instance, outcome(call, std::move(reply))});
    return;
  }
  InFlight& entry = note(call.envelope.id, tenure);
  entry.cancelled = std::make_shared<std::atomic<bool>>(false);
  if (!call.expects_reply) {
    entry.taken = true;
    ++deliveries_;
    ready.push_back({instance, outcome(call, Reply{})});
  }
  std::string envelope_id = call.envelope.id;
  Task task = [handler, instance, cancelled = entry.cancelled, mailbox = mailbox_, limit = options_.payload_bytes,
               call = std::move(call)]() mutable {
    CallOutcome letter{instance, CallDone{call.run, call.attempt, Reply{}}, call.envelope.id};
    const StepInput input{std::move(call.envelope), [cancelled] { return cancelled->load(std::memory_order_relaxed); }};
    letter.done.outcome = checked(run_handler(handler->function, input), limit);
    mailbox->post(std::move(letter));
  };
  if (!waiting_.empty() || !parts_.workers->try_post(task)) waiting_.push_back({std::move(envelope_id), std::move(task)});
}

void Dispatcher::call_agent(std::shared_ptr<Agent> agent, std::uint64_t tenure, InstanceRef instance,
                            kernel::PlaceCall call) {
  std::string envelope_id = call.envelope.id;
  note(envelope_id, tenure).agent = agent;
  if (!call.expects_reply) {
    mailbox_->post_at(saturating_add(clock_->now(), options_.taken_after),
                      CallOutcome{instance, outcome(call, Reply{}), envelope_id, false});
  }
  agent->call(std::move(call.envelope), [mailbox = mailbox_, instance, envelope_id, run = call.run,
                                         attempt = call.attempt, silent = !call.expects_reply](Result<Reply> reply) {
    if (silent && reply) reply = Reply{};
    mailbox->post(CallOutcome{instance, CallDone{run, attempt, std::move(reply)}, envelope_id});
  });
}

void Dispatcher::drop(const kernel::DropCall& call) {
  const auto found = in_flight_.find(call.envelope_id);
  if (found == in_flight_.end()) return;
  if (found->second.cancelled) found->second.cancelled->store(true, std::memory_order_relaxed);
  if (found->second.agent) found->second.agent->cancel(call.envelope_id);
}

bool Dispatcher::arrived(const CallOutcome& outcome) {
  const auto found = in_flight_.find(outcome.envelope_id);
  if (found == in_flight_.end()) return false;
  const bool awaited = !found->second.taken;
  if (outcome.final) {
    if (found->second.taken) --deliveries_;
    in_flight_.erase(found);
  } else if (awaited) {
    found->second.taken = true;
    ++deliveries_;
  }
  return awaited;
}

void Dispatcher::forget(std::uint64_t tenure) {
  for (auto entry = in_flight_.begin(); entry != in_flight_.end();) {
    if (entry->second.tenure != tenure || entry->second.taken) {
      ++entry;
      continue;
    }
    // Out of the table first: an agent may answer a cancelled call before cancel() returns.
    const auto given_up = in_flight_.extract(entry++);
    if (given_up.mapped().cancelled) given_up.mapped().cancelled->store(true, std::memory_order_relaxed);
    if (given_up.mapped().agent) given_up.mapped().agent->cancel(given_up.key());
  }
}

Timestamp Dispatcher::retry_waiting() {
  while (!waiting_.empty()) {
    const auto entry = in_flight_.find(waiting_.front().envelope_id);
    const bool wanted = entry != in_flight_.end() && !entry->second.cancelled->load(std::memory_order_relaxed);
    if (wanted && !parts_.workers->try_post(waiting_.front().task))
      return saturating_add(clock_->now(), kWorkersRetry);
    if (!wanted && entry != in_flight_.end()) in_flight_.erase(entry);
    waiting_.pop_front();
  }
  return kNever;
}

Dispatcher::InFlight& Dispatcher::note(std::string envelope_id, std::uint64_t tenure) {
  InFlight& entry = in_flight_[std::move(envelope_id)];
  entry = InFlight{};
  entry.tenure = tenure;
  return entry;
}

}  // namespace mapflow::engine
