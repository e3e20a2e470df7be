#include "sim/node_store.h"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

namespace mapflow::sim {

namespace {

using namespace persistence;

class NetworkStore final : public NodeStore, public std::enable_shared_from_this<NetworkStore> {
 public:
  NetworkStore(std::shared_ptr<Store> inner, World& world, Sabotage sabotage)
      : NodeStore(std::move(inner)), world_(world), sabotage_(sabotage) {}

  void disconnect() override {
    connected_ = false;
    // What has left the node may still arrive; what comes after a loss does not.
    const std::size_t arrive = world_.chance().below(queue_.size() + 1);
    queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(arrive), queue_.end());
  }

  void commit(Commit commit, CommitDone done) override {
    if (!connected_) return;
    if (sabotage_ == Sabotage::early_done) {
      done(LogPosition(++last_[commit.lease.partition].value));
      done = [](Result<LogPosition>) {};
    }
    queue_.push_back({std::move(commit), std::move(done)});
    const Duration way(static_cast<std::int64_t>(world_.chance().below(3000)));
    world_.after(way, [self = shared_from_this()] { self->arrive(); });
  }

  Status release(const Lease& lease) override {
    while (!queue_.empty()) arrive();  // commits queued before it still take effect
    return inner().release(lease);
  }

  bool durable() const override { return true; }

 private:
  struct Sent {
    Commit commit;
    CommitDone done;
  };

  /// The commit that was sent first takes effect, or not.
  void arrive() {
    if (queue_.empty()) return;
    Sent sent = std::move(queue_.front());
    queue_.pop_front();
    if (sabotage_ != Sabotage::none && spoil(sent)) return;
    const Partition partition = sent.commit.lease.partition;
    // Weak: a commit that the store still holds when the run is given up must not keep the store alive.
    inner().commit(std::move(sent.commit), [sender = weak_from_this(), partition, done = std::move(sent.done)](
                                               Result<LogPosition> position) mutable {
      const auto self = sender.lock();
      if (!self) return;
      if (position) self->last_[partition] = *position;
      if (self->connected_) done(std::move(position));
    });
  }

  /// True: the commit is dealt with.
  bool spoil(Sent& sent) {
    Commit& commit = sent.commit;
    switch (sabotage_) {
      case Sabotage::dropped_commit:
        if (!world_.chance().percent(5)) return false;
        if (connected_) sent.done(LogPosition(++last_[commit.lease.partition].value));
        return true;
      case Sabotage::stale_epoch: {
        const auto leases = inner().leases();
        if (!leases) return false;
        const auto current = std::ranges::find(*leases, commit.lease.partition, &Lease::partition);
        if (current != leases->end()) commit.lease = *current;
        return false;
      }
      case Sabotage::lost_command: {
        if (commit.inbox_through.value == 0) return false;
        Commit emptying;
        emptying.lease = commit.lease;
        emptying.inbox_through = commit.inbox_through;
        inner().commit(std::move(emptying), [](Result<LogPosition>) {});
        return false;
      }
      case Sabotage::early_cut:
        if (commit.truncate_before.value > 0) ++commit.truncate_before.value;
        return false;
      case Sabotage::double_write:
        if (commit.log.empty() || !world_.chance().percent(5)) return false;
        {
          Commit again;
          again.lease = commit.lease;
          again.log = commit.log;
          inner().commit(std::move(again), [](Result<LogPosition>) {});
        }
        return false;
      case Sabotage::open_gates:
      case Sabotage::blind_expect:
      case Sabotage::stray_answer:
      case Sabotage::scattered_turns:
      case Sabotage::early_done:
      case Sabotage::none: return false;
    }
    return false;
  }

  World& world_;
  const Sabotage sabotage_;
  bool connected_ = true;
  std::map<Partition, LogPosition> last_;
  std::deque<Sent> queue_;
};

}  // namespace

std::shared_ptr<NodeStore> make_node_store(std::shared_ptr<Store> inner, World& world, Sabotage sabotage) {
  return std::make_shared<NetworkStore>(std::move(inner), world, sabotage);
}

}  // namespace mapflow::sim
