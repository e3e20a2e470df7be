// The store as one node of the simulation reaches it: over a network that takes time. A commit is on its way for a
// while; if the node is gone by then, it may arrive all the same, or not.
#pragma once

#include <memory>

#include "persistence/forwarding.h"
#include "sim/faults.h"
#include "sim/world.h"

namespace mapflow::sim {

class NodeStore : public persistence::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  /// The node is gone: nobody is told of anything any more.
  virtual void disconnect() = 0;
};

/// `sabotage` breaks a rule on purpose.
std::shared_ptr<NodeStore> make_node_store(std::shared_ptr<persistence::Store> inner, World& world, Sabotage sabotage);

}  // namespace mapflow::sim
