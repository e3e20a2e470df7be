// Running units: frames, blocks, templates within templates.
#pragma once

#include <memory>
#include <string_view>

#include "jinja/program.h"
#include "jinja/vm.h"

namespace mapflow::jinja::detail {

/// A fresh frame of `unit`: every slot unset.
void enter_frame(Frame& frame, Cell* slots, const Unit& unit, Frame* outer, Context& context, const Program& program);

/// Runs in `frame` while it lives, then goes back to the frame before.
class UnitRun {
 public:
  UnitRun(Vm& vm, Frame& frame, bool autoescape)
      : vm_(vm), frame_(vm.frame), program_(vm.program), at_(vm.at), autoescape_(vm.autoescape) {
    vm.frame = &frame;
    vm.program = frame.program;
    vm.autoescape = autoescape;
  }
  UnitRun(const UnitRun&) = delete;
  UnitRun& operator=(const UnitRun&) = delete;
  ~UnitRun() {
    vm_.frame = frame_;
    vm_.program = program_;
    vm_.at = at_;
    vm_.autoescape = autoescape_;
  }

 private:
  Vm& vm_;
  Frame* frame_;
  const Program* program_;
  std::uint32_t at_;
  bool autoescape_;
};

/// One level of calls, includes and the like. Fails past the recursion limit.
class Nesting {
 public:
  explicit Nesting(Vm& vm) : vm_(vm) {
    if (vm.recursion >= vm.limits.recursion) vm.limit_error("calls are nested more deeply than the limit allows");
    vm.guard_stack();
    vm.tick();
    ++vm.recursion;
  }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;
  ~Nesting() { --vm_.recursion; }

 private:
  Vm& vm_;
};

/// Renders a whole template, with what it extends, to vm.out.
void run_template(Vm& vm, const Program& program, Context& context);
void run_block(Vm& vm, Context& context, std::string_view name, std::size_t level);

/// Compiles; throws a Failure that does not need the program any more.
std::shared_ptr<Program> compile_program(std::shared_ptr<const EnvironmentState> environment, std::string_view source,
                                         Location origin, bool expression);
/// The same, with its constant value where it has one.
std::shared_ptr<const Program> finished_program(std::shared_ptr<const EnvironmentState> environment,
                                                std::string_view source, Location origin, bool expression);
/// The template that the loader has under this name; null when it has none.
const Program* load_template(Vm& vm, std::string_view name);

}  // namespace mapflow::jinja::detail
