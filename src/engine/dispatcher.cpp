#include "engine/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/async_call.h"
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

void Dispatcher::place(std::uint64_t tenure, const Instance& instance, kernel::PlaceCall&& call,
                       std::vector<Work>& ready) {
  const bool named = call.target.kind == kernel::Target::Kind::agent;
  Passage passage{tenure, instance, named ? parts_.agents->config(*instance.program, call.target.name) : nullptr};
  const bool limited = passage.agent && !passage.agent->limits.is_null();
  limited ? enter(std::move(passage), std::move(call), ready) : make(std::move(passage), std::move(call), ready);
}

// --- at the gate ------------------------------------------------------------------------------------------------------

void Dispatcher::enter(Passage passage, kernel::PlaceCall&& call, std::vector<Work>& ready) {
  const InstanceRef ref = passage.instance.ref;
  const auto turned_away = [&](Error why) { ready.push_back({ref, outcome(call, fail(std::move(why)))}); };
  auto gate = parts_.gates->gate(*passage.instance.program, *passage.agent, call.envelope);
  if (!gate) return turned_away(std::move(gate).error());
  auto later = [shard = std::weak_ptr(mailbox_), ref, id = call.envelope.id, gate = std::weak_ptr(*gate)](Ticket ticket, Status answer) {
    const auto mailbox = shard.lock();
    if (!mailbox) return;  // the node is gone, and its gates with it
    Result<Permit> permit = answer ? Result<Permit>(Permit(gate.lock(), ticket)) : fail(std::move(answer).error());
    mailbox->post(GateAnswer{ref, id, std::move(permit)});
  };
  const AgentGate::Entry entry = (*gate)->enter(call.envelope.priority, std::move(later));
  if (!entry.answer) {
    InFlight& noted = note(call, passage);
    noted.held.reset(new Held{*std::move(gate), entry.ticket, std::move(call)});
    ++held_;
    return;
  }
  if (!*entry.answer) return turned_away(entry.answer->error());
  passage.permit = std::make_shared<Permit>(*std::move(gate), entry.ticket);
  make(std::move(passage), std::move(call), ready);
}

void Dispatcher::answered(GateAnswer letter, const Instance* instance, std::vector<Work>& ready) {
  const auto found = in_flight_.find(letter.envelope_id);
  if (found == in_flight_.end() || !found->second.held) return;  // given up meanwhile: the permit goes back
  const auto waited = in_flight_.extract(found);
  --held_;
  kernel::PlaceCall& call = waited.mapped().held->call;
  if (!instance) return;
  if (!letter.permit) return ready.push_back({letter.instance, outcome(call, fail(std::move(letter.permit).error()))});
  Passage passage{waited.mapped().tenure, *instance, parts_.agents->config(*instance->program, call.target.name),
                  std::make_shared<Permit>(*std::move(letter.permit))};
  make(std::move(passage), std::move(call), ready);
}

// --- making it --------------------------------------------------------------------------------------------------------

