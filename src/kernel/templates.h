// Values with templates inside, and the names that templates of a workflow see.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "jinja/jinja.h"
#include "kernel/ids.h"
#include "value/value.h"

namespace mapflow::kernel {

struct State;
class Program;

/// JSON in which any text may be a template, compiled.
class ValueTemplate {
 public:
  ValueTemplate() = default;  ///< renders to null
  /// Compiles every text of `value` that holds a template. `place` finds the place of a dotted part, for errors.
  static Result<ValueTemplate> compile(const Value& value, const jinja::Environment& environment,
                                       const std::function<Location(const std::string& part)>& place);
  Result<Value> render(const jinja::Scope& scope) const;
  /// Whether it holds no template at all, so that it always renders to the same.
  bool constant() const { return !node_; }
  /// As it was written.
  const Value& source() const { return fixed_; }

 private:
  struct Node;
  Value fixed_;                        // as it was written; without node_ it is the value itself
  std::shared_ptr<const Node> node_;
};

/// The names seen where a step stands: names of the blocks around it, then `results errors workflow instance step
/// secrets`, then the instance's variables; and the function `now()`, the time of the decision as RFC 3339 text.
class NameScope final : public jinja::Scope {
 public:
  /// `run` may be kNoRun (a step's `when` is asked before the step exists). `variables` replaces the instance's.
  NameScope(const Program& program, const State& state, Timestamp now, FrameId frame, RunId run, const Value* variables = nullptr)
      : program_(program), state_(state), now_(now), frame_(frame), run_(run), variables_(variables) {}

  const Value* find(std::string_view name) const override;
  const jinja::HostFunction* function(std::string_view name) const override;
  std::vector<std::string> names() const override;

 private:
  const Value* keep(Value value) const;
  Value visible_results() const;

  const Program& program_;
  const State& state_;
  Timestamp now_;
  FrameId frame_;
  RunId run_;
  const Value* variables_;
  mutable jinja::HostFunction tell_time_;  // made when it is asked for
  mutable std::deque<Value> made_;  // values that exist only for this render; a deque keeps them in place
};

/// The members of an object, and behind them the names of another scope. Keeps references to both.
class LocalScope final : public jinja::Scope {
 public:
  LocalScope(const Value& locals, const jinja::Scope& around) : locals_(locals), around_(around) {}

  const Value* find(std::string_view name) const override;
  const jinja::HostFunction* function(std::string_view name) const override { return around_.function(name); }
  std::vector<std::string> names() const override;

 private:
  const Value& locals_;
  const jinja::Scope& around_;
};

}  // namespace mapflow::kernel
