#include "sim/watcher.h"

#include <fmt/format.h>

#include "engine/batch.h"
#include "engine/snapshot.h"
#include "kernel/codec.h"
#include "persistence/forwarding.h"
#include "sim/chance.h"
#include "value/json.h"

namespace mapflow::sim {

using persistence::Commit;
using persistence::InstanceRow;
using persistence::Lease;
using persistence::LogPosition;
using persistence::Partition;

void Watcher::acquired(const Lease& lease) {
  PartitionBooks& books = partitions_[lease.partition];
  if (lease.epoch.value <= books.epoch) problem(fmt::format("partition {}: epoch {} after {}", lease.partition.value, lease.epoch.value, books.epoch));
  books.epoch = lease.epoch.value;
  books.node = lease.node;
}

std::uint64_t Watcher::epoch(Partition partition) const {
  const auto found = partitions_.find(partition);
  return found == partitions_.end() ? 0 : found->second.epoch;
}

const Witnessed* Watcher::instance(const std::string& id) const {
  const auto found = instances_.find(id);
  return found == instances_.end() ? nullptr : &found->second;
}

const kernel::Program& Watcher::program_of(const std::string& workflow) const {
  for (const engine::ProgramPtr& child : children_)
    if (child->definition().id == workflow) return *child;
  return *program_;
}

std::vector<std::string> Watcher::living_steps(const std::string& id) const {
  std::vector<std::string> paths;
  if (const Witnessed* known = instance(id))
    for (const auto& [run, step] : known->audit.state().runs)
      paths.push_back(known->audit.state().path(program_of(known->audit.state().workflow), run));
  return paths;
}

std::vector<kernel::OpenCall> Watcher::open_calls(const std::string& id) const {
  const Witnessed* known = instance(id);
  if (!known || is_terminal(known->audit.state().state)) return {};
  return kernel::open_calls(program_of(known->audit.state().workflow), known->audit.state());
}

// --- commits ------------------------------------------------------------------------------------------------------

void Watcher::committed(const Commit& commit, LogPosition position) {
  ++commits_;
  PartitionBooks& books = partitions_[commit.lease.partition];
  if (commit.lease.epoch.value != books.epoch || commit.lease.node != books.node)
    problem(fmt::format("partition {}: '{}' commits under epoch {}, but epoch {} is '{}'s", commit.lease.partition.value,
                        commit.lease.node, commit.lease.epoch.value, books.epoch, books.node));
  hash_ = mix(mix(hash_, commit.log), position.value);
  if (!commit.log.empty() && !take_log(books, commit.log, position)) return;
  for (const InstanceRow& row : commit.rows) take_row(row);
  for (const auto& chunk : commit.history) hash_ = mix(mix(hash_, chunk.instance), chunk.records);
  if (commit.truncate_before.value > 0) cut_log(books, commit.truncate_before);
}

bool Watcher::take_log(PartitionBooks& books, const std::string& bytes, LogPosition position) {
  if (!books.log.empty() && position.value != books.log.back().position.value + 1)
    problem(fmt::format("log position {} follows {}", position.value, books.log.back().position.value));
  Entry entry{position, {}};
  const Status read = engine::read_batch(bytes, [&](const engine::RecordGroup& group) -> Status {
    const std::string id(group.instance);
    entry.last_seq[id] = group.first_seq + group.count - 1;
    if (!take_records(id, group.first_seq, group.count, group.records)) return fail(code::corrupt, "see above");
    return {};
  });
  if (!read && problems_.empty()) problem("a log entry does not read back: " + read.error().to_string());
  if (!read) return false;
  books.log.push_back(entry);
  check_turns();
  if (changed)
    for (const auto& [id, seq] : entry.last_seq) changed(id, instances_[id].audit.state());
  return problems_.empty();
}

/// No more instances run than may, whoever runs them.
void Watcher::check_turns() {
  const std::optional<Concurrency>& rules = program_->definition().concurrency;
  if (!rules) return;
  std::size_t running = 0;
  std::map<std::string, std::size_t> by_key;
  for (const auto& [id, known] : instances_) {
    const kernel::State& state = known.audit.state();
    if (!known.has_place || !state.parent_id.empty()) continue;
    ++running;
    if (++by_key[state.turn_key] > rules->limit && !rules->key.empty()) problem("more instances of one key run than may: " + id);
  }
  if (rules->max_running && running > *rules->max_running) problem(fmt::format("{} instances run, and {} may", running, *rules->max_running));
}

bool Watcher::take_records(const std::string& id, std::uint64_t first_seq, std::uint64_t count, std::string_view records) {
  Witnessed& known = instances_[id];
  if (first_seq != known.audit.state().seq + 1) {
    problem(fmt::format("instance {}: record {} follows record {}", id, first_seq, known.audit.state().seq));
    return false;
  }
  kernel::RecordReader reader(records);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto record = reader.next();
    if (!record) {
      problem(fmt::format("instance {}: a record does not read back: {}", id, record.error().to_string()));
      return false;
    }
    const auto* started = std::get_if<kernel::InstanceStarted>(&record->body);
    const kernel::Program& program = program_of(started ? started->workflow : known.audit.state().workflow);
    if (started && mended_) known.audit.allow_early_retries();
    if (trace) trace(program, known.audit.state(), *record);
    if (const auto* settled = std::get_if<kernel::StepSettled>(&record->body); settled && settled->state == StepState::skipped)
      known.skipped.insert(known.audit.state().path(program, settled->run));
    note_end_of_attempt(known, program, *record);
    if (std::string wrong = known.audit.next(program, *record); !wrong.empty()) {
      problem(fmt::format("instance {}, record {}: {}", id, known.audit.state().seq + 1, wrong));
      return false;
    }
    // A place is kept until the end, also while the instance is undone; who waited for one is undone without.
    const WorkflowState now = known.audit.state().state;
    if (now == WorkflowState::running) known.has_place = true;
    if (now == WorkflowState::pending || is_terminal(now)) known.has_place = false;
    if (const auto* call = std::get_if<kernel::CallPlaced>(&record->body)) {
      const kernel::Run* run = known.audit.state().run(call->run);
      known.placed.insert(fmt::format("{}/{}.{}.{}", id, run->id.value, run->attempt, run->delivery));
    } else if (const auto* signal = std::get_if<kernel::SignalReceived>(&record->body)) {
      ++known.received[signal->name];
    } else if (const auto* updated = std::get_if<kernel::VariablesUpdated>(&record->body)) {
      for (const auto& [name, value] : updated->writes) known.updated.insert(name);
    } else if (std::holds_alternative<kernel::Rewound>(record->body)) {
      ++known.rewinds;
    }
  }
  return true;
}

