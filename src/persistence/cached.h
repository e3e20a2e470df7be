// The cache of a composite store: the rows of this process' own partitions, and definitions, from somewhere nearer.
//
// docs/design/tiers.md says when a row may be served from it. What the cache holds is worth nothing to anybody else: it is
// emptied when it is opened, and may be deleted at any time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "persistence/background.h"
#include "persistence/forwarding.h"
#include "persistence/tier.h"

namespace mapflow::persistence {

struct CacheOptions {
  std::size_t entries = 100'000;  ///< rows kept at most; the longest unused goes
};

class CachedStore final : public ForwardingStore {
 public:
  CachedStore(std::shared_ptr<Store> primary, std::shared_ptr<Store> cache, CacheOptions options = {});
  ~CachedStore() override { in_flight_.wait(); }

  /// How many rows were served from the cache so far.
  std::uint64_t hits() const { return hits_.load(); }
  /// Returns when what was to be written to the cache so far is there.
  void settle();

  std::vector<TierReport> tiers() override;
  Result<Lease> acquire(Partition partition, std::string_view node, Duration ttl, Timestamp now) override;
  Result<Lease> renew(const Lease& lease, Duration ttl, Timestamp now) override;
  Status release(const Lease& lease) override;
  void commit(Commit commit, CommitDone done) override;
  Result<std::size_t> erase(const std::vector<InstanceRow>& rows) override;
  Result<InstanceRow> instance(std::string_view id) override;
  Result<DefinitionRow> definition(std::string_view hash) override;

 private:
  using Clock = std::chrono::steady_clock;
  /// A partition whose lease this process has.
  struct Tenure {
    Epoch epoch;
    Clock::time_point trusted_until;
    std::optional<Lease> cache;  ///< nothing: not to be had just now
  };
  struct Entry {
    std::string id;
    Partition partition;
    Epoch epoch;
    std::uint64_t number = 0;  ///< of this very writing
    bool written = false;
  };
  using Entries = std::list<Entry>;  ///< the one used last in front
  /// What is going on with an id, which nothing may be served of or filled in for meanwhile.
  struct Traffic {
    std::size_t commits = 0;
    std::size_t reads = 0;
    bool changed = false;  ///< by a commit that began while it was being read
  };

  void take_cache(Partition partition, Epoch epoch);
  void trust(const Lease& lease, Duration ttl, Clock::time_point asked);
  std::optional<InstanceRow> cached(std::string_view id);
  void fill(const InstanceRow& row, Epoch epoch);
  void settled(const Commit& rows, bool durable);
  void forget(const std::string& id);
  void failed(const Error& error);
  bool usable() const;
  const Tenure* trusted(Partition partition) const;

  const std::shared_ptr<Store> cache_;
  const CacheOptions options_;
  const std::string nonce_;
  Trouble trouble_;
  InFlight in_flight_;
  bool emptied_ = false;  ///< the background's
  std::atomic<std::uint64_t> hits_{0};
  std::atomic<Clock::rep> left_alone_until_{0};

  std::mutex mutex_;
  std::unordered_map<Partition, Tenure> tenures_;
  Entries entries_;
  std::unordered_map<std::string, Entries::iterator> by_id_;
  std::unordered_map<std::string, Traffic> traffic_;
  std::uint64_t next_number_ = 1;
  Background background_;  ///< writes to the cache; last, so that it ends first
};

}  // namespace mapflow::persistence
