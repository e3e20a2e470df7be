// The gates of a node that shares the limits of its agents with the other nodes of the store. shares.h says how.
//
// What rides on the leases is all that the nodes say to each other: a call asks nobody. The lease keeper calls hear() and
// say() in its rounds, in turn.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine/limits/agent_gate.h"
#include "engine/limits/shares.h"
#include "persistence/store.h"

namespace mapflow::engine {

/// Thread safety: make() may be called from any thread, hear() and say() from one.
class SharedLimits {
 public:
  /// `ttl`: of the leases. The rest as for LocalGate.
  SharedLimits(std::string node, Duration ttl, std::shared_ptr<Executor> executor, std::shared_ptr<const Clock> clock,
               std::shared_ptr<EventSink> events);

  std::shared_ptr<AgentGate> make(const GateName& name, const AgentLimits& limits);

  /// All leases, as they are after the last renewal. Where the notice in that of `own` is what say() gave last, gates may use
  /// what it claims and the others leave, until that lease runs out.
  void hear(const std::vector<persistence::Lease>& leases, persistence::Partition own);
  /// What the notice is to be from now on. Gates already keep to what it claims.
  std::string say();

 private:
  /// What is known of a gate that others use and this node does not have yet.
  struct Unused {
    std::uint32_t least = 0;   ///< the node had so many tokens all the time
    std::uint32_t tokens = 0;  ///< so many it has now …
    Timestamp since{};         ///< … since then
  };
  void learn(Timestamp now, const OtherNotices& former);
  Amounts share(GateId gate, const Amounts& limit) const;
  Timestamp open_until(GateId gate) const;
  std::vector<std::shared_ptr<LocalGate>> gates();

  const std::string node_;
  const Duration ttl_;
  const std::shared_ptr<Executor> executor_;
  const std::shared_ptr<const Clock> clock_;
  const std::shared_ptr<EventSink> events_;

  std::mutex mutex_;
  std::map<GateId, std::weak_ptr<LocalGate>> gates_;
  std::map<GateId, Unused> unused_;
  OtherNotices others_;
  Notice told_;             ///< what say() gave last
  std::string told_bytes_;
  Notice stored_;           ///< what the store was last seen to have of it
  Timestamp until_{};       ///< when the lease runs out that it stood in
};

}  // namespace mapflow::engine
