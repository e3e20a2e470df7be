// Somebody who starts an instance, sends it the signals it waits for, and repeats each request until it is acknowledged.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/generator.h"
#include "sim/node.h"

namespace mapflow::sim {

class Client {
 public:
  struct Habits {
    bool holds = false;    ///< pauses the instance once or twice
    bool cancels = false;  ///< cancels or terminates it
    bool rewinds = false;  ///< takes it back to before a step, or to a checkpoint that it made
    bool mends = false;    ///< retries, skips, updates, debugs: whatever can be asked for
  };
  /// `choose` gives a node that is up, or nullptr.
  Client(World& world, Watcher& watcher, const Generated& plan, std::string id, Habits habits, std::function<Node*()> choose);

  const std::string& id() const { return id_; }
  /// Starts the instance, or as another one like `former`.
  void begin(const std::string& former = {});
  /// Everything it wanted was acknowledged or refused.
  bool content() const { return open_ == 0; }
  /// Brings a paused or suspended instance back: once, without waiting for success.
  void resume();
  /// Sends a signal that it waits for once more, without waiting for success: after a rewind it waits for another one.
  void signal_again(const std::string& name);
  /// Has the instance ended, by and by: once, without waiting for success.
  void end_it(bool at_once);

 private:
  struct Wish {
    engine::Demand demand;
    bool done = false;
    bool starts = false;
    std::string former;  ///< it starts an instance like this one
  };
  using WishPtr = std::shared_ptr<Wish>;

  void wish(Duration from_now, engine::Demand demand, std::string former = {});
  void attempt(const WishPtr& wish);
  void answered(const WishPtr& wish, const Result<Value>& value, bool posted);
  void started();
  void wish_for_rewinds();
  void mend_later(Duration from_now);
  engine::Demand mending();
  /// Whether the error is an answer: asking again would bring the same.
  bool is_final(const Wish& wish, const Error& error) const;
  /// Whether a start may find no place, and is then refused.
  bool may_be_rejected() const;
  void check_acknowledged(const engine::Demand& demand);

  World& world_;
  Watcher& watcher_;
  const Generated& plan_;
  const std::string id_;
  const Habits habits_;
  const std::function<Node*()> choose_;
  std::size_t open_ = 0;
  std::map<std::string, std::uint32_t> acknowledged_;  ///< signals, by the instance's owner itself
};

}  // namespace mapflow::sim
