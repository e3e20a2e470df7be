// What a host does with a compiled template.
#include <algorithm>

#include "jinja/environment_state.h"
#include "jinja/error_text.h"
#include "jinja/jinja.h"
#include "jinja/render.h"
#include "jinja/runtime.h"

namespace mapflow::jinja {

namespace detail {

namespace {

// Everything a render needs beside the Vm, for an expression that stands alone.
Cell evaluate_root(Vm& vm, const Program& program) {
  constexpr std::uint32_t kSlotsOnStack = 24;
  Cell on_stack[kSlotsOnStack];
  Context context;
  Frame frame{};
  Cell* slots = program.root.slots <= kSlotsOnStack ? on_stack : vm.arena.array<Cell>(program.root.slots);
  enter_frame(frame, slots, program.root, nullptr, context, program);
  vm.frame = &frame;
  const Cell result = program.expression->eval(vm);
  vm.frame = nullptr;
  return result;
}

std::string rendered(Vm& vm, const Program& program) {
  if (program.expression) {
    const Cell value = evaluate_root(vm, program);
    vm.at = program.expression->at;
    append_output(vm, value);
  } else {
    Context context;
    run_template(vm, program, context);
  }
  return vm.out.size() ? std::string(vm.out.data(), vm.out.size()) : std::string();
}

// Runs `use` with a Vm, and turns what it throws into an Error.
template <class T, class Use>
Result<T> with_vm(const Program& program, const Scope& scope, const Limits& limits, Use use) {
  Vm vm(program, scope, limits);  // outlives the catch: it owns the templates that a failure may point into
  try {
    return use(vm);
  } catch (Failure& failure) {
    if (!failure.program) {
      failure.program = vm.program;
      failure.at = vm.at;
    }
    return fail(to_error(failure, program));
  } catch (const std::bad_alloc&) {
    return fail(to_error({FailureClass::limit, "there is not enough memory for this template"}, program));
  }
}

}  // namespace

std::shared_ptr<const Program> finished_program(std::shared_ptr<const EnvironmentState> environment,
                                                std::string_view source, Location origin, bool expression) {
  auto program = compile_program(environment, source, std::move(origin), expression);
  const bool free_names =
      std::any_of(program->uses.begin(), program->uses.end(), [](const NameUse& use) { return use.free; });
  if (free_names || program->calls_out || (program->expression && program->expression->depth > 64)) return program;
  // Nothing it could look up: what it gives now it gives always. One that fails is left to fail when it is used.
  Limits small = environment->options.limits;
  small.instructions = std::min<std::uint64_t>(small.instructions, 20'000);
  small.memory_bytes = std::min<std::size_t>(small.memory_bytes, 1u << 20);
  small.output_bytes = std::min<std::size_t>(small.output_bytes, 64u << 10);
  const ValueScope nothing{Value()};
  auto value = with_vm<Value>(*program, nothing, small, [&](Vm& vm) -> Value {
    return program->expression ? to_value(vm, evaluate_root(vm, *program)) : Value(rendered(vm, *program));
  });
  if (value) program->constant = std::move(*value);
  return program;
}

}  // namespace detail

using detail::Cell;
using detail::Kind;
using detail::Vm;

Result<std::string> Template::render(const Scope& scope) const {
  const detail::Program& program = *program_;
  return detail::with_vm<std::string>(program, scope, program.environment->options.limits,
                                      [&](Vm& vm) { return detail::rendered(vm, program); });
}

Result<std::optional<Value>> Template::evaluate_maybe(const Scope& scope) const {
  const detail::Program& program = *program_;
  using Maybe = std::optional<Value>;
  return detail::with_vm<Maybe>(program, scope, program.environment->options.limits, [&](Vm& vm) -> Maybe {
    if (!program.expression) return Value(detail::rendered(vm, program));
    const Cell value = detail::evaluate_root(vm, program);
    if (value.is(Kind::undefined)) return std::nullopt;
    return detail::to_value(vm, value);
  });
}

Result<Value> Template::evaluate(const Scope& scope) const {
  const detail::Program& program = *program_;
  return detail::with_vm<Value>(program, scope, program.environment->options.limits, [&](Vm& vm) -> Value {
    if (!program.expression) return Value(detail::rendered(vm, program));
    const Cell value = detail::evaluate_root(vm, program);
    vm.at = program.expression->at;
    return detail::to_value(vm, value);
  });
}

Result<bool> Template::test(const Scope& scope) const {
  const detail::Program& program = *program_;
  return detail::with_vm<bool>(program, scope, program.environment->options.limits, [&](Vm& vm) -> bool {
    if (!program.expression) return !detail::rendered(vm, program).empty();
    const Cell value = detail::evaluate_root(vm, program);
    vm.at = program.expression->at;
    return detail::truth(vm, value);
  });
}

std::vector<Reference> Template::references() const {
  std::vector<Reference> references;
  for (const detail::NameUse& use : program_->uses) {
    if (!use.free) continue;
    Reference reference;
    reference.name = use.name->name;
    for (const std::string_view step : use.path) reference.path.emplace_back(step);
    reference.where = detail::place_of(*program_, use.name->at);
    reference.guarded = use.guarded;
    references.push_back(std::move(reference));
  }
  return references;
}

bool Template::touches(std::string_view root, std::span<const std::string> path) const {
  if (program_->shares_scope) return true;
  return std::any_of(program_->uses.begin(), program_->uses.end(), [&](const detail::NameUse& use) {
    if (!use.free || use.name->name != root) return false;
    const std::size_t shared = std::min(use.path.size(), path.size());
    return std::equal(use.path.begin(), use.path.begin() + static_cast<std::ptrdiff_t>(shared), path.begin());
  });
}

const Value* Template::constant() const { return program_->constant ? &*program_->constant : nullptr; }

}  // namespace mapflow::jinja