void Dispatcher::make(Passage passage, kernel::PlaceCall&& call, std::vector<Work>& ready) {
  const InstanceRef ref = passage.instance.ref;
  if (Status prepared = prepare(call.envelope); !prepared) {
    ready.push_back({ref, outcome(call, fail(std::move(prepared).error()))});
    return;
  }
  if (const auto* handler = handler_of(passage.agent, call.target))
    return call_handler(*handler, std::move(passage), std::move(call), ready);
  if (call.target.kind == kernel::Target::Kind::handler) {
    Error unknown(code::not_found, fmt::format("there is no handler '{}'", call.target.name),
                  "register it with Engine::handler before the first start");
    ready.push_back({ref, outcome(call, fail(std::move(unknown)))});
    return;
  }
  auto agent = parts_.agents->get(*passage.instance.program, call.target.name);
  if (!agent) {
    ready.push_back({ref, outcome(call, fail(std::move(agent).error()))});
    return;
  }
  call_agent(*std::move(agent), std::move(passage), std::move(call));
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

const std::shared_ptr<const RegisteredHandler>* Dispatcher::handler_of(const AgentConfig* agent,
                                                                       const kernel::Target& target) const {
  // A handler stands in for an agent of its name that nobody declares, so programs need not declare their own.
  if (!agent) return parts_.handlers->find(target.name);
  if (agent->transport != "handler") return nullptr;
  return parts_.handlers->find(agent->settings.is_text() ? agent->settings.as_text() : target.name);
}

void Dispatcher::call_handler(const std::shared_ptr<const RegisteredHandler>& handler, Passage passage,
                              kernel::PlaceCall&& call, std::vector<Work>& ready) {
  const InstanceRef instance = passage.instance.ref;
  if (handler->mode == HandlerMode::immediate) {
    const StepInput input{std::move(call.envelope), [] { return false; }};
    Result<Reply> reply = checked(run_handler(handler->function, input), options_.payload_bytes);
    if (passage.permit) passage.permit->judge(reply);
    if (!call.expects_reply && reply) reply = Reply{};
    ready.push_back({instance, outcome(call, std::move(reply))});
    return;
  }
  InFlight& entry = note(call, passage);
  const auto pulse = entry.pulse = std::make_shared<Pulse>();
  if (!call.expects_reply) {
    entry.taken = true;
    ++deliveries_;
    ready.push_back({instance, outcome(call, Reply{})});
  }
  std::string envelope_id = call.envelope.id;
  CallOutcome letter{instance, outcome(call, Reply{}), envelope_id};
  if (call.heartbeat) listening_.push_back({envelope_id, instance, call.run, call.attempt, *call.heartbeat});
  StepInput input = input_of(call, instance, pulse);
  auto done = [mailbox = mailbox_, limit = options_.payload_bytes, permit = std::move(passage.permit),
               letter = std::move(letter)](Result<Reply> reply) mutable {
    letter.done.outcome = checked(std::move(reply), limit);
    if (permit) permit->judge(letter.done.outcome);
    permit.reset();
    mailbox->post(std::move(letter));
  };
  Task task;
  if (handler->function) {
    task = [handler, input = std::move(input), done = std::move(done)]() mutable {
      input.heartbeat();
      done(run_handler(handler->function, input));
    };
  } else {
    auto later = [mailbox = mailbox_, clock = clock_](Duration span, Task resumed) {
      mailbox->post_at(saturating_add(clock->now(), span), WorkDue{std::move(resumed)});
    };
    task = [handler, input = std::move(input), call_made = std::make_shared<AsyncCall>(std::move(later), std::move(done))]() mutable {
      input.heartbeat();
      call_made->begin(handler->coroutine, std::move(input));
    };
  }
  if (!waiting_.empty() || !parts_.workers->try_post(task)) waiting_.push_back({std::move(envelope_id), std::move(task)});
}

StepInput Dispatcher::input_of(kernel::PlaceCall& call, InstanceRef instance, const std::shared_ptr<Pulse>& pulse) {
  StepInput input{std::move(call.envelope), [pulse] { return pulse->cancelled.load(std::memory_order_relaxed); }};
  input.heartbeat = [pulse, clock = clock_, mailbox = mailbox_, watched = call.heartbeat.has_value()] {
    if (!watched) return;
    // The first one begins the watch, so the shard must look when it ends.
    if (pulse->heard_us.exchange(to_micros(clock->now()), std::memory_order_relaxed) == INT64_MAX) mailbox->wake();
  };
  input.progress = [beat = input.heartbeat, mailbox = mailbox_, instance, run = call.run, attempt = call.attempt](Value progress) {
    beat();
    mailbox->post(ProgressTold{instance, run, attempt, std::move(progress)});
  };
  return input;
}

void Dispatcher::call_agent(std::shared_ptr<Agent> agent, Passage passage, kernel::PlaceCall&& call) {
  const InstanceRef instance = passage.instance.ref;
  std::string envelope_id = call.envelope.id;
  note(call, passage).agent = agent;
  if (!call.expects_reply) {
    mailbox_->post_at(saturating_add(clock_->now(), options_.taken_after),
                      CallOutcome{instance, outcome(call, Reply{}), envelope_id, false});
  }
  agent->call(std::move(call.envelope),
              [mailbox = mailbox_, instance, envelope_id, run = call.run, attempt = call.attempt,
               silent = !call.expects_reply, permit = std::move(passage.permit)](Result<Reply> reply) mutable {
                if (permit) permit->judge(reply);
                permit.reset();
                if (silent && reply) reply = Reply{};
                mailbox->post(CallOutcome{instance, CallDone{run, attempt, std::move(reply)}, envelope_id});
              });
}

// --- when it is over --------------------------------------------------------------------------------------------------

void Dispatcher::drop(const kernel::DropCall& call) {
  const auto found = in_flight_.find(call.envelope_id);
  if (found == in_flight_.end()) return;
  if (found->second.held) {
    const auto waiting = in_flight_.extract(found);
    return give_up(waiting.key(), waiting.mapped());
  }
  give_up(found->first, found->second);
}

/// Nobody waits for the call any more. One that was made may still end in its own way.
void Dispatcher::give_up(const std::string& envelope_id, const InFlight& entry) {
  if (entry.held) {
    --held_;
    return entry.held->gate->leave(entry.held->ticket);
  }
  if (const auto permit = entry.permit.lock(); permit && entry.deadline <= clock_->now())
    permit->judge(fail(code::timeout, "it did not answer in time"));
  if (entry.pulse) entry.pulse->cancelled.store(true, std::memory_order_relaxed);
  if (entry.agent) entry.agent->cancel(envelope_id);
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
    give_up(given_up.key(), given_up.mapped());
  }
}

