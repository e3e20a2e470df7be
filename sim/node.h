// One node of a simulated cluster: the engine's own member, on executors of the world, with a store behind a network.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/member.h"
#include "engine/random.h"
#include "sim/faults.h"
#include "sim/node_store.h"
#include "sim/people.h"
#include "sim/watcher.h"
#include "sim/world.h"

namespace mapflow::sim {

/// What all nodes have in common.
struct NodePlan {
  World& world;
  Watcher& watcher;
  const kernel::KindRegistry& kinds;
  const Scenario& scenario;
  Manners manners;
  std::function<void(const Envelope& envelope)> left_open;  ///< as for Surroundings
  Bite limits = Bite::none;  ///< of agents
  Duration ttl = std::chrono::seconds(3);
  engine::ShardOptions options;
  bool skewed = false;
  Sabotage sabotage = Sabotage::none;
  /// The way to the store for one life of a node.
  std::function<std::shared_ptr<persistence::Store>()> reach_store;
  std::function<void(const std::string& line)> say;  ///< may be empty
};

class Node {
 public:
  Node(const NodePlan& plan, std::string name) : plan_(plan), name_(std::move(name)) {}
  ~Node() { crash(); }

  const std::string& name() const { return name_; }
  bool up() const { return member_ != nullptr; }
  bool leaving() const { return leaving_; }
  void boot();
  /// Gone between two actions: nothing it knew or was about to do is left.
  void crash();
  /// Stands still until then, and does not know.
  void freeze(Timestamp until);
  bool frozen() const;
  /// Goes in good order; `left` is called when it is down. Only for a node that is up and not leaving already.
  void leave(std::function<void()> left);

  using Told = std::move_only_function<void(Result<Value>, bool posted)>;
  /// Carries a request to whoever runs the instance, as an engine does: to the shard here, or else into the inbox of
  /// the instance's partition. `told` may never be called.
  void ask(const std::string& id, engine::Demand demand, Told told);
  /// Starts another instance like `former`. `told` may never be called.
  void rerun(const std::string& former, const std::string& id, Told told);
  const engine::ProgramPtr& program() const { return program_; }
  std::vector<engine::ProgramPtr> library() const { return programs_->library(*program_); }

 private:
  void start();
  persistence::Partition home(const std::string& id) const;
  void ask_store(const std::string& id, const engine::Demand& demand, const Error& refused, Told told);
  void say(const std::string& line) const { if (plan_.say) plan_.say(name_ + ": " + line); }

  const NodePlan& plan_;
  const std::string name_;
  int lives_ = 0;
  bool leaving_ = false;
  std::shared_ptr<bool> gone_;
  std::vector<std::shared_ptr<WorldExecutor>> executors_;
  std::shared_ptr<WorldClock> clock_;
  std::shared_ptr<NodeStore> store_;
  std::shared_ptr<engine::Random> random_;
  std::shared_ptr<engine::ProgramCache> programs_;
  engine::ProgramPtr program_;
  std::unique_ptr<engine::Member> member_;
};

}  // namespace mapflow::sim
