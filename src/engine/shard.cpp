#include "engine/shard.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mapflow::engine {
namespace {

/// After so many rounds a turn lets the executor's other tasks run.
constexpr int kRoundsPerTurn = 64;

}  // namespace

std::shared_ptr<Shard> Shard::make(ShardContext context) {
  const std::shared_ptr<Shard> shard(new Shard(std::move(context)));
  shard->mailbox_->open(shard, [raw = shard.get()] { raw->turn(); });
  return shard;
}

Shard::Shard(ShardContext context)
    : mailbox_(std::make_shared<Mailbox>(std::move(context.executor))),
      broken_(std::move(context.broken)),
      parts_{context.store,
             context.clock,
             std::move(context.random),
             std::move(context.programs),
             std::move(context.events),
             std::move(context.log),
             context.options,
             mailbox_,
             Dispatcher(std::move(context.dispatch), context.clock, mailbox_, context.options),
             {},
             {}} {}

void Shard::turn() {
  for (int round = 0; round < kRoundsPerTurn; ++round) {
    bool busy = read_letters();
    const Timestamp now = parts_.clock->now();
    busy |= fire_timers(now);
    busy |= run_tenures(now);
    if (busy) continue;
    arm(now);
    note_load();
    if (mailbox_->sleep()) return;
  }
  note_load();
  mailbox_->yield();
}

bool Shard::read_letters() {
  const bool any = mailbox_->take(letters_);
  for (Letter& letter : letters_) std::visit([this](auto& content) { on(content); }, letter);
  letters_.clear();
  return any;
}

bool Shard::fire_timers(Timestamp now) {
  bool any = false;
  while (Instance* const due = parts_.timers.take_due(now)) {
    due->tenure->give({due->ref, kernel::Tick{}});
    any = true;
  }
  return any;
}

bool Shard::run_tenures(Timestamp now) {
  bool any = false;
  for (auto entry = tenures_.begin(); entry != tenures_.end();) {
    any |= entry->second->turn(now);
    if (!entry->second->over()) {
      ++entry;
      continue;
    }
    auto done = surrendered_.extract(entry->first);
    entry = tenures_.erase(entry);
    for (auto& call : done.mapped()) call();
  }
  return any;
}

void Shard::arm(Timestamp now) {
  Timestamp next = std::min({parts_.timers.next(), parts_.dispatcher.retry_waiting(), parts_.dispatcher.miss_heartbeats()});
  for (const auto& [partition, tenure] : tenures_) next = std::min(next, tenure->next_turn());
  if (armed_ <= now) armed_ = kNever;
  if (next >= armed_) return;
  armed_ = next;
  mailbox_->wake_at(next);
}

// --- how it is --------------------------------------------------------------------------------------------------------

void Shard::note_load() {
  std::size_t inputs = 0, turns = 0;
  for (const auto& [partition, tenure] : tenures_) {
    inputs += tenure->undecided();
    turns += tenure->queued();
  }
  Gauges::set(parts_.gauges.inputs, inputs);
  Gauges::set(parts_.gauges.turns, turns);
  Gauges::set(parts_.gauges.agents, parts_.dispatcher.held());
  Gauges::set(parts_.gauges.handlers, parts_.dispatcher.waiting());
}

void Shard::add_to(Load& load) const {
  const auto read = [](const Gauges::Number& number) { return number.load(std::memory_order_relaxed); };
  for (std::size_t state = 0; state < kLivingStates; ++state) load.instances[state] += read(parts_.gauges.instances[state]);
  load.letters += mailbox_->size();
  load.inputs += read(parts_.gauges.inputs);
  load.turns += read(parts_.gauges.turns);
  load.agents += read(parts_.gauges.agents);
  load.handlers += read(parts_.gauges.handlers);
}

void Shard::tell_serving(const Tenure& tenure, Timestamp given) const {
  if (!parts_.events || !parts_.events->wanted()) return;
  kernel::Event event;
  event.at = parts_.clock->now();
  event.type = "partition.serving";
  event.data = object({{"partition", tenure.lease().partition.value}, {"instances", tenure.instances()},
                       {"seconds", static_cast<double>((event.at - given).count()) / 1e6}});
  parts_.events->publish({{{}, std::move(event)}});
}

