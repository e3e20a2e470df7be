#include "persistence/redis_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace mapflow::persistence::redis {
namespace {

/// Bounds how long the first commit of a group waits for the last one, and how long the server is busy with a call.
constexpr std::size_t kMaxGroupBytes = 8 << 20;
constexpr std::size_t kMaxGroupCommits = 1000;
/// While the server writes one group, the next one is on its way.
constexpr std::size_t kMaxInFlight = 2;

bool same(const Lease& one, const Lease& other) { return one.partition == other.partition && one.epoch == other.epoch; }

}  // namespace

Writer::Writer(Access& access, const Keys& keys)
    : access_(access), keys_(keys), claims_(access, keys), thread_([this] { run(); }) {}

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
    if (!in_flight_.empty() || pending_.empty()) wait(full ? -1 : queue_.wake());
  }
}

// --- the usual way ----------------------------------------------------------------------------------------------------

void Writer::fill_pipeline() {
  while (in_flight_.size() < kMaxInFlight) {
    Group group = next_group();
    if (group.items.empty()) return;
    send(group);
    in_flight_.push_back(std::move(group));
  }
}

/// What is pending, in order, up to the bounds.
Writer::Group Writer::next_group() {
  Group group;
  if (pending_.empty()) return group;
  const Status claimed = access_.cluster() ? claim_rows() : Status();
  for (std::size_t bytes = 0; !pending_.empty() && bytes < kMaxGroupBytes && group.items.size() < kMaxGroupCommits;) {
    QueuedCommit& item = *pending_.front();
    if (!admit(item, group, claimed)) return group;
    bytes += item.size_bytes;
    group.items.push_back(std::move(pending_.front()));
    pending_.pop_front();
  }
  return group;
}

/// For all that may come into the next group. Errors: unavailable.
Status Writer::claim_rows() {
  std::vector<const QueuedCommit*> items;
  std::size_t bytes = 0;
  for (const ItemPointer& item : pending_) {
    if (bytes >= kMaxGroupBytes || items.size() >= kMaxGroupCommits) break;
    bytes += item->size_bytes;
    if (!broken_.refusal(item->lease())) items.push_back(item.get());
  }
  return claims_.claim(items);
}

/// Gives the commit its place in a call, or refuses it. False: it must wait until those before it are answered.
bool Writer::admit(QueuedCommit& item, Group& group, const Status& claimed) {
  item.refused = broken_.refusal(item.lease());
  if (item.refused) return true;
  const bool alone = group.items.empty() && in_flight_.empty();
  std::optional<Error> wrong = claimed ? wrong_row(item.packed.commit) : claimed.error();
  if (wrong && !alone) return false;
  Lane* lane = nullptr;
  if (!wrong) {
    if (auto found = lane_of(item.lease())) lane = *found;
    else wrong = std::move(found).error();
  }
  if (wrong) {
    refuse(item, *wrong);
    return true;
  }
  std::vector<LaneUse>& lanes = call_for(item.lease(), group).lanes;
  auto use = std::ranges::find_if(lanes, [&](const LaneUse& one) { return same(one.lease, item.lease()); });
  if (use == lanes.end()) use = lanes.insert(lanes.end(), {item.lease(), lane->sender, lane->written, {}});
  item.ordinal = ++lane->written;
  if (!item.packed.commit.log.empty()) ++lane->log_end.value;
  item.position = lane->log_end;
  use->items.push_back(&item);
  return true;
}

std::optional<Error> Writer::wrong_row(const Commit& commit) const {
  for (const InstanceRow& row : commit.rows)
    if (const Status right = check_row(row, commit.lease); !right) return right.error();
  if (!access_.cluster()) return std::nullopt;
  const auto taken = claims_.taken(commit);
  if (!taken) return std::nullopt;
  InstanceRow row;
  row.id = taken->instance;
  return row_of_another_partition(row, taken->owner);
}

/// On a single server there is one call for all leases.
Writer::Call& Writer::call_for(const Lease& lease, Group& group) {
  const auto found = std::ranges::find_if(
      group.calls, [&](const Call& call) { return !access_.cluster() || same(call.lanes.front().lease, lease); });
  return found != group.calls.end() ? *found : group.calls.emplace_back();
}

void Writer::refuse(QueuedCommit& item, const Error& error) {
  item.refused = error;
  broken_.note_failure(item.lease(), error);
}

