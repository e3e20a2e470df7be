#include "persistence/cached.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "persistence/bundle.h"

namespace mapflow::persistence {
namespace {

constexpr auto kLeftAlone = std::chrono::seconds(1);
/// Writes that wait for a slow cache; rows beyond are not cached.
constexpr std::size_t kMostWaiting = 1000;
/// A lease longer than this is renewed long before; it bounds what is added to a clock.
constexpr Duration kLongestTrust = std::chrono::hours(1);

/// The row as the cache keeps it: finished, so that it may be erased, and with a number that tells this writing from others.
InstanceRow wrapped(const InstanceRow& row, const std::string& nonce, std::uint64_t number) {
  return {.id = row.id, .partition = row.partition, .workflow = nonce, .finished = true, .seq = number, .snapshot = encode({row, {}})};
}

Status empty(Store& cache) {
  for (ListQuery query{.limit = 500};;) {
    MAPFLOW_ASSIGN(const InstancePage page, cache.list(query));
    MAPFLOW_TRY(cache.erase(page.rows));
    if (page.next_cursor.empty()) return {};
    query.cursor = page.next_cursor;
  }
}

}  // namespace

CachedStore::CachedStore(std::shared_ptr<Store> primary, std::shared_ptr<Store> cache, CacheOptions options)
    : ForwardingStore(std::move(primary)), cache_(std::move(cache)), options_(options),
      nonce_(fmt::format("{:08x}{:08x}", std::random_device()(), std::random_device()())) {
  background_.give([this] {
    const Status emptied = empty(*cache_);
    emptied_ = emptied.has_value();
    if (!emptied) failed(emptied.error());
  });
}

void CachedStore::settle() {
  in_flight_.wait();
  background_.wait();
}

std::vector<TierReport> CachedStore::tiers() {
  auto reports = inner().tiers();
  if (reports.empty()) reports.push_back({"primary", inner().name(), {}, 0});
  reports.push_back({"cache", cache_->name(), trouble_.text(), 0});
  return reports;
}

// --- whose partitions ---------------------------------------------------------------------------------------------

Result<Lease> CachedStore::acquire(Partition partition, std::string_view node, Duration ttl, Timestamp now) {
  const auto asked = Clock::now();
  auto lease = inner().acquire(partition, node, ttl, now);
  if (lease) trust(*lease, ttl, asked);
  return lease;
}

Result<Lease> CachedStore::renew(const Lease& lease, Duration ttl, Timestamp now) {
  const auto asked = Clock::now();
  auto renewed = inner().renew(lease, ttl, now);
  if (renewed) {
    trust(*renewed, ttl, asked);
  } else {
    const std::lock_guard lock(mutex_);
    tenures_.erase(lease.partition);
  }
  return renewed;
}

Status CachedStore::release(const Lease& lease) {
  {
    const std::lock_guard lock(mutex_);
    tenures_.erase(lease.partition);
  }
  return inner().release(lease);
}

void CachedStore::trust(const Lease& lease, Duration ttl, Clock::time_point asked) {
  const std::lock_guard lock(mutex_);
  Tenure& tenure = tenures_[lease.partition];
  if (tenure.epoch != lease.epoch) tenure = {.epoch = lease.epoch};
  tenure.trusted_until = asked + std::min(ttl, kLongestTrust);
  if (!tenure.cache && usable()) background_.give([this, partition = lease.partition, epoch = lease.epoch] { take_cache(partition, epoch); });
}

void CachedStore::take_cache(Partition partition, Epoch epoch) {
  if (!emptied_) {  // it was away when it was opened
    const Status emptied = empty(*cache_);
    if (!emptied) return failed(emptied.error());
    emptied_ = true;
  }
  auto lease = take_over(*cache_, partition, "cache");
  if (!lease) return failed(lease.error());
  const std::lock_guard lock(mutex_);
  const auto tenure = tenures_.find(partition);
  if (tenure != tenures_.end() && tenure->second.epoch == epoch) tenure->second.cache = std::move(*lease);
}

const CachedStore::Tenure* CachedStore::trusted(Partition partition) const {
  const auto found = tenures_.find(partition);
  return found != tenures_.end() && found->second.cache && Clock::now() < found->second.trusted_until ? &found->second : nullptr;
}

// --- rows ---------------------------------------------------------------------------------------------------------

Result<InstanceRow> CachedStore::instance(std::string_view id) {
  if (auto row = cached(id)) return std::move(*row);
  const std::string key(id);
  {
    const std::lock_guard lock(mutex_);
    ++traffic_[key].reads;
  }
  auto row = inner().instance(id);
  const std::lock_guard lock(mutex_);
  const auto traffic = traffic_.find(key);
  const bool changed = traffic->second.changed || traffic->second.commits > 0;
  if (--traffic->second.reads == 0) traffic->second.changed = false;
  if (traffic->second.reads == 0 && traffic->second.commits == 0) traffic_.erase(traffic);
  if (row && !changed)
    if (const Tenure* tenure = trusted(row->partition)) fill(*row, tenure->epoch);
  return row;
}

std::optional<InstanceRow> CachedStore::cached(std::string_view id) {
  Entry wanted;
  {
    const std::lock_guard lock(mutex_);
    const auto found = by_id_.find(std::string(id));
    if (found == by_id_.end() || !usable()) return std::nullopt;
    const Tenure* tenure = trusted(found->second->partition);
    if (!tenure || tenure->epoch != found->second->epoch || !found->second->written) return std::nullopt;
    entries_.splice(entries_.begin(), entries_, found->second);
    wanted = *found->second;
  }
  auto row = cache_->instance(id);
  if (!row && !row.error().is(code::not_found)) failed(row.error());
  const bool same = row && row->workflow == nonce_ && row->seq == wanted.number;
  auto bundle = same ? decode_bundle(row->snapshot) : Result<Bundle>(fail(code::corrupt, ""));
  const std::lock_guard lock(mutex_);
  if (!bundle) {
    const auto found = by_id_.find(wanted.id);
    if (found != by_id_.end() && found->second->number == wanted.number) forget(wanted.id);
    return std::nullopt;
  }
  // It may have changed, or the lease run out, while the cache was asked.
  const auto found = by_id_.find(wanted.id);
  if (found == by_id_.end() || found->second->number != wanted.number || !trusted(wanted.partition)) return std::nullopt;
  ++hits_;
  return std::move(bundle->row);
}

/// Writes the row to the cache, in the order of these calls. Under the lock.
void CachedStore::fill(const InstanceRow& row, Epoch epoch) {
  forget(row.id);
  // One that is finished may be erased by anybody, whoever has the lease.
  if (row.finished || !usable() || background_.waiting() > kMostWaiting) return;
  const Tenure& tenure = tenures_.at(row.partition);
  const std::uint64_t number = next_number_++;
  entries_.push_front({row.id, row.partition, epoch, number, false});
  by_id_[row.id] = entries_.begin();
  while (entries_.size() > options_.entries) {
    const Entry& oldest = entries_.back();
    background_.give([this, row = InstanceRow{.id = oldest.id, .partition = oldest.partition, .finished = true, .seq = oldest.number}] {
      if (usable()) (void)cache_->erase({row});
    });
    forget(std::string(oldest.id));
  }
  background_.give([this, lease = *tenure.cache, row = wrapped(row, nonce_, number), number, partition = row.partition]() mutable {
    if (!usable()) return;
    const std::string id = row.id;
    const auto written = commit_and_wait(*cache_, {.lease = std::move(lease), .rows = {std::move(row)}});
    if (!written) failed(written.error());
    const std::lock_guard lock(mutex_);
    if (!written)
      if (const auto ours = tenures_.find(partition); ours != tenures_.end()) ours->second.cache.reset();
    if (const auto found = by_id_.find(id); found != by_id_.end() && found->second->number == number) {
      if (written) {
        found->second->written = true;
      } else {
        forget(id);
      }
    }
  });
}

void CachedStore::forget(const std::string& id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  entries_.erase(found->second);
  by_id_.erase(found);
}

void CachedStore::commit(Commit commit, CommitDone done) {
  if (commit.rows.empty()) return inner().commit(std::move(commit), std::move(done));
  auto rows = std::make_unique<Commit>(Commit{.lease = commit.lease, .rows = commit.rows});
  {
    const std::lock_guard lock(mutex_);
    for (const InstanceRow& row : rows->rows) {
      Traffic& traffic = traffic_[row.id];
      ++traffic.commits;
      traffic.changed = traffic.reads > 0;
      forget(row.id);
    }
  }
  in_flight_.begin();
  inner().commit(std::move(commit), [this, rows = std::move(rows), done = std::move(done)](Result<LogPosition> position) mutable {
    settled(*rows, position.has_value());
    done(std::move(position));
    in_flight_.end();
  });
}

void CachedStore::settled(const Commit& commit, bool durable) {
  const std::lock_guard lock(mutex_);
  if (!durable) tenures_.erase(commit.lease.partition);
  for (const InstanceRow& row : commit.rows) {
    const auto traffic = traffic_.find(row.id);
    const bool last = --traffic->second.commits == 0;
    if (last && traffic->second.reads == 0) traffic_.erase(traffic);
    const Tenure* const tenure = trusted(row.partition);
    if (last && durable && tenure && tenure->epoch == commit.lease.epoch) fill(row, tenure->epoch);
  }
}

Result<std::size_t> CachedStore::erase(const std::vector<InstanceRow>& rows) {
  auto erased = inner().erase(rows);
  const std::lock_guard lock(mutex_);
  for (const InstanceRow& row : rows) {
    forget(row.id);
    if (const auto traffic = traffic_.find(row.id); traffic != traffic_.end()) traffic->second.changed = traffic->second.reads > 0;
  }
  return erased;
}

Result<DefinitionRow> CachedStore::definition(std::string_view hash) {
  if (usable()) {
    auto found = cache_->definition(hash);
    if (found) return found;
    if (!found.error().is(code::not_found)) failed(found.error());
  }
  auto definition = inner().definition(hash);
  const std::lock_guard lock(mutex_);
  const auto any = std::ranges::find_if(tenures_, [](const auto& each) { return each.second.cache.has_value(); });
  if (definition && usable() && any != tenures_.end())
    background_.give([this, lease = *any->second.cache, definition = *definition]() mutable {
      const auto written = commit_and_wait(*cache_, {.lease = std::move(lease), .definitions = {std::move(definition)}});
      if (!written) failed(written.error());
    });
  return definition;
}

// --- a cache that fails -------------------------------------------------------------------------------------------

void CachedStore::failed(const Error& error) {
  trouble_.note(error);
  left_alone_until_ = (Clock::now() + kLeftAlone).time_since_epoch().count();
}

bool CachedStore::usable() const { return Clock::now().time_since_epoch().count() >= left_alone_until_.load(); }

}  // namespace mapflow::persistence
