#include "engine/tenure.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "engine/row_writer.h"
#include "kernel/codec.h"

namespace mapflow::engine {
namespace {

using persistence::LogPosition;

/// So many inputs that are dealt with may stay in memory before those behind them are moved up.
constexpr std::size_t kForgetInputs = 1u << 16;

bool at_rest(WorkflowState state) { return is_terminal(state) || state == WorkflowState::suspended; }

}  // namespace

// --- beginning and end ------------------------------------------------------------------------------------------------

Tenure::Tenure(ShardParts& parts, persistence::Lease lease, std::uint64_t number)
    : parts_(parts), lease_(std::move(lease)), number_(number), residence_(parts.resident_bytes) {
  commit_.lease = lease_;
}

Result<std::unique_ptr<Tenure>> Tenure::begin(ShardParts& parts, persistence::Lease lease, std::uint64_t number) {
  const ShardOptions& options = parts.options;
  const std::size_t room = options.instance_bytes - std::min(parts.resident_bytes, options.instance_bytes);
  MAPFLOW_ASSIGN(RecoveredPartition recovered,
                 read_partition(*parts.store, *parts.programs, lease.partition, {.calls = options.calls, .memory_bytes = room}));
  std::unique_ptr<Tenure> tenure(new Tenure(parts, std::move(lease), number));
  MAPFLOW_TRY(tenure->take_up(std::move(recovered)));
  return tenure;
}

Status Tenure::take_up(RecoveredPartition recovered) {
  ledger_ = std::move(recovered.ledger);
  for (auto& [id, error] : recovered.unreadable) {
    parts_.say(fmt::format("instance {} cannot be read back and stands still: {}", id, error.to_string()));
    unreadable_.emplace(id, std::move(error));
  }
  for (RecoveredInstance& found : recovered.instances) {
    Instance& instance = parts_.instances.add();
    instance.tenure = this;
    instance.program = std::move(found.program);
    instance.id = std::move(found.id);
    instance.state = std::move(found.state);
    instance.has_row = found.has_row;
    instance.listed = found.listed;
    instance.covered_seq = found.covered_seq;
    instance.snapshot_bytes = found.snapshot_bytes;
    instance.chunks = std::move(found.chunks);
    instance.base = std::move(found.base);
    instance.records = std::move(found.records);
    if (!instance.records.empty()) uncovered_.add(instance, found.uncovered_since);
    by_id_.emplace(instance.id, instance.ref);
    definitions_.insert(instance.program->hash());
    count_as(instance, instance.state ? instance.state->state : instance.listed);
    if (parts_.options.calls && !found.still) inputs_.push_back({instance.ref, kernel::Recover{}});
    if (!instance.state) {
      parts_.timers.set(instance, found.wake_at);
      continue;
    }
    weigh(instance);
    if (!instance.has_row || instance.listed != instance.state->state) want_row(instance, false);
    enroll_child(instance);
    enroll_turn(instance);
  }
  MAPFLOW_TRY(wake_parents());
  settle_recovered_children();
  for (const std::string& workflow : turns_.workflows()) give_turns(workflow);
  return {};
}

Tenure::~Tenure() {
  while (!by_id_.empty()) remove(*parts_.instances.find(by_id_.begin()->second));
}

void Tenure::remove(Instance& instance) {
  uncovered_.remove(instance);
  residence_.leave(instance);
  parts_.timers.set(instance, kNever);
  strike_child(instance);
  count_as(instance, std::nullopt);
  by_id_.erase(instance.id);
  parts_.instances.remove(instance.ref);
}

void Tenure::surrender() {
  leaving_ = true;
  inputs_.clear();
  next_input_ = 0;
  parts_.dispatcher.forget(number_);
  const Error gone(reroute::not_owner, "the partition is being handed over");
  for (Request& request : std::exchange(requests_, {}))
    if (request.answer) request.answer(fail(gone));
  for (auto& [id, answers] : std::exchange(watchers_, {}))
    for (Answer& answer : answers) answer(fail(gone));
}

void Tenure::break_off(const Error& first) {
  // When the store could not say what became of the oldest batch, it may be there, and so may those behind it.
  const bool unknown = first.is(code::unavailable);
  const Error gone(reroute::not_owner, "the partition is being read back");
  Error outcome = first.is(code::fenced) ? gone : first;
  if (unknown) outcome.hint = "the store did not say whether it was carried out: look before you repeat it";
  for (Batch& batch : in_flight_) {
    for (Answered& answered : batch.answers) answered.answer(fail(outcome));
    if (!unknown) outcome = gone;
  }
  for (Answered& answered : batch_.answers) answered.answer(fail(gone));
  in_flight_.clear();
  batch_.clear();
  surrender();
}

// --- turns ------------------------------------------------------------------------------------------------------------

bool Tenure::turn(Timestamp now) {
  now_ = std::max(now_, now);
  if (in_flight_.size() >= parts_.options.commits_in_flight) return false;
  if (leaving_) {
    if (in_flight_.empty() && !flushed_) flush();
    return false;
  }
  limits_.events = parts_.events && parts_.events->wanted();
  take_commands();
  take_requests();
  take_child_errands();
  take_up_put_off();
  decide_inputs();
  const bool slept = make_room();
  return submit() || slept;
}

Timestamp Tenure::next_turn() const {
  if (leaving_ || in_flight_.size() >= parts_.options.commits_in_flight) return kNever;
  Timestamp next = std::min(inbox_due_, coalesced_.empty() ? kNever : coalesced_.front().due);
  if (!put_off_.empty()) next = std::min(next, put_off_.front().due);
  for (const ChildErrand& errand : child_errands_) next = std::min(next, errand.due);
  return next;
}

/// Progress is an event without a record: it is told to who listens now, and to nobody later.
void Tenure::tell_progress(const Instance& instance, const ProgressTold& told) {
  const kernel::Run* const run = instance.state ? instance.state->run(told.run) : nullptr;
  const bool awaited = run && run->attempt == told.attempt && run->delivery > 0;
  if (!awaited || !parts_.events || !parts_.events->wanted()) return;
  batch_.events.push_back({instance.id, kernel::progress_event(*instance.program, *instance.state, told.run, now_, told.progress)});
}

void Tenure::decide_inputs() {
  const std::size_t end = std::min(inputs_.size(), next_input_ + parts_.options.turn_inputs);
  for (; next_input_ < end; ++next_input_) {
    Work& work = inputs_[next_input_];
    Instance* const instance = parts_.instances.find(work.instance);
    if (!instance) continue;
    if (const Status awake = wake(*instance); !awake)
      put_off(std::move(work), awake.error());
    else
      decide(*instance, work.input);
  }
  if (next_input_ == inputs_.size() || next_input_ > kForgetInputs) {
    inputs_.erase(inputs_.begin(), inputs_.begin() + static_cast<std::ptrdiff_t>(next_input_));
    next_input_ = 0;
  }
}

std::optional<Error> Tenure::decide(Instance& instance, const kernel::Input& input, const kernel::Ticket* ticket) {
  if (Status awake = wake(instance); !awake) return std::move(awake).error();
  residence_.touch(instance);
  if (instance.covered_seq > 0 && instance.records.empty() && instance.base.empty())
    instance.base = kernel::encode_state(*instance.state);
  const auto* const start = std::get_if<kernel::Start>(&input);
  const bool child = !(start ? start->parent_id : instance.state->parent_id).empty();
  const kernel::Spending used = instance.state->ledger.used;
  const kernel::Reserve reserved = instance.state->ledger.reserved;
  if (child) look_up_allowances(start ? start->parent_id : instance.state->parent_id);
  room_.effects = std::move(batch_.effects);
  kernel::Commit commit = kernel::decide(*instance.program, *instance.state, input, now_, limits_, ticket, std::exchange(room_, {}));
  limits_.above = {};
  batch_.effects = std::move(commit.effects);
  const bool wishes = batch_.effects.size() > batch_.wishers.size();
  batch_.wishers.resize(batch_.effects.size(), instance.ref);
  if (commit.refused && commit.records.empty()) return std::move(commit.refused);
  if (!commit.records.empty())
    take_records(instance, commit);
  else
    arm_untouched(instance, input);
  if (!commit.records.empty() || wishes) instance.last_batch = batch_number_;
  for (kernel::Event& event : commit.events) batch_.events.push_back({instance.id, std::move(event)});
  if (commit.more) inputs_.push_back({instance.ref, kernel::Continue{}});
  if (child || !fund_waiters_.empty()) charge_parent(instance, used, reserved);
  std::optional<Error> refused = std::move(commit.refused);
  commit.clear();
  room_ = std::move(commit);
  return refused;
}

void Tenure::arm_untouched(Instance& instance, const kernel::Input& input) {
  // Nothing changed, yet the timer may not be set: after reading back it never was, and a Tick took it out of the
  // queue. A Tick that found nothing due now must not come again at once.
  const Timestamp wake = instance.state->wake_at();
  const bool ticked = std::holds_alternative<kernel::Tick>(input);
  if (std::holds_alternative<kernel::Recover>(input) || (ticked && wake > now_)) parts_.timers.set(instance, wake);
}

void Tenure::take_records(Instance& instance, const kernel::Commit& commit) {
  if (!instance.uncovered) uncovered_.add(instance, ledger_.end());
  const std::uint64_t first_seq = instance.state->seq - commit.records.size() + 1;
  instance.records += writer_.add(instance.id, first_seq, commit.records);
  weigh(instance);
  if (first_seq == 1) enroll_child(instance);
  for (const kernel::Record& record : commit.records)
    if (const auto* change = std::get_if<kernel::StateChanged>(&record.body)) relay_hold(instance, change->to);
  follow_state(instance);
}

void Tenure::follow_state(Instance& instance) {
  const kernel::State& state = *instance.state;
  count_as(instance, state.state);
  parts_.timers.set(instance, is_terminal(state.state) ? kNever : state.wake_at());
  if (is_terminal(state.state)) {
    want_row(instance, true);
    end_turn(instance);
  } else if (state.state != instance.listed) {
    want_row(instance, false);
  }
  if (instance.records.size() > std::max(parts_.options.checkpoint_instance_bytes, 2 * instance.snapshot_bytes))
    want_row(instance, true);
  if (watchers_.empty() || !at_rest(state.state)) return;
  const auto watched = watchers_.find(instance.id);
  if (watched == watchers_.end()) return;
  for (Answer& answer : watched->second)
    batch_.answers.push_back({std::move(answer), kernel::outcome_document(state, now_)});
  watchers_.erase(watched);
}

void Tenure::count_as(Instance& instance, std::optional<WorkflowState> state) {
  if (state && is_terminal(*state)) state.reset();
  if (instance.counted == state) return;
  auto& numbers = parts_.gauges.instances;
  if (instance.counted) Gauges::decrement(numbers[static_cast<std::size_t>(*instance.counted)]);
  if (state) Gauges::increment(numbers[static_cast<std::size_t>(*state)]);
  instance.counted = state;
}

// --- rows -------------------------------------------------------------------------------------------------------------

void Tenure::want_row(Instance& instance, bool at_once) {
  using Row = Instance::Row;
  if (instance.row == Row::due || (instance.row == Row::wanted && !at_once)) return;
  instance.row = at_once ? Row::due : Row::wanted;
  if (at_once)
    rows_.push_back(instance.ref);
  else
    coalesced_.push_back({saturating_add(now_, parts_.options.row_delay), instance.ref});
}

void Tenure::write_rows() {
  for (; !coalesced_.empty() && coalesced_.front().due <= now_; coalesced_.pop_front()) {
    Instance* const instance = parts_.instances.find(coalesced_.front().instance);
    if (instance && instance->row == Instance::Row::wanted) write_row(*instance);
  }
  for (const InstanceRef ref : rows_)
    if (Instance* const instance = parts_.instances.find(ref); instance && instance->row == Instance::Row::due)
      write_row(*instance);
  rows_.clear();

  // The oldest instances give the log free, a few with each commit: as much as it adds to the log, and then some.
  std::size_t budget = std::max<std::size_t>(2 * writer_.size(), 64u << 10);
  while (Instance* const oldest = uncovered_.oldest()) {
    if (ledger_.end() - oldest->uncovered_since <= parts_.options.checkpoint_log_bytes) break;
    checkpoint(*oldest);
    if (oldest->snapshot_bytes >= budget) break;
    budget -= oldest->snapshot_bytes;
  }
}

void Tenure::write_row(Instance& instance) {
  const bool finished = is_terminal(instance.state->state);
  instance.last_batch = batch_number_;
  const bool long_enough = instance.records.size() > parts_.options.checkpoint_instance_bytes;
  // Until there is a snapshot a row costs little; afterwards it must bring a new one, for rows replace each other.
  if (finished || long_enough || instance.tired || instance.covered_seq > 0)
    checkpoint(instance);
  else
    add_bare_row(commit_, instance, now_);
  if (finished) batch_.finished.push_back(instance.ref);
}

void Tenure::checkpoint(Instance& instance) {
  add_checkpoint(commit_, instance, now_, parts_.options);
  instance.last_batch = batch_number_;
  uncovered_.remove(instance);
  weigh(instance);
}

// --- commits ----------------------------------------------------------------------------------------------------------

bool Tenure::submit() {
  write_rows();
  batch_.log_bytes = writer_.size();
  batch_.number = batch_number_;
  commit_.truncate_before =
      ledger_.drop_before(uncovered_.oldest() ? uncovered_.oldest()->uncovered_since : ledger_.end(),
                          parts_.options.truncate_bytes);
  const bool nothing_to_write = writer_.empty() && commit_.rows.empty() && commit_.history.empty() &&
                                commit_.definitions.empty() && commit_.truncate_before.value == 0 &&
                                commit_.inbox_through.value == 0;
  if (nothing_to_write) {
    if (batch_.idle()) return false;
    ++batch_number_;
    // What it rests on may still be on its way: then it is released with that.
    if (in_flight_.empty())
      release(std::exchange(batch_, std::exchange(spare_, {})));
    else
      in_flight_.back().append(std::exchange(batch_, {}));
    return true;
  }
  ++batch_number_;
  if (!writer_.empty()) ledger_.append(writer_.size());
  commit_.log = writer_.take();
  in_flight_.push_back(std::exchange(batch_, std::exchange(spare_, {})));
  persistence::Commit commit = std::exchange(commit_, {});
  commit_.lease = lease_;
  parts_.store->commit(std::move(commit), [mailbox = parts_.mailbox, number = number_](Result<LogPosition> position) {
    mailbox->post(CommitOutcome{number, std::move(position)});
  });
  return true;
}

Status Tenure::committed(const Result<LogPosition>& position) {
  if (!position) return fail(position.error());
  ensure(!in_flight_.empty(), "a commit that ends was in flight");
  Batch batch = std::move(in_flight_.front());
  in_flight_.pop_front();
  if (batch.log_bytes > 0) ledger_.durable(*position);
  release(std::move(batch));
  return {};
}

void Tenure::release(Batch batch) {
  released_through_ = batch.number;
  if (!leaving_)
    for (std::size_t each = 0; each < batch.effects.size(); ++each) {
      kernel::Effect& effect = batch.effects[each];
      const InstanceRef wisher = batch.wishers[each];
      if (const auto* drop = std::get_if<kernel::DropCall>(&effect)) {
        parts_.dispatcher.drop(*drop);
      } else if (auto* child = std::get_if<kernel::StartChild>(&effect)) {
        child_errands_.push_back({now_, wisher, std::move(*child)});
      } else if (auto* told = std::get_if<kernel::TellChild>(&effect)) {
        child_errands_.push_back({now_, wisher, std::move(*told)});
      } else if (!parts_.options.calls) {
        continue;  // whoever runs the instance next makes the call
      } else if (const Instance* const instance = parts_.instances.find(wisher)) {
        parts_.dispatcher.place(number_, *instance, std::get<kernel::PlaceCall>(std::move(effect)), inputs_);
      }
    }
  for (Answered& answered : batch.answers) answered.answer(std::move(answered.result));
  if (parts_.events && !batch.events.empty()) parts_.events->publish(std::move(batch.events));
  for (const InstanceRef ref : batch.finished)
    if (Instance* const instance = parts_.instances.find(ref)) {
      report_end(*instance);
      close_children(*instance);
      remove(*instance);
    }
  batch.clear();
  spare_ = std::move(batch);
}

void Tenure::flush() {
  flushed_ = true;
  for (Coalesced& row : coalesced_) row.due = Timestamp::min();
  submit();
}

void Tenure::Batch::append(Batch&& other) {
  number = other.number;
  std::ranges::move(other.effects, std::back_inserter(effects));
  std::ranges::move(other.wishers, std::back_inserter(wishers));
  std::ranges::move(other.answers, std::back_inserter(answers));
  std::ranges::move(other.events, std::back_inserter(events));
  std::ranges::move(other.finished, std::back_inserter(finished));
}

void Tenure::Batch::clear() {
  log_bytes = 0;
  effects.clear();
  wishers.clear();
  answers.clear();
  events.clear();
  finished.clear();
}

}  // namespace mapflow::engine