Timestamp Dispatcher::retry_waiting() {
  while (!waiting_.empty()) {
    const auto entry = in_flight_.find(waiting_.front().envelope_id);
    const bool wanted = waiting_.front().envelope_id.empty() ||
                        (entry != in_flight_.end() && !entry->second.pulse->cancelled.load(std::memory_order_relaxed));
    if (wanted && !parts_.workers->try_post(waiting_.front().task))
      return saturating_add(clock_->now(), kWorkersRetry);
    if (!wanted && entry != in_flight_.end()) in_flight_.erase(entry);
    waiting_.pop_front();
  }
  return kNever;
}

void Dispatcher::work(Task task) {
  if (!waiting_.empty() || !parts_.workers->try_post(task)) waiting_.push_back({{}, std::move(task)});
}

Timestamp Dispatcher::miss_heartbeats() {
  Timestamp next = kNever;
  std::erase_if(listening_, [&](const Listening& listening) {
    const auto found = in_flight_.find(listening.envelope_id);
    if (found == in_flight_.end()) return true;
    const std::int64_t heard = found->second.pulse->heard_us.load(std::memory_order_relaxed);
    const Timestamp due = heard == INT64_MAX ? kNever : saturating_add(from_micros(heard), listening.silence);
    if (due > clock_->now()) {
      next = std::min(next, due);
      return false;
    }
    Error silent(code::timeout, fmt::format("its handler was not heard of for {}", format_duration(listening.silence)));
    mailbox_->post(CallOutcome{listening.instance, CallDone{listening.run, listening.attempt, fail(std::move(silent))}, listening.envelope_id});
    found->second.pulse->cancelled.store(true, std::memory_order_relaxed);  // afterwards: its own answer comes second
    return true;
  });
  return next;
}

Dispatcher::InFlight& Dispatcher::note(const kernel::PlaceCall& call, const Passage& passage) {
  InFlight& entry = in_flight_[call.envelope.id];
  entry = InFlight{};
  entry.tenure = passage.tenure;
  if (passage.permit) {
    entry.permit = passage.permit;
    entry.deadline = call.envelope.deadline;
  }
  return entry;
}

}  // namespace mapflow::engine
