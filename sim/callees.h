// Those who are called, where there is no cluster: what comes back from their calls, and when.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <set>
#include <string>

#include "kernel/input.h"
#include "kernel/program.h"
#include "kernel/state.h"
#include "sim/chance.h"
#include "sim/script.h"

namespace mapflow::sim {

class Callees {
 public:
  explicit Callees(const Script& script) : script_(script) {}

  void called(const kernel::PlaceCall& call, Timestamp now);
  /// Who answers later sees what was left open.
  void look(const kernel::Program& program, const kernel::State& state);
  /// When the next of what has not come yet does; kNever: nothing will. What need not wait is due since ever.
  Timestamp next() const;
  /// What is due, the first of it or, with `chance`, any. `keep`: it will come once more.
  std::optional<kernel::Input> take(Timestamp now, Chance* chance = nullptr, bool keep = false);
  /// The process that made the calls is gone, and with it what they would have brought. Answers by token still come.
  void lose_calls();

 private:
  struct Coming {
    kernel::Input input;
    Timestamp due{};
  };

  const Script& script_;
  std::deque<Coming> coming_;
  std::set<std::string> seen_;  ///< open calls, by token and attempt
};

}  // namespace mapflow::sim
