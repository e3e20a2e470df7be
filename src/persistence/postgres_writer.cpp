#include "persistence/postgres_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mapflow::persistence::postgres {
namespace {

/// Bounds how long the first commit of a group waits for the last one.
constexpr std::size_t kMaxGroupBytes = 8 << 20;
constexpr std::size_t kMaxGroupCommits = 1000;
/// While the server writes one group, the next one is on its way.
constexpr std::size_t kMaxInFlight = 2;
/// After the patience with an absent server is over, it is asked only once for everything that comes soon after.
constexpr auto kGaveUpFor = std::chrono::seconds(1);

}  // namespace

Writer::Writer(std::unique_ptr<Connection> db, ConnectOptions options, Schema schema, Duration patience)
    : options_(std::move(options)), schema_(std::move(schema)), patience_(patience),
      statement_(schema_.sql(Batch::kStatement)), db_(std::move(db)), thread_([this] { run(); }) {}

Writer::~Writer() {
  queue_.stop();
  thread_.join();
}

void Writer::run() {
  for (;;) {
    queue_.take(pending_);
    fill_pipeline();
    if (!collect()) {
      recover();
      continue;
    }
    if (pending_.empty() && in_flight_.empty() && queue_.stopping()) return;
    const bool full = in_flight_.size() >= kMaxInFlight;
    if (!in_flight_.empty() || pending_.empty()) db_->wait(full ? -1 : queue_.wake());
  }
}

// --- the usual way ----------------------------------------------------------------------------------------------------

void Writer::fill_pipeline() {
  while (in_flight_.size() < kMaxInFlight) {
    Group group = next_group();
    if (group.items.empty()) return;
    if (group.batch.empty()) {
      group.fate = Group::Fate::written;
      group.answered = true;
    } else if (!db_->send(statement_, group.batch.arguments())) {
      group.fate = Group::Fate::unknown;  // a part of it may have gone out
      group.answered = true;
    }
    in_flight_.push_back(std::move(group));
  }
}

/// What is pending, in order, up to the bounds.
Writer::Group Writer::next_group() {
  Group group;
  for (std::size_t bytes = 0; !pending_.empty() && bytes < kMaxGroupBytes && group.items.size() < kMaxGroupCommits;) {
    Item& item = *pending_.front();
    if (!refuse_early(item)) {
      // To learn about a partition the connection must be free; and so it must be before it can be a new one.
      if (!in_flight_.empty() && (!knows_lane(item.lease()) || !db_->usable())) return group;
      if (!group.batch.fits(item.packed.commit)) return group;
      if (const auto lane = lane_of(item.lease())) {
        item.position = group.batch.add(item.packed, **lane);
        bytes += item.size_bytes;
      } else {
        item.refused = lane.error();
        broken_.note_failure(item.lease(), *item.refused);
      }
    }
    group.items.push_back(std::move(pending_.front()));
    pending_.pop_front();
  }
  return group;
}

/// Refuses what follows a failure of the same lease, and what cannot be right.
bool Writer::refuse_early(Item& item) {
  item.refused = broken_.refusal(item.lease());
  for (const InstanceRow& row : item.packed.commit.rows)
    if (const Status right = check_row(row, item.lease()); !right && !item.refused) {
      item.refused = right.error();
      broken_.note_failure(item.lease(), *item.refused);
    }
  return item.refused.has_value();
}

/// An error that is an answer says for certain that nothing was written; one in place of an answer says nothing.
Writer::Group::Fate Writer::fate_by(const Result<Rows>& answer) {
  if (answer) return Group::Fate::written;
  return db_->usable() ? Group::Fate::not_written : Group::Fate::unknown;
}

/// Takes the answers that have come. False: one of them was not good.
bool Writer::collect() {
  while (!in_flight_.empty()) {
    Group& group = in_flight_.front();
    if (!group.answered) {
      const auto answer = db_->receive();
      if (!answer) return true;
      group.answered = true;
      group.fate = fate_by(*answer);
    }
    if (group.fate != Group::Fate::written) return false;
    finish(group);
    in_flight_.pop_front();
  }
  return true;
}

void Writer::finish(Group& group) {
  if (!group.batch.empty()) transactions_.fetch_add(1, std::memory_order_relaxed);
  for (const ItemPointer& item : group.items) {
    if (item->refused) {
      queue_.answer(*item, fail(*std::move(item->refused)));
    } else {
      queue_.answer(*item, item->position);
    }
  }
}

// --- when something went wrong ----------------------------------------------------------------------------------------

void Writer::recover() {
  drain();
  std::deque<Group> groups = std::exchange(in_flight_, {});
  // What they counted on may not be there, so the partitions are looked at anew.
  for (const Group& group : groups) forget(group.batch);
  bool reachable = true;
  for (Group& group : groups) {
    if (group.fate != Group::Fate::unknown || !reachable) continue;
    group.fate = fate_of(group.batch);
    reachable = db_->usable();
  }
  BrokenLeases broken_here;
  for (Group& group : groups) {
    if (group.fate == Group::Fate::written) {
      finish(group);
      continue;
    }
    if (group.fate == Group::Fate::unknown) {
      answer_unknown(group);
      continue;
    }
    for (const ItemPointer& item : group.items) {
      if (!item->refused) item->refused = broken_here.refusal(item->lease());
      Result<LogPosition> outcome = item->refused ? Result<LogPosition>(fail(*item->refused)) : write_alone(*item);
      if (!outcome) {
        broken_here.note_failure(item->lease(), outcome.error());
        broken_.note_failure(item->lease(), outcome.error());
      }
      queue_.answer(*item, std::move(outcome));
    }
  }
}