void Watcher::note_end_of_attempt(Witnessed& known, const kernel::Program& program, const kernel::Record& record) {
  std::visit(
      [&]<class Body>(const Body& body) {
        constexpr bool ends = std::is_same_v<Body, kernel::StepSucceeded> || std::is_same_v<Body, kernel::StepRetrying> ||
                              std::is_same_v<Body, kernel::StepFaulted> || std::is_same_v<Body, kernel::StepSettled>;
        if constexpr (ends) {
          const kernel::State& before = known.audit.state();
          const kernel::Run* run = before.run(body.run);
          if (run && run->delivery > 0 && run->phase == kernel::Phase::working && run->state == StepState::running)
            ++known.ended[before.idempotency_key(program, *run)];
        }
      },
      record.body);
}

void Watcher::take_row(const InstanceRow& row) {
  hash_ = mix(mix(mix(hash_, row.id), row.state), row.snapshot);
  Witnessed& known = instances_[row.id];
  const kernel::State& state = known.audit.state();
  known.row = true;
  known.row_finished = row.finished;
  if (row.state != to_string(state.state) || row.finished != is_terminal(state.state))
    problem(fmt::format("instance {}: its row says {}, but it is {}", row.id, row.state, to_string(state.state)));
  if (row.snapshot.empty()) {
    if (known.covered > 0) problem(fmt::format("instance {}: its row lost its snapshot", row.id));
    return;
  }
  const auto snapshot = engine::decode_snapshot(row.snapshot);
  if (!snapshot) return problem(fmt::format("instance {}: its snapshot does not read back: {}", row.id, snapshot.error().to_string()));
  if (row.seq != state.seq) problem(fmt::format("instance {}: snapshot after record {}, but {} are durable", row.id, row.seq, state.seq));
  else if (kernel::encode_state(snapshot->state) != kernel::encode_state(state))
    problem(fmt::format("instance {}: the live state after record {} is not the replayed one", row.id, state.seq));
  known.covered = row.seq;
}

