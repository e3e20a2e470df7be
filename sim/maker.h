// Makes one random definition. Internal to the generator.
//
//   maker.cpp         blocks, what all steps have in common, expressions
//   maker_leaves.cpp  one function per kind that contains no steps
//   maker_blocks.cpp  one per kind that does
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "model/definition.h"
#include "sim/chance.h"
#include "sim/scenario.h"

namespace mapflow::sim {

/// What is known of a value that a template could name.
enum class Shape : std::uint8_t {
  number, text, numbers, list, object,
  opaque,  ///< anything, but always the same: may be passed on
  racy,    ///< timing decides it: must not be looked at
};

/// Names that are there for certain, as expressions, by what they are.
struct Known {
  std::vector<std::string> numbers, texts, number_lists, lists, opaque;
  void add(const std::string& expression, Shape shape);
  void forget(std::string_view name);
};

/// Where a block stands.
struct Setting {
  Known known;
  unsigned depth = 0;
  bool at_once = false;                ///< the same step may run more than once at the same time
  bool undoing = false;                ///< inside a compensation
  std::vector<std::string> loop_vars;  ///< of the loops around, outermost first
  std::vector<std::string> rounds;     ///< variables that count how often the blocks around were tried
};

struct Made {
  Step step;
  Shape shape = Shape::opaque;
  bool may_stop = false;  ///< it may be skipped, or fail without the block failing: what is inside may not have run
};

class Maker {
 public:
  /// `prefix`: of the ids of all steps.
  Maker(std::uint64_t seed, unsigned most_steps, std::string prefix = "s")
      : chance_(seed), steps_left_(most_steps), prefix_(std::move(prefix)) {}
  Scenario make();

 private:
  // --- blocks and what steps have in common ---
  /// Adds what is known after the block to `setting`. Gives the shape of the block's value.
  Shape block(Block& out, Setting& setting, unsigned most);
  Shape inner(Block& out, const Setting& around, unsigned most, Known* learned = nullptr);
  Made step(Setting& setting);
  void decorate(Made& made, Setting& setting, bool leaf);
  void add_retry(Step& step);
  void add_error_policy(Made& made, const Setting& setting, bool leaf);
  void add_success(Made& made, const Setting& setting);
  void add_compensation(Step& step, const Setting& setting, bool leaf, Shape shape);
  void export_result(const Made& made, Setting& setting, const Known& learned);

  // --- kinds ---
  Made message(const Setting& setting);
  Made custom(const Setting& setting);
  Made transform(Setting& setting, Known& learned);
  Made conditional(const Setting& setting);
  Made parallel(const Setting& setting, Known& learned);
  void add_meeting(Step& parallel);
  Made loop(const Setting& setting);
  Made counted_loop(Made made, Setting inside);
  Made aggregate(const Setting& setting);
  Made wait(const Setting& setting);
  Made sequence(const Setting& setting, Known& learned);
  void play(Step& step, const Setting& setting, Shape& shape);
  void expect(Step& step, Role& role);
  static void will_be_tried_again(Role& role, const Step& step);
  Shape branch(Step& step, const std::string& role, const Setting& setting, unsigned most, Known* learned = nullptr);
  Setting body_of(const Setting& around, Step& loop, Shape item);

  // --- expressions ---
  std::string number(const Setting& setting, unsigned depth = 0);
  std::string condition(const Setting& setting);
  Value data(const Setting& setting);
  Value quoted(const std::string& expression) { return Value("{{ " + expression + " }}"); }

  Step named(const std::string& type);
  std::string variable(const Step& step);
  void declare(const std::string& variable, Value value);
  Duration patience() { return std::chrono::seconds(chance_.between(100, 160)); }

  Chance chance_;
  unsigned steps_left_;
  const std::string prefix_;
  unsigned ids_ = 0;
  Scenario scenario_;
};

}  // namespace mapflow::sim
