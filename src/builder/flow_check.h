// What cannot work though every part of it is sound: steps that nothing reaches, time and budgets that cannot suffice,
// effects that would be left behind when a saga is undone.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "builder/step_index.h"
#include "jinja/jinja.h"
#include "model/definition.h"
#include "model/diagnostic.h"

namespace mapflow::builder {

/// What a step needs at the very least, when all goes well and everything answers at once.
struct Least {
  Duration time{0};
  std::uint64_t calls = 0;  ///< to agents and handlers
};

class FlowCheck {
 public:
  FlowCheck(const Definition& definition, const StepIndex& index, const jinja::Environment& templates, Diagnostics& found)
      : definition_(definition), index_(index), templates_(templates), found_(found) {}

  /// Adds warnings only: each of these may be meant, and rarely is.
  void run();

 private:
  Least block(const Block& steps);
  Least step(const Step& step);
  Least inside(const Step& step);
  Least of_loop(const Step& step);
  Least of_parallel(const Step& step);
  Least of_conditional(const Step& step);
  void timeouts(const Step& step, const Least& least);
  void attempts(const Step& step);
  void share(const Step& step);
  void budget(const Least& least);
  void dead_branches(const Step& step);
  void dead_branch(const Branch& branch, std::string why);
  void endless_loop(const Step& step, const Step& next);
  void saga();
  void nothing_to_undo();
  bool undone(std::uint32_t entry) const;

  /// Whether an expression is the same whatever happens: 1 always true, 0 always false, -1 neither.
  int constant(const Value* expression) const;
  void warn(std::string_view code, Location where, std::string message, std::string hint = {});

  const Definition& definition_;
  const StepIndex& index_;
  const jinja::Environment& templates_;
  Diagnostics& found_;
};

}  // namespace mapflow::builder
