#include "engine/clerk.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <thread>
#include <utility>

#include "engine/command.h"
#include "engine/finished_instance.h"
#include "engine/instance_id.h"
#include "engine/member.h"
#include "engine/shard.h"
#include "engine/start_demand.h"
#include "engine/stored_instance.h"
#include "engine/thread_executor.h"
#include "model/message.h"

namespace mapflow::engine {

using persistence::InboxPosition;
using persistence::Lease;
using persistence::Partition;
using std::chrono::milliseconds;

namespace {

constexpr std::string_view kName = "clerk/";              // with a '/': it does not share partitions
constexpr Duration kLease = std::chrono::seconds(5);
constexpr Duration kLongestPause = milliseconds(50);      // between two looks at the inbox
constexpr Duration kTakeAgain = milliseconds(200);        // between two tries to get the lease
constexpr std::size_t kPayloadBytes = ShardOptions().payload_bytes;

void pause(Duration& span) {
  std::this_thread::sleep_for(span);
  span = std::min<Duration>(2 * span, kLongestPause);
}

/// A shard that decides what lies in the inbox of one partition, and nothing else.
class DecidingShard {
 public:
  DecidingShard(const Lease& lease, std::shared_ptr<persistence::Store> store, std::shared_ptr<ProgramCache> programs,
                std::shared_ptr<const Clock> clock, std::shared_ptr<Random> random)
      : partition_(lease.partition) {
    ShardContext context;
    context.executor = executor_;
    context.clock = std::move(clock);
    context.random = std::move(random);
    context.store = std::move(store);
    context.programs = std::move(programs);
    context.options.calls = false;
    context.options.payload_bytes = kPayloadBytes;
    context.broken = [broken = broken_](const Lease&, const Error& why) {
      if (!std::exchange(broken->told, true)) broken->why.set_value(why);
    };
    why_ = broken_->why.get_future();
    shard_ = Shard::make(std::move(context));
    shard_->adopt(lease);
  }
  /// Lets its last commit come to its end.
  ~DecidingShard() {
    std::promise<void> gone;
    shard_->surrender(partition_, [&gone] { gone.set_value(); });
    gone.get_future().wait();
    executor_->stop();
  }
  DecidingShard(const DecidingShard&) = delete;
  DecidingShard& operator=(const DecidingShard&) = delete;

  /// Waits that long. Errors: why the lease is of no use any more.
  Status wait(Duration span) {
    if (why_.wait_for(span) == std::future_status::ready) return fail(why_.get());
    return {};
  }

