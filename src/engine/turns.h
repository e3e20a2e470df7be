// Whose turn it is among the instances of workflows with `concurrency`.
//
// All instances of such a workflow live in one partition (member.h), so the tenure that runs it sees every one of them, and
// no other node does. This is its book of who runs and who waits. Nothing of it is stored: recovery reads the instances
// back, and that is all there is to know.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "engine/instance.h"
#include "engine/limits/waiting_line.h"
#include "model/policy.h"

namespace mapflow::engine {

/// What decides about an instance's turn.
struct TurnWish {
  InstanceRef instance;
  std::string workflow;
  std::string key;              ///< the value of `concurrency.key`; empty without one
  Concurrency rules;            ///< of its own definition: versions may differ
  std::uint32_t priority = kUsualPriority;
  Timestamp since{};            ///< when it was started
};

/// Pure: time is an argument. Thread safety: the shard's.
class Turns {
 public:
  /// A level of priority is worth so much waiting.
  static constexpr Duration kPriorityWorth = std::chrono::minutes(1);

  /// Whether there is a place for one more, wherever others wait.
  bool has_place(std::string_view workflow, const Concurrency& rules, std::string_view key) const;
  /// Whether anybody waits who would be overtaken by one that starts now.
  bool somebody_waits(std::string_view workflow, const Concurrency& rules, std::string_view key) const;
  std::size_t waiting(std::string_view workflow) const;
  /// Of all workflows.
  std::size_t waiting() const;
  /// Who must end so that one more has a place: those that wait, and the oldest that run.
  std::vector<InstanceRef> in_the_way(std::string_view workflow, const Concurrency& rules, std::string_view key) const;

  /// The instance runs, whether there is a place for it or not.
  void run(TurnWish wish);
  void wait(TurnWish wish);
  /// It is over. Gives its workflow; empty when it never had to do with turns.
  std::string leave(InstanceRef instance);
  /// Gives the next one of the workflow that has a place now, as running; an empty ref when there is none.
  InstanceRef next(const std::string& workflow);
  std::vector<std::string> workflows() const;

 private:
  using Line = WaitingLine<TurnWish>;
  struct Crowd {
    std::map<std::uint64_t, InstanceRef> running;                         ///< in the order in which they began
    std::map<std::string, std::map<std::uint64_t, InstanceRef>, std::less<>> by_key;
    Line line{kPriorityWorth};
  };
  struct Member {
    std::string workflow, key;
    std::uint64_t number = 0;      ///< among the running; 0: it waits
    Line::Place place;
  };
  static std::uint64_t name(InstanceRef ref) { return std::uint64_t{ref.slot} << 32 | ref.generation; }
  static bool has_place(const Crowd& crowd, const Concurrency& rules, std::string_view key);
  const Crowd* crowd(std::string_view workflow) const;

  std::map<std::string, Crowd, std::less<>> crowds_;   ///< by workflow
  std::unordered_map<std::uint64_t, Member> members_;  ///< by instance
  std::uint64_t last_number_ = 0;
};

}  // namespace mapflow::engine