void Writer::send(Group& group) {
  for (Call& call : group.calls) {
    const auto connection = connection_to(call.lanes.front().lease.partition);
    if (!connection) {
      call.fate = Call::Fate::passing;
      call.why = connection.error();
      continue;
    }
    call.connection = *connection;
    if (const Status sent = call.connection->send(write_call(call.lanes, keys_, access_.cluster())); !sent) {
      call.fate = Call::Fate::unsure;  // a part of what went before may have gone out
      call.why = sent.error();
    } else if (access_.options().replicas > 0) {
      (void)call.connection->send(access_.wait_for_replicas());  // when the connection breaks the call has no answer either
    }
  }
}

/// Takes the answers that have come. False: one of them was none.
bool Writer::collect() {
  while (!in_flight_.empty()) {
    Group& group = in_flight_.front();
    for (Call& call : group.calls)
      if (!answered(call)) return true;
    if (std::ranges::any_of(group.calls, &Call::troubled)) return false;
    finish(group, {});
    refused_since_.reset();
    in_flight_.pop_front();
  }
  return true;
}

bool Writer::answered(Call& call) {
  if (call.fate != Call::Fate::sent) return true;
  if (!call.answer) call.answer = call.connection->receive();
  if (!call.answer) return false;
  const bool waits = access_.options().replicas > 0;
  if (waits && !call.replicas) {
    call.replicas = call.connection->receive();
    if (!call.replicas && call.connection->under_way() > 0) return false;
  }
  auto outcomes = *call.answer ? read_outcomes(**call.answer, call.lanes.size()) : fail(call.answer->error());
  if (outcomes && waits) {
    const Status kept = call.replicas && *call.replicas ? access_.enough_replicas(**call.replicas)
                                                        : fail(code::unavailable, access_.name() + ": the connection broke");
    if (!kept) outcomes = fail(kept.error());
  }
  if (outcomes) {
    call.fate = Call::Fate::done;
    call.outcomes = *std::move(outcomes);
    return true;
  }
  call.why = outcomes.error();
  access_.learn(keys_.partition(call.lanes.front().lease.partition), call.connection->endpoint(), call.why);
  if (passing(call.why) || call.why.is(refusal::moved) || call.why.is(refusal::ask)) call.fate = Call::Fate::passing;
  else call.fate = !*call.answer && call.connection->usable() ? Call::Fate::refused : Call::Fate::unsure;
  call.why = access_.plain(std::move(call.why));
  return true;
}

/// Says of every commit of a call that does not end well why.
void Writer::judge(Call& call, const Findings& findings) {
  for (std::size_t number = 0; number < call.lanes.size(); ++number) {
    const LaneUse& lane = call.lanes[number];
    const auto finding = findings.find({lane.lease.partition, lane.lease.epoch});
    if (call.fate == Call::Fate::done && !(finding != findings.end() && call.outcomes[number].refused)) {
      judge(lane, call.outcomes[number]);
    } else if (call.fate == Call::Fate::refused) {
      if (!broken_.refusal(lane.lease)) refuse(*lane.items.front(), call.why);
      judge(lane, LaneOutcome{.refused = true});
    } else if (finding->second.unknown) {
      for (QueuedCommit* item : lane.items) refuse(*item, *finding->second.unknown);
    }
  }
}

void Writer::judge(const LaneUse& lane, const LaneOutcome& outcome) {
  for (std::size_t index = outcome.written; index < lane.items.size(); ++index) {
    QueuedCommit& item = *lane.items[index];
    if (item.refused) continue;
    if (auto refused = broken_.refusal(lane.lease)) item.refused = std::move(refused);
    else refuse(item, meaning(lane, outcome));
  }
}

/// What the server's refusal says in the words of the contract.
Error Writer::meaning(const LaneUse& lane, const LaneOutcome& outcome) {
  if (!outcome.refused) {
    InstanceRow row;
    row.id = outcome.taken;
    return row_of_another_partition(row, outcome.owner);
  }
  const auto now = redis::lane(access_, keys_, lane.lease.partition);
  if (!now) return now.error();
  if (const Status good = check_lease(now->lease, lane.lease); !good) return good.error();
  return Error(code::fenced, fmt::format("partition {}: what epoch {} wrote is not there as it was, or somebody else wrote under it",
                                         lane.lease.partition.value, lane.lease.epoch.value));
}

/// Answers the group's commits, but for those that go out again: they are pending then.
void Writer::finish(Group& group, const Findings& findings) {
  for (Call& call : group.calls) {
    if (call.fate == Call::Fate::done) transactions_.fetch_add(1, std::memory_order_relaxed);
    judge(call, findings);
  }
  for (ItemPointer& item : group.items) {
    const auto finding = findings.find({item->lease().partition, item->lease().epoch});
    const bool again = !item->refused && finding != findings.end() && item->ordinal > finding->second.written;
    if (again && finding->second.given_up) {
      item->refused = broken_.refusal(item->lease());
      if (!item->refused) refuse(*item, *finding->second.given_up);
    }
    if (item->refused) queue_.answer(*item, fail(*std::move(item->refused)));
    else if (again) pending_.push_back(std::move(item));
    else queue_.answer(*item, item->position);
  }
}