// --- tenures ----------------------------------------------------------------------------------------------------------

Tenure* Shard::tenure_of(persistence::Partition partition) {
  const auto found = tenures_.find(partition);
  return found == tenures_.end() ? nullptr : found->second.get();
}

// --- letters ----------------------------------------------------------------------------------------------------------

void Shard::on(CallOutcome& letter) {
  const bool awaited = parts_.dispatcher.arrived(letter);
  if (parts_.dispatcher.deliveries() == 0)
    for (auto& done : std::exchange(draining_, {})) done();
  if (!awaited) return;
  if (const Instance* const instance = parts_.instances.find(letter.instance))
    instance->tenure->give({letter.instance, std::move(letter.done)});
}

void Shard::on(GateAnswer& letter) {
  Instance* const instance = parts_.instances.find(letter.instance);
  std::vector<Work> ready;
  parts_.dispatcher.answered(std::move(letter), instance, ready);
  for (Work& work : ready) instance->tenure->give(std::move(work));
}

void Shard::on(ProgressTold& letter) {
  if (const Instance* const instance = parts_.instances.find(letter.instance))
    instance->tenure->tell_progress(*instance, letter);
}

void Shard::on(CommitOutcome& letter) {
  const auto entry = std::ranges::find_if(tenures_, [&](const auto& t) { return t.second->number() == letter.tenure; });
  if (entry == tenures_.end()) return;  // of a tenure that is no more
  const Status committed = entry->second->committed(letter.position);
  if (committed) return;
  const std::unique_ptr<Tenure> ended = std::move(tenures_.extract(entry).mapped());
  ended->break_off(committed.error());
  if (auto waiting = surrendered_.extract(ended->lease().partition)) {
    for (auto& done : waiting.mapped()) done();
    return;  // nobody wants it back
  }
  parts_.say(fmt::format("partition {}: {}; reading it back", ended->lease().partition.value, committed.error().to_string()));
  broken_(ended->lease(), committed.error());
}

void Shard::on(Request& letter) {
  if (Tenure* const tenure = tenure_of(letter.partition)) return tenure->request(std::move(letter));
  if (letter.answer)
    letter.answer(fail(reroute::not_owner, fmt::format("partition {} is not run here", letter.partition.value)));
}

void Shard::on(Adopt& letter) {
  Abandon former{letter.lease.partition};
  on(former);
  auto tenure = Tenure::begin(parts_, letter.lease, ++last_tenure_);
  if (tenure) {
    tell_serving(**tenure, letter.given);
    tenures_.emplace(letter.lease.partition, *std::move(tenure));
    return;
  }
  parts_.say(fmt::format("partition {} cannot be read back: {}", letter.lease.partition.value, tenure.error().to_string()));
  broken_(letter.lease, tenure.error());
}

void Shard::on(Abandon& letter) {
  const auto entry = tenures_.find(letter.partition);
  if (entry == tenures_.end()) return;
  const std::unique_ptr<Tenure> ended = std::move(tenures_.extract(entry).mapped());
  ended->break_off(Error(code::fenced, "the lease is lost"));
  if (auto waiting = surrendered_.extract(letter.partition))
    for (auto& done : waiting.mapped()) done();
}

void Shard::on(Surrender& letter) {
  Tenure* const tenure = tenure_of(letter.partition);
  if (!tenure) return letter.done();
  tenure->surrender();
  surrendered_[letter.partition].push_back(std::move(letter.done));
}

void Shard::on(Glance& letter) {
  if (Tenure* const tenure = tenure_of(letter.partition)) tenure->look_into_inbox();
}

void Shard::on(Drain& letter) {
  if (parts_.dispatcher.deliveries() == 0) return letter.done();
  draining_.push_back(std::move(letter.done));
}

}  // namespace mapflow::engine