void Watcher::cut_log(PartitionBooks& books, LogPosition before) {
  while (!books.log.empty() && books.log.front().position < before) {
    for (const auto& [id, last_seq] : books.log.front().last_seq)
      if (instances_[id].covered < last_seq)
        problem(fmt::format("instance {}: record {} is cut off the log, but the snapshot ends with {}", id, last_seq, instances_[id].covered));
    books.log.pop_front();
  }
}

std::size_t Watcher::uncovered_entries() const {
  std::size_t count = 0;
  for (const auto& [partition, books] : partitions_) {
    for (const Entry& entry : books.log) {
      bool uncovered = false;
      for (const auto& [id, last_seq] : entry.last_seq) uncovered = uncovered || instances_.at(id).covered < last_seq;
      count += uncovered ? 1 : 0;
    }
  }
  return count;
}

// --- calls --------------------------------------------------------------------------------------------------------

void Watcher::under_way(const std::shared_ptr<const bool>& gone, std::size_t calls, std::size_t most) {
  under_way_[gone] = calls;
  std::erase_if(under_way_, [](const auto& node) { return *node.first; });
  std::size_t all = 0;
  for (const auto& [node, count] : under_way_) all += count;
  if (all > most) problem(fmt::format("{} calls of an agent are under way at all nodes, where {} may be", all, most));
}

void Watcher::called(const Envelope& envelope) {
  const auto found = instances_.find(envelope.instance_id);
  if (found == instances_.end()) return problem("a call is made for an instance that is not durable: " + envelope.instance_id);
  Witnessed& known = found->second;
  if (!known.placed.contains(envelope.id)) problem("a call is made before its record is durable: " + envelope.id);
  known.calls[call_name(envelope.path, envelope.attempt, envelope.data)].insert(envelope.idempotency_key);
  const std::string sent = to_json(envelope.data);
  const auto [before, first] = known.sent.try_emplace(envelope.idempotency_key, sent);
  if (!first && before->second != sent) problem("one idempotency key, two messages: " + envelope.idempotency_key);
  hash_ = mix(mix(hash_, envelope.id), sent);
}

// --- the store that tells -----------------------------------------------------------------------------------------

namespace {

class WatchedStore final : public persistence::ForwardingStore {
 public:
  WatchedStore(std::shared_ptr<Store> inner, Watcher& watcher) : ForwardingStore(std::move(inner)), watcher_(watcher) {}

  Result<Lease> acquire(Partition partition, std::string_view node, Duration ttl, Timestamp now) override {
    auto lease = inner().acquire(partition, node, ttl, now);
    if (lease) watcher_.acquired(*lease);
    return lease;
  }
  void commit(Commit commit, persistence::CommitDone done) override {
    const Commit copy = commit;
    inner().commit(std::move(commit), [this, &copy, &done](Result<LogPosition> position) {
      if (position) watcher_.committed(copy, *position);
      done(std::move(position));
    });
  }

 private:
  Watcher& watcher_;
};

}  // namespace

std::shared_ptr<persistence::Store> make_watched_store(std::shared_ptr<persistence::Store> inner, Watcher& watcher) {
  return std::make_shared<WatchedStore>(std::move(inner), watcher);
}

}  // namespace mapflow::sim