// --- when something went wrong ----------------------------------------------------------------------------------------

void Writer::recover() {
  drain();
  std::deque<Group> groups = std::exchange(in_flight_, {});
  const Findings findings = look_again(groups);
  std::deque<ItemPointer> behind = std::exchange(pending_, {});
  for (Group& group : groups) finish(group, findings);
  std::ranges::move(behind, std::back_inserter(pending_));
}

/// Waits for the answers to everything sent.
void Writer::drain() {
  for (Group& group : in_flight_)
    for (Call& call : group.calls)
      while (!answered(call)) call.connection->wait(-1);
}

/// Finds out what is there of every lease whose calls are in trouble.
Writer::Findings Writer::look_again(const std::deque<Group>& groups) {
  std::map<std::pair<Partition, Epoch>, std::pair<Lease, bool>> in_doubt;
  std::optional<Error> refused;
  for (const Group& group : groups)
    for (const Call& call : group.calls) {
      if (!call.troubled()) continue;
      const bool unsure = call.fate == Call::Fate::unsure;
      if (!unsure && !refused) refused = call.why;
      for (const LaneUse& lane : call.lanes)
        in_doubt.try_emplace({lane.lease.partition, lane.lease.epoch}, lane.lease, false).first->second.second |= unsure;
    }
  if (refused && !refused_since_) refused_since_.emplace(access_.patience());
  const bool given_up = refused && !refused_since_->wait();
  Findings findings;
  std::optional<Error> unreachable;
  for (const auto& [key, doubt] : in_doubt) {
    auto finding = unreachable ? fail(*unreachable) : look_again(doubt.first, doubt.second);
    if (!finding) unreachable = finding.error();
    Finding& found = findings[key];
    found = finding ? *std::move(finding) : Finding{0, doubt.second ? not_known(*unreachable) : *unreachable, {}};
    if (given_up) found.given_up = refused;
  }
  return findings;
}

/// Errors: unavailable when the server does not say.
Result<Writer::Finding> Writer::look_again(const Lease& lease, bool unsure) {
  lanes_.erase(lease.partition);
  MAPFLOW_ASSIGN(const std::optional<Lane> now, settle(access_, keys_, lease));
  if (now) {
    lanes_.insert_or_assign(lease.partition, *now);
    return Finding{now->written, {}, {}};
  }
  if (!unsure) return Finding{};  // none of it ran, and when it comes again it is refused
  return Finding{0, not_known(Error(code::fenced, "another node has the partition by now")), {}};
}

Error Writer::not_known(const Error& why) const {
  Error unknown(code::unavailable, fmt::format("{}: the connection broke, and whether the commit was written is not known", access_.name()),
                "acquire the partition anew and read what it holds");
  unknown.cause = std::make_shared<const Error>(why);
  return unknown;
}

/// Errors: fenced when the lease is over; not_found; unavailable.
Result<Lane*> Writer::lane_of(const Lease& lease) {
  auto known = lanes_.find(lease.partition);
  if (known == lanes_.end() || known->second.lease.epoch != lease.epoch) {
    MAPFLOW_ASSIGN(const Lane read, lane(access_, keys_, lease.partition));
    MAPFLOW_TRY(check_lease(read.lease, lease));
    known = lanes_.insert_or_assign(lease.partition, read).first;
  }
  return &known->second;
}

/// Errors: unavailable, nothing was sent.
Result<Connection*> Writer::connection_to(Partition partition) {
  const std::string key = keys_.partition(partition);
  MAPFLOW_ASSIGN(const Endpoint server, access_.server_of(key));
  std::unique_ptr<Connection>& connection = connections_[server];
  // A lost one stays while answers are to come from it: they are what tells.
  if (!connection || (connection->under_way() == 0 && !connection->usable())) {
    auto made = access_.connect(key);
    if (!made) {
      access_.learn(key, server, made.error());
      return fail(std::move(made).error());
    }
    connection = *std::move(made);
  }
  return connection.get();
}

void Writer::wait(int wake) {
  std::vector<Connection*> all;
  for (const auto& [server, connection] : connections_)
    if (connection && (connection->under_way() > 0 || connection->usable())) all.push_back(connection.get());
  Connection::wait(all, wake);
}

}  // namespace mapflow::persistence::redis