 private:
  struct Broken {
    std::promise<Error> why;
    bool told = false;  ///< the shard's thread alone looks at it
  };
  const Partition partition_;
  const std::shared_ptr<ThreadExecutor> executor_ = std::make_shared<ThreadExecutor>("clerk");
  const std::shared_ptr<Broken> broken_ = std::make_shared<Broken>();
  std::future<Error> why_;
  std::shared_ptr<Shard> shard_;
};

}  // namespace

Clerk::Clerk(std::shared_ptr<persistence::Store> store, const kernel::KindRegistry& kinds)
    : store_(std::move(store)), programs_(std::make_shared<ProgramCache>(kinds, *store_)) {}

// --- requests ---------------------------------------------------------------------------------------------------------

Status Clerk::tell(const std::string& id, Demand demand, Duration limit, const std::string& key) {
  MAPFLOW_TRY(check_payload(demand, kPayloadBytes));
  MAPFLOW_ASSIGN(const Partition partition, partition_of(id));
  if (const auto row = store_->instance(id); row && row->finished && !revives(demand)) {
    MAPFLOW_TRY(ask_finished(*row, demand, *programs_, clock_->now()));
    return {};
  }
  const std::string ticket = key.empty() ? make_instance_id(clock_->now(), *random_) : key;
  MAPFLOW_TRY(leave(partition, encode_command(id, demand, *store_, ticket), limit));
  return outcome(id, demand, ticket);
}

/// What the instance says became of the command, once it was read.
Status Clerk::outcome(const std::string& id, const Demand& demand, const std::string& key) {
  MAPFLOW_ASSIGN(const StoredInstance stored, read(id));
  if (const kernel::CommandOutcome* known = stored.state.command(key))
    return known->refused ? Status(fail(*known->refused)) : Status();
  if (is_terminal(stored.state.state) && revives(demand))
    return fail(code::invalid_state, fmt::format("instance '{}' is {} and could not be taken back", id, to_string(stored.state.state)));
  if (is_terminal(stored.state.state)) {  // it came to its end before the command's turn
    MAPFLOW_ASSIGN(const persistence::InstanceRow row, store_->instance(id));
    MAPFLOW_TRY(ask_finished(row, demand, *programs_, clock_->now()));
    return {};
  }
  MAPFLOW_ASSIGN(const StoredInstance told, read(id, true));  // so many came since that the state has forgotten it
  bool received = false;
  for (const kernel::Event& event : told.events) {
    const Value* const of = event.data.find("id");
    if (!of || *of != Value(key)) continue;
    received |= event.type == "command.received";
    if (event.type == "command.refused") return fail(error_from_value(*event.data.find("error")));
  }
  if (received) return {};
  return fail(code::internal, fmt::format("instance '{}': the command was not carried out", id),
              "the log of whoever runs the instance says why");
}

Result<Clerk::Started> Clerk::start(std::string_view workflow, StartOptions options, Duration limit) {
  MAPFLOW_ASSIGN(StartDemand demand, make_start(*programs_, workflow, std::move(options), kPayloadBytes, clock_->now(), *random_));
  return accept(std::move(demand), limit);
}

Result<Clerk::Started> Clerk::rerun(const std::string& id, std::string new_id, Duration limit) {
  MAPFLOW_ASSIGN(const StoredInstance former, read(id));
  MAPFLOW_ASSIGN(StartDemand demand, make_rerun(*programs_, former, std::move(new_id), clock_->now(), *random_));
  return accept(std::move(demand), limit);
}

Result<Clerk::Started> Clerk::accept(StartDemand demand, Duration limit) {
  demand.id_given = true;  // also one that was made up: a command may be carried out twice
  const std::string id = demand.start.id;
  const auto existing = read(id);
  if (existing) {
    MAPFLOW_TRY(check_same_start(demand, existing->state));
    return Started{id, true};
  }
  if (!existing.error().is(code::not_found)) return fail(existing.error());
  MAPFLOW_TRY(leave(start_partition_of(demand.program->definition(), id, store_->shared_partitions()),
                    encode_command(id, demand, *store_), limit));
  const auto stored = read(id);
  if (!stored && stored.error().is(code::not_found))
    return fail(code::resource_exhausted, fmt::format("instance '{}' was not accepted", id),
                "the node that would run it has no room for more; try again later");
  if (!stored) return fail(stored.error());
  MAPFLOW_TRY(check_same_start(demand, stored->state));
  return Started{id, false};
}

Status Clerk::add(Definition definition) {
  MAPFLOW_TRY(programs_->add(std::move(definition)));
  return {};
}

// --- reading ----------------------------------------------------------------------------------------------------------

Result<StoredInstance> Clerk::read(std::string_view id, bool events) {
  return read_stored_instance(*store_, *programs_, id, events);
}

Result<Partition> Clerk::partition_of(std::string_view id) {
  const auto row = store_->instance(id);
  if (row) return row->partition;
  if (!row.error().is(code::not_found)) return fail(row.error());
  MAPFLOW_TRY(read(id));  // one that was only just started has no row yet
  return shared_partition_of(id, store_->shared_partitions());
}

Result<Runner> Clerk::runner(std::string_view id) {
  MAPFLOW_ASSIGN(const Partition partition, partition_of(id));
  MAPFLOW_ASSIGN(const std::vector<Lease> leases, store_->leases());
  for (const Lease& lease : leases)
    if (lease.partition == partition && lease.expires > clock_->now() && !lease.node.starts_with(kName))
      return Runner{lease.node, lease.node.find('/') == std::string::npos};
  return Runner{};
}

// --- the inbox --------------------------------------------------------------------------------------------------------

Status Clerk::leave(Partition partition, std::string command, Duration limit) {
  MAPFLOW_ASSIGN(const InboxPosition position, store_->post(partition, std::move(command)));
  const Timestamp end = saturating_add(clock_->now(), limit);
  const std::string name = std::string(kName) + make_instance_id(clock_->now(), *random_);
  Timestamp take_at{};
  Duration span = milliseconds(5);
  while (true) {
    MAPFLOW_ASSIGN(const bool read, is_read(partition, position));
    if (read) return {};
    const Timestamp now = clock_->now();
    if (now >= take_at) {
      auto lease = store_->acquire(partition, name, kLease, now);
      if (lease) {
        MAPFLOW_TRY(read_inbox(*std::move(lease), position));
        continue;
      }
      if (!lease.error().is(code::conflict)) return fail(std::move(lease).error());
      take_at = saturating_add(now, kTakeAgain);
    }
    if (now >= end)
      return fail(code::timeout, fmt::format("whoever runs the instance did not get to it within {}", format_duration(limit)),
                  "it was accepted and is carried out in its turn");
    pause(span);
  }
}

Result<bool> Clerk::is_read(Partition partition, InboxPosition position) {
  MAPFLOW_ASSIGN(const auto waiting, store_->inbox(partition, InboxPosition(position.value - 1), 1));
  return waiting.empty() || waiting.front().position != position;
}

/// Holds the lease until the command was read. When somebody else takes the lease meanwhile, the command is theirs.
Status Clerk::read_inbox(Lease lease, InboxPosition position) {
  Status done;
  {
    DecidingShard shard(lease, store_, programs_, clock_, random_);
    Timestamp renew_at = saturating_add(clock_->now(), kLease / 3);
    Duration span = milliseconds(1);
    while (done) {
      const auto read = is_read(lease.partition, position);
      if (!read) done = fail(read.error());
      if (!read || *read) break;
      if (clock_->now() >= renew_at) {
        const auto renewed = store_->renew(lease, kLease, clock_->now());
        if (!renewed) done = fail(renewed.error());
        renew_at = saturating_add(clock_->now(), kLease / 3);
      }
      if (done) done = shard.wait(span);
      span = std::min<Duration>(2 * span, kLongestPause);
    }
  }
  const Status released = store_->release(lease);
  if (!done) return done.error().is(code::fenced) ? Status() : done;
  return released;
}

}  // namespace mapflow::engine