/// Waits for the answers to everything sent.
void Writer::drain() {
  for (Group& group : in_flight_) {
    while (!group.answered) {
      if (const auto answer = db_->receive()) {
        group.answered = true;
        group.fate = fate_by(*answer);
      } else {
        db_->wait(-1);
      }
    }
  }
}

/// What became of a batch that was under way when the connection broke. It is written as a whole or not at all, so any
/// of its partitions that we still have can tell.
Writer::Group::Fate Writer::fate_of(const Batch& batch) {
  for (const auto& [partition, end] : batch.ends()) {
    const Lease lease{partition, end.lease.epoch, end.lease.node, {}};
    for (;;) {
      if (!reconnect()) return Group::Fate::unknown;
      const auto now = settle(*db_, schema_, lease);
      if (!now && !db_->usable()) continue;
      if (!now) return Group::Fate::unknown;
      if (*now) return (*now)->written >= end.written ? Group::Fate::written : Group::Fate::not_written;
      break;  // another node took this partition; perhaps it did not take them all
    }
  }
  return Group::Fate::unknown;
}

void Writer::answer_unknown(Group& group) {
  const Error unknown(code::unavailable,
                      fmt::format("{}: the connection broke, and whether the commit was written is not known", options_.name),
                      "acquire the partition anew and read what it holds");
  for (const ItemPointer& item : group.items) {
    if (!item->refused) broken_.note_failure(item->lease(), unknown);
    queue_.answer(*item, fail(item->refused ? *std::move(item->refused) : unknown));
  }
}

Result<LogPosition> Writer::write_alone(Item& item) {
  for (BackOff back_off(patience_);;) {
    MAPFLOW_ASSIGN(Lane* const lane, lane_of(item.lease()));
    Batch batch;
    item.position = batch.add(item.packed, *lane);
    const auto answer = db_->query(statement_, batch.arguments());
    if (answer) {
      transactions_.fetch_add(1, std::memory_order_relaxed);
      return item.position;
    }
    forget(batch);
    if (db_->usable()) {
      if (passing(answer.error()) && back_off.wait()) continue;
      return fail(meaning(item, answer.error()));
    }
    const auto fate = fate_of(batch);
    if (fate == Group::Fate::written) return item.position;
    if (fate == Group::Fate::unknown || !back_off.wait()) return fail(answer.error());
  }
}

/// What the database's refusal of a single commit says in the words of the contract.
Error Writer::meaning(const Item& item, const Error& refused) {
  const Lease& lease = item.lease();
  if (refused.is(refusal::lease)) {
    const auto lane = lane_of(lease);
    return lane ? Error(code::fenced, fmt::format("partition {}: somebody else wrote under epoch {}", lease.partition.value,
                                                  lease.epoch.value))
                : lane.error();
  }
  if (refused.is(refusal::row)) {
    const std::size_t space = refused.details.find(' ');
    const Partition owner(static_cast<std::uint32_t>(std::strtoul(refused.details.c_str(), nullptr, 10)));
    InstanceRow row;
    row.id = from_stored(std::string_view(refused.details).substr(space + 1));
    return row_of_another_partition(row, owner);
  }
  return refused;
}

// --- what is known of partitions --------------------------------------------------------------------------------------

bool Writer::knows_lane(const Lease& lease) const {
  const auto found = lanes_.find(lease.partition);
  return found != lanes_.end() && found->second.lease.epoch == lease.epoch;
}

/// Sees to it that there is a connection as well, unless something is under way. Errors: fenced when the lease is over;
/// not_found; unavailable.
Result<Lane*> Writer::lane_of(const Lease& lease) {
  MAPFLOW_TRY(reconnect());
  while (!knows_lane(lease)) {
    const auto read = lane(*db_, schema_, lease.partition);
    if (!read && !db_->usable()) {
      MAPFLOW_TRY(reconnect());
      continue;
    }
    if (!read) return fail(read.error());
    MAPFLOW_TRY(check_lease(read->lease, lease));
    lanes_.insert_or_assign(lease.partition, *read);
  }
  return &lanes_.find(lease.partition)->second;
}

void Writer::forget(const Batch& batch) {
  for (const auto& [partition, end] : batch.ends()) lanes_.erase(partition);
}

/// Success at once when the connection is good, or when answers are still to come from it.
Status Writer::reconnect() {
  if (!in_flight_.empty() || db_->usable()) return {};
  const auto now = Connection::Clock::now();
  const bool asked_lately = now - gave_up_ < kGaveUpFor;
  auto db = connect_patiently<Connection>(opener(options_), BackOff(asked_lately ? Duration::zero() : patience_));
  if (!db) {
    gave_up_ = Connection::Clock::now();
    return fail(std::move(db).error());
  }
  db_ = *std::move(db);
  return {};
}

}  // namespace mapflow::persistence::postgres
