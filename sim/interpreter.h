// The oracle's walk over a definition. Internal to the oracle.
//
//   interpreter.cpp         blocks, steps, attempts, what is kept
//   interpreter_leaves.cpp  kinds that contain no steps
//   interpreter_aggregate.cpp  what an aggregate makes of results
//   interpreter_blocks.cpp  kinds that do
//   oracle.cpp              the end of the instance, and what all facts together say
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/jinja.h"
#include "model/definition.h"
#include "sim/oracle.h"
#include "sim/scenario.h"

namespace mapflow::sim {

/// Where a step stands: what names it sees, and what its path begins with.
struct Place {
  const Place* outer = nullptr;
  std::string prefix;
  Value locals{};
  bool keeps_results = false;  ///< the results of the steps inside are not seen outside
  bool lone_undo = false;      ///< its one step goes by the place's own name
  Value results{};
  std::string path_of(const Step& step) const { return lone_undo ? prefix.substr(0, prefix.size() - 1) : prefix + step.id; }
};

/// What became of a step, an attempt or a block.
struct Outcome {
  enum class End : std::uint8_t { done, skipped, failed, hung } end = End::done;
  Value value;
  bool sure = true;           ///< false: timing decides the value
  std::vector<Error> errors;  ///< when failed: the error, or all that timing may choose from
  bool last_chance = false;   ///< failed because its total time is up: it is not tried again
  Value input{};              ///< what was sent, when somebody was called
  Object writes{};            ///< variables to be set once the step is completed

  static Outcome done(Value value, bool sure = true) { return {End::done, std::move(value), sure, {}, false, {}, {}}; }
  static Outcome skipped() { return {End::skipped, Value(), true, {}, false, {}, {}}; }
  static Outcome failed(Error error) { return {End::failed, Value(), true, {std::move(error)}, false, {}, {}}; }
  static Outcome hung() { return {End::hung, Value(), true, {}, false, {}, {}}; }
  bool is(End wanted) const { return end == wanted; }
};

/// A field of the step that is a text; empty without one.
inline std::string text(const Step& step, std::string_view name) {
  const Value* found = step.fields.find(name);
  return found && found->is_text() ? std::string(found->as_text()) : std::string();
}

class Interpreter {
 public:
  explicit Interpreter(const Scenario& scenario);
  Expectation run(bool cancelled);

 private:
  /// Something that happens, for certain or perhaps.
  struct Fact {
    enum class Kind : std::uint8_t { call, result, variable, error, completed, undo, undone } kind;
    std::string key;
    Value value;
    bool sure = true;
    bool certain = true;
    std::size_t undo = 0;  ///< of kind undo: which
  };
  struct Undo {
    const Step* step;
    std::string path;
    Value locals, input, result;
  };
  /// The facts of one branch or iteration.
  struct Part {
    std::uint32_t index = 0;
    std::size_t begin = 0, end = 0;  ///< among the facts
    Outcome outcome;
    bool stop = false;
  };
  using Parts = std::vector<Part>;

  // --- walking ---
  Outcome block(const Block& steps, Place& place);
  Outcome step(const Step& step, Place& place);
  Outcome attempts(const Step& step, Place& place, const std::string& path);
  Outcome attempt(const Step& step, Place& place, const std::string& path, std::uint32_t number);
  Outcome out_of_time(const Step& step, Place& place, const std::string& path, Duration began);
  bool tried_again(const Step& step, const Outcome& outcome, std::uint32_t number);
  Outcome settle_done(const Step& step, Place& place, const std::string& path, Outcome outcome);
  Outcome settle_failed(const Step& step, Place& place, const std::string& path, Outcome outcome);
  void complete(const Step& step, Place& place, const std::string& path, const Outcome& outcome);
  Part part(std::uint32_t index, const Block& steps, Place& place);

  // --- kinds without steps ---
  Outcome work(const Step& step, Place& place, const std::string& path, std::uint32_t number);
  Outcome call(const Step& step, const Place& place, const std::string& path, std::uint32_t number);
  Outcome answered(const Step& step, const std::string& path, std::uint32_t number, const Value& data, bool later);
  Outcome aggregate(const Step& step, Place& place, const std::string& path, std::uint32_t number);
  Result<Value> reduced(const Step& step, const Place& place, const Array& values, const Array& sources);
  Outcome transform(const Step& step, const Place& place);
  Outcome wait(const Step& step, const Place& place);

  // --- kinds with steps ---
  Outcome conditional(const Step& step, Place& place, const std::string& path);
  Outcome parallel(const Step& step, Place& place, const std::string& path);
  Outcome all_branches(const Step& step, const Parts& parts, bool fail_fast, bool in_order);
  Outcome enough_branches(const Step& step, const Parts& parts, std::size_t needed, bool in_order);
  static std::vector<Error> first_errors(const Parts& parts);
  Outcome loop(const Step& step, Place& place, const std::string& path);
  Part iteration(const Step& step, Place& place, const std::string& path, const Value* items, std::uint32_t index);
  Outcome one_by_one(const Step& step, Place& place, const std::string& path, const Value* items);
  Outcome side_by_side(const Step& step, Place& place, const std::string& path, const Value& items, std::size_t window);
  Outcome collected(const Step& step, const Parts& parts);

  // --- the end ---
  void end(const Outcome& main, Expectation& out);
  std::set<WorkflowState> undo_everything(WorkflowState otherwise);
  void undo_one(std::size_t entry, bool certain, std::set<bool>& fails);
  void tell(Expectation& out) const;

  // --- evaluating ---
  friend class Names;
  Value visible_results(const Place& place) const;
  Result<Value> render(const Value& value, const Place& place);
  Result<Value> evaluate(std::string_view expression, const Place& place);
  Result<bool> holds(std::string_view expression, const Place& place);
  Result<const jinja::Template*> compiled(std::string_view text, bool expression);

  // --- facts ---
  Fact& note(Fact::Kind kind, std::string key, Value value = {}, bool sure = true);
  void doubt(std::size_t begin, std::size_t end);
  void doubt(const Part& part) { doubt(part.begin, part.end); }
  void beware_counters(std::string_view text);
  void set_variable(const std::string& name, const Value& value, bool sure);
  void keep_result(Place& place, const Step& step, const Value& value, bool sure);
  void ambiguous(const std::string& why) { if (ambiguous_.empty()) ambiguous_ = why; }
  void spend(Duration span) { elapsed_ += span; }

  const Scenario& scenario_;
  jinja::Environment environment_;
  std::map<std::string, jinja::Template, std::less<>> templates_, expressions_;
  const Value* step_names_ = nullptr;  ///< what `step` is just now
  Value variables_;
  Value results_;
  std::vector<Fact> facts_;
  std::vector<Undo> undo_;
  std::set<std::string> doubted_;  ///< variables that timing may or may not have set
  std::map<std::string, std::uint32_t> signals_;
  Duration elapsed_{};
  std::size_t steps_taken_ = 0;
  std::string ambiguous_;
};

}  // namespace mapflow::sim
