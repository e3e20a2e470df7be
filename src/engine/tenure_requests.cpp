// The part of a tenure that hears people: requests from this process, and commands that others left in the inbox.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/command.h"
#include "engine/finished_instance.h"
#include "engine/past.h"
#include "engine/tenure.h"
#include "kernel/history.h"

namespace mapflow::engine {
namespace {

constexpr std::size_t kCommandsAtATime = 256;

}  // namespace

void Tenure::request(Request request) {
  if (leaving_) {
    if (request.answer) request.answer(fail(reroute::not_owner, "the partition is being handed over"));
    return;
  }
  requests_.push_back(std::move(request));
}

void Tenure::take_requests() {
  std::vector<Request> postponed;
  for (std::size_t taken = 0; taken < parts_.options.turn_inputs && !requests_.empty(); ++taken) {
    Request request = std::move(requests_.front());
    requests_.pop_front();
    auto result = carry_out(request.instance, request.demand, request.answer);
    if (result && !*result && result->error().is(reroute::later)) postponed.push_back(std::move(request));
    else if (result && request.answer) batch_.answers.push_back({std::move(request.answer), *std::move(result)});
  }
  std::ranges::move(postponed, std::back_inserter(requests_));
}

void Tenure::take_commands() {
  if (inbox_due_ > now_) return;
  inbox_due_ = saturating_add(now_, parts_.options.inbox_poll);
  const auto entries = parts_.store->inbox(lease_.partition, inbox_read_, kCommandsAtATime);
  if (!entries) return parts_.say(fmt::format("partition {}: inbox: {}", lease_.partition.value, entries.error().to_string()));
  for (const persistence::InboxEntry& entry : *entries) {
    Result<Command> command = decode_command(entry.command, *parts_.programs);
    Status done;
    if (command) {
      Answer nobody;
      const kernel::Ticket* const ticket = command->ticket.id.empty() ? nullptr : &command->ticket;
      const auto result = carry_out(command->instance, command->demand, nobody, ticket);
      if (result && !*result) done = fail(result->error());
    } else {
      done = fail(std::move(command).error());
    }
    // What only the store's trouble or a commit in flight prevented is asked for again; anything else was answered.
    if (!done && (done.error().is(code::unavailable) || done.error().is(reroute::later))) return;
    if (!done)
      parts_.say(fmt::format("partition {}: command {} refused: {}", lease_.partition.value, entry.position.value,
                             done.error().to_string()));
    inbox_read_ = entry.position;
    commit_.inbox_through = entry.position;
  }
  if (entries->size() == kCommandsAtATime) inbox_due_ = now_;
}

Instance* Tenure::find(std::string_view id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : parts_.instances.find(found->second);
}

std::optional<Result<Value>> Tenure::carry_out(const std::string& id, Demand& demand, Answer& answer,
                                               const kernel::Ticket* ticket) {
  if (const auto broken = unreadable_.find(id); broken != unreadable_.end()) return fail(broken->second);
  if (Instance* const instance = find(id)) return ask(*instance, demand, answer, ticket);
  if (auto* const wish = std::get_if<StartDemand>(&demand)) return start(id, *wish);
  return ask_absent(id, demand, ticket);
}

std::optional<Result<Value>> Tenure::ask(Instance& instance, Demand& demand, Answer& answer,
                                         const kernel::Ticket* ticket) {
  if (Status awake = wake(instance); !awake) return fail(std::move(awake).error());
  const kernel::State& state = *instance.state;
  if (const auto* start = std::get_if<StartDemand>(&demand)) {
    if (Status same = check_same_start(*start, state); !same) return fail(std::move(same).error());
    return Value(true);
  }
  if (std::holds_alternative<DescribeDemand>(demand)) return kernel::instance_document(*instance.program, state, now_);
  if (std::holds_alternative<WatchDemand>(demand)) {
    if (is_terminal(state.state) || state.state == WorkflowState::suspended)
      return kernel::outcome_document(state, now_);
    watchers_[instance.id].push_back(std::move(answer));
    return std::nullopt;
  }
  if (is_terminal(state.state) && revives(demand)) return fail(reroute::later, fmt::format("the end of instance '{}' is on its way to the store", instance.id));
  const auto input = input_for(instance, demand);
  if (!input && input.error().is(code::unavailable)) return fail(input.error());
  const kernel::Input impossible = kernel::Impossible{input ? Error() : input.error()};  // so that it is remembered
  if (auto refused = decide(instance, input ? *input : impossible, ticket)) return fail(*std::move(refused));
  return Value();
}

/// The request with what only the journal knows. Errors: those of find_mark and place_of_failure.
Result<kernel::Input> Tenure::input_for(const Instance& instance, const Demand& demand) const {
  if (const auto* retry = std::get_if<kernel::Retry>(&demand); retry && is_terminal(instance.state->state)) {
    MAPFLOW_ASSIGN(kernel::Place place, kernel::place_of_failure(*instance.program, *instance.state, retry->step));
    MAPFLOW_ASSIGN(auto mark, find_mark(*parts_.store, instance, place));
    return kernel::Rewind{std::move(place), true, std::move(mark)};
  }
  if (const auto* rewind = std::get_if<kernel::Rewind>(&demand)) {
    MAPFLOW_ASSIGN(auto mark, find_mark(*parts_.store, instance, rewind->place));
    return kernel::Rewind{rewind->place, false, std::move(mark)};
  }
  return *input_of(demand);
}

Result<Value> Tenure::ask_absent(const std::string& id, const Demand& demand, const kernel::Ticket* ticket) {
  MAPFLOW_ASSIGN(const persistence::InstanceRow row, parts_.store->instance(id));
  if (row.partition != lease_.partition)
    return fail(reroute::elsewhere, fmt::format("it is in partition {}", row.partition.value));
  // Whoever wrote that row has the partition by now, and the next commit or renewal will say so here.
  if (!row.finished) return fail(reroute::not_owner, fmt::format("another node has instance '{}'", id));
  return revives(demand) ? ask_over(row, demand, ticket) : ask_finished(row, demand, *parts_.programs, now_);
}

/// A request that may bring the instance back.
Result<Value> Tenure::ask_over(const persistence::InstanceRow& row, const Demand& demand, const kernel::Ticket* ticket) {
  MAPFLOW_ASSIGN(Instance* const instance, revive(row));
  auto input = input_for(*instance, demand);
  const auto waits = take_turn_again(*instance);
  if (!waits) input = fail(waits.error());
  else if (auto* rewind = input ? std::get_if<kernel::Rewind>(&*input) : nullptr) rewind->queued = *waits;
  std::optional<Error> refused = input ? decide(*instance, *input, ticket) : std::optional(input.error());
  if (!refused) {
    enroll_turn(*instance);
    return Value();
  }
  remove(*instance);  // it stays over
  return fail(*std::move(refused));
}

Result<Value> Tenure::start(const std::string& id, StartDemand& demand) {
  if (demand.id_given) {
    Result<Value> existing = ask_absent(id, demand);
    if (existing || !existing.error().is(code::not_found)) return existing;
  }
  if (parts_.instances.size() >= parts_.options.max_instances) {
    Error full(code::resource_exhausted, fmt::format("{} instances are running already", parts_.instances.size()));
    full.retry_after_us = Duration(std::chrono::seconds(1)).count();
    return fail(std::move(full));
  }
  MAPFLOW_TRY(take_turn(id, *demand.program, demand.start));
  keep_definition(*demand.program);
  for (const ProgramPtr& program : demand.library) {
    keep_definition(*program);
    demand.start.library.set(program->definition().id, program->hash());
  }
  MAPFLOW_ASSIGN(Instance* const instance, create(id, demand.program, std::move(demand.start)));
  enroll_turn(*instance);
  // It is looked up in the partition that its id says, and found elsewhere only by its row.
  const bool elsewhere = instance->program->definition().concurrency.has_value();
  if (parts_.options.rows_at_once || demand.id_given || elsewhere) want_row(*instance, true);
  return Value(false);
}

void Tenure::keep_definition(const kernel::Program& program) {
  if (!definitions_.insert(program.hash()).second) return;
  commit_.definitions.push_back(definition_row(program));
}

Result<Instance*> Tenure::create(const std::string& id, ProgramPtr program, kernel::Start start) {
  Instance& instance = parts_.instances.add();
  instance.tenure = this;
  instance.id = id;
  instance.program = std::move(program);
  instance.state = std::make_unique<kernel::State>();
  by_id_.emplace(instance.id, instance.ref);
  start.id = id;
  start.seed = parts_.random->next();
  if (auto refused = decide(instance, kernel::Input(std::move(start)))) {
    remove(instance);
    return fail(*std::move(refused));
  }
  return &instance;
}

}  // namespace mapflow::engine
