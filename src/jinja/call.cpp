// Calls: of built-ins, of the host's functions, of macros, blocks and loops.
#include <algorithm>
#include <array>

#include "jinja/environment_state.h"
#include "jinja/nearest.h"
#include "jinja/program.h"
#include "jinja/render.h"
#include "jinja/runtime.h"

namespace mapflow::jinja::detail {

namespace {

constexpr std::size_t kMostParameters = 12;

std::string_view parameter_name(const FunctionSpec& spec, std::size_t at) {
  std::string_view names = spec.parameters;
  while (at-- > 0) names.remove_prefix(names.find(',') + 1);
  return names.substr(0, names.find(','));
}

// Counts a value as if nothing in it were shared, and stops at the limit: shared parts can make it look endless.
void charge_for(Vm& vm, const Value& value) {
  vm.guard_stack();
  vm.tick();
  vm.arena.charge(sizeof(Value));
  if (value.is_text()) vm.arena.charge(value.size());
  if (value.is_array())
    for (const Value& each : value.as_array()) charge_for(vm, each);
  if (value.is_object())
    for (const auto& [key, each] : value.as_object()) {
      vm.arena.charge(key.size() + sizeof(Text));
      charge_for(vm, each);
    }
}

// A host's function may look at all of its arguments, which is counted before it does.
void tick_for(Vm& vm, const Value& value) {
  vm.guard_stack();
  vm.tick(1 + (value.is_text() ? value.size() / 16 : 0));
  if (value.is_array())
    for (const Value& each : value.as_array()) tick_for(vm, each);
  if (value.is_object())
    for (const auto& [key, each] : value.as_object()) tick_for(vm, each);
}

std::string callee_name(const FunctionSpec& spec) { return std::string(spec.name) + "()"; }

}  // namespace

Cell call_native(Vm& vm, const FunctionSpec& spec, const Cell* self, const Args& args) {
  vm.tick();
  Cell bound[kMostParameters];
  bound[0] = self ? *self : Cell::unset();
  Args rest;
  std::uint32_t given = args.count;
  if (given > spec.count) {
    if (!spec.rest)
      vm.type_error(callee_name(spec) + " takes at most " + std::to_string(spec.count) + " argument(s) (" +
                    std::to_string(given) + " given)");
    rest.positional = args.positional + spec.count;
    rest.count = given - spec.count;
    given = spec.count;
  }
  for (std::uint32_t i = 0; i < given; ++i) bound[i + 1] = args.positional[i];
  for (std::uint32_t i = given; i < spec.count; ++i) bound[i + 1] = Cell::unset();
  std::vector<Named> rest_named;
  for (std::uint32_t n = 0; n < args.named_count; ++n) {
    const Named& named = args.named[n];
    std::size_t at = 0;
    while (at < spec.count && parameter_name(spec, at) != named.name) ++at;
    if (at < spec.count) {
      if (!bound[at + 1].is(Kind::unset))
        vm.type_error(callee_name(spec) + " got multiple values for argument '" + std::string(named.name) + "'");
      bound[at + 1] = named.value;
    } else if (spec.rest_named) {
      rest_named.push_back(named);
    } else {
      vm.type_error(callee_name(spec) + " got an unexpected keyword argument '" + std::string(named.name) + "'");
    }
  }
  for (std::uint32_t i = 0; i < spec.required; ++i)
    if (bound[i + 1].is(Kind::unset)) {
      std::string_view name = parameter_name(spec, i);
      if (name.starts_with('/')) name.remove_prefix(1);
      vm.type_error(callee_name(spec) + " missing required argument '" + std::string(name) + "'");
    }
  rest.named = rest_named.data();
  rest.named_count = static_cast<std::uint32_t>(rest_named.size());
  return spec.run(vm, bound, rest);
}

Cell call_host(Vm& vm, const HostFunction& function, std::string_view name, const Cell* first, const Args& args) {
  vm.tick(10);
  std::vector<Value> positional;
  std::vector<Object::Member> named;
  if (first) positional.push_back(to_value(vm, *first));
  for (std::uint32_t i = 0; i < args.count; ++i) positional.push_back(to_value(vm, args.positional[i]));
  for (std::uint32_t i = 0; i < args.named_count; ++i)
    named.push_back({Text(args.named[i].name), to_value(vm, args.named[i].value)});
  for (const Value& each : positional) tick_for(vm, each);
  for (const auto& [key, each] : named) tick_for(vm, each);
  Result<Value> result = function({positional, named});
  if (!result) {
    const Error& error = result.error();
    Failure failure{error.is(code::resource_exhausted) ? FailureClass::limit : FailureClass::other,
                    (error.message.starts_with(name) ? std::string() : std::string(name) + ": ") + error.message,
                    error.hint,
                    vm.program,
                    vm.at,
                    nullptr};
    throw failure;
  }
  charge_for(vm, *result);
  return data_cell(vm, *vm.keep(std::move(*result)));
}

Cell call_filter(Vm& vm, NamedCallee& filter, Cell value, const Args& args) {
  auto& [name, callee] = filter;
  if (!callee) callee = vm.environment.filter(name);
  if (!callee)
    vm.value_error("no filter named '" + std::string(name) + "'" + did_you_mean(name, vm.environment.filter_names()));
  if (callee.host) {
    check_opaque(vm, value);
    return call_host(vm, *callee.host, name, &value, args);
  }
  if (name != "default" && name != "d") check_opaque(vm, value);
  return call_native(vm, *callee.native, &value, args);
}

bool call_test(Vm& vm, NamedCallee& test, Cell value, const Args& args) {
  auto& [name, callee] = test;
  if (!callee) callee = vm.environment.test(name);
  if (!callee)
    vm.value_error("no test named '" + std::string(name) + "'" + did_you_mean(name, vm.environment.test_names()));
  if (name != "defined" && name != "undefined") check_opaque(vm, value);
  return truth(vm, callee.host ? call_host(vm, *callee.host, name, &value, args)
                               : call_native(vm, *callee.native, &value, args));
}

bool is_callable(Cell cell) {
  switch (cell.kind) {
    case Kind::function:
    case Kind::method:
    case Kind::macro:
    case Kind::loop:
    case Kind::block:
    case Kind::joiner: return true;
    default: return false;
  }
}

// --- macros -------------------------------------------------------------------------------------------------------

namespace {

[[noreturn]] void refuse_arguments(Vm& vm, const MacroDef& def, const std::string& what) {
  vm.type_error("macro " + (def.name.empty() ? std::string("None") : "'" + std::string(def.name) + "'") + " " + what);
}

void bind_macro(Vm& vm, const MacroDef& def, Frame& frame, const Args& args, Cell caller) {
  const auto declared = static_cast<std::uint32_t>(def.parameters.size());
  std::array<bool, 64> small_used{};
  std::vector<bool> large_used;
  if (args.named_count > small_used.size()) large_used.resize(args.named_count);
  const auto used = [&](std::uint32_t i) { return large_used.empty() ? bool(small_used[i]) : bool(large_used[i]); };
  const auto use = [&](std::uint32_t i) {
    if (large_used.empty())
      small_used[i] = true;
    else
      large_used[i] = true;
  };
  bool caller_found = def.caller_declared && args.count >= declared;
  for (std::uint32_t i = 0; i < declared; ++i) {
    const auto& parameter = def.parameters[i];
    Cell value = i < args.count ? args.positional[i] : Cell::unset();
    if (i >= args.count && parameter.name == "caller") {
      caller_found = true;
      value = caller;
      caller = Cell::unset();
    }
    for (std::uint32_t n = 0; i >= args.count && n < args.named_count; ++n)
      if (!used(n) && args.named[n].name == parameter.name) {
        value = args.named[n].value;
        use(n);
      }
    if (value.is(Kind::unset))
      value = parameter.otherwise ? parameter.otherwise->eval(vm) : vm.undefined_parameter(parameter.name);
    frame.slots[parameter.slot] = value;
  }
  if (def.takes_caller && !caller_found) {
    for (std::uint32_t n = 0; n < args.named_count; ++n)
      if (args.named[n].name == "caller" && !used(n)) {
        caller = args.named[n].value;
        use(n);
      }
    frame.slots[def.caller_slot] =
        caller.is(Kind::unset) || caller.is(Kind::none) ? vm.undefined_plain("No caller defined") : caller;
    caller = Cell::unset();
  }
  if (!caller.is(Kind::unset)) {
    if (!def.takes_kwargs)
      refuse_arguments(vm, def,
                       caller_found ? "was invoked with two values for the special caller argument"
                                    : "takes no keyword argument 'caller'");
  }
  if (def.takes_kwargs) {
    const Cell rest = vm.dict();
    const std::uint32_t unpacked_from = args.named_count - args.unpacked_count;
    for (std::uint32_t n = 0; n <= args.named_count; ++n) {
      if (n == unpacked_from && !caller.is(Kind::unset)) vm.set(*rest.as<Dict>(), Cell::borrowed("caller"), caller);
      if (n < args.named_count && !used(n))
        vm.set(*rest.as<Dict>(), Cell::borrowed(args.named[n].name), args.named[n].value);
    }
    frame.slots[def.kwargs_slot] = rest;
  } else {
    for (std::uint32_t n = 0; n < args.named_count; ++n)
      if (!used(n)) refuse_arguments(vm, def, "takes no keyword argument '" + std::string(args.named[n].name) + "'");
  }
  if (def.takes_varargs) {
    const Cell rest = vm.list(0, Kind::tuple);
    for (std::uint32_t i = declared; i < args.count; ++i) vm.append(*rest.as<List>(), args.positional[i]);
    frame.slots[def.varargs_slot] = rest;
  } else if (args.count > declared) {
    refuse_arguments(vm, def, "takes not more than " + std::to_string(declared) + " argument(s)");
  }
}

Cell call_macro(Vm& vm, const Macro& macro, const Args& args, Cell caller) {
  constexpr std::uint32_t kSlotsOnStack = 16;
  const MacroDef& def = *macro.def;
  const Nesting nesting(vm);
  Cell on_stack[kSlotsOnStack];
  const bool leaves = !def.unit.captured && def.unit.slots <= kSlotsOnStack;
  Cell* slots = leaves ? on_stack : vm.arena.array<Cell>(def.unit.slots);
  Frame on_stack_frame{};
  Frame& frame = leaves ? on_stack_frame : *vm.arena.make<Frame>();
  enter_frame(frame, slots, def.unit, macro.frame, *macro.frame->context, *macro.frame->program);
  const bool markup = vm.autoescape;
  const UnitRun run(vm, frame, macro.autoescape);
  start_scope(def.unit.start, vm);
  bind_macro(vm, def, frame, args, caller);
  Capture capture(vm);
  run_body(def.unit.body, vm);
  return capture.finish(markup);
}

Cell call_block(Vm& vm, const BlockRef& block) {
  Capture capture(vm);
  run_block(vm, *block.context, block.name, block.level);
  return capture.finish(vm.autoescape);
}

Cell call_loop(Vm& vm, const Loop& loop, const Args& args) {
  if (!loop.statement) vm.type_error("The loop must have the 'recursive' marker to be called recursively.");
  if (args.count != 1 || args.named_count) vm.type_error("loop() takes exactly one argument");
  const Nesting nesting(vm);
  Frame& frame = *vm.arena.make<Frame>();
  const Unit& unit = loop.statement->unit;
  enter_frame(frame, vm.arena.array<Cell>(unit.slots), unit, loop.frame, *loop.frame->context, *loop.frame->program);
  const UnitRun run(vm, frame, vm.autoescape);
  start_scope(unit.start, vm);
  Capture capture(vm);
  loop.statement->walk(vm, args.positional[0], loop.depth0 + 1);
  return capture.finish(vm.autoescape);
}

}  // namespace

Cell call(Vm& vm, Cell callee, const Args& args, Cell caller) {
  switch (callee.kind) {
    case Kind::macro: return call_macro(vm, *callee.as<Macro>(), args, caller);
    case Kind::function: {
      const Function& function = *callee.as<Function>();
      if (function.native) return call_native(vm, *function.native, nullptr, args);
      return call_host(vm, *static_cast<const HostFunction*>(function.host), function.name, nullptr, args);
    }
    case Kind::method: {
      const Method& method = *callee.as<Method>();
      return call_native(vm, *method.native, &method.self, args);
    }
    case Kind::block: return call_block(vm, *callee.as<BlockRef>());
    case Kind::loop: return call_loop(vm, *callee.as<Loop>(), args);
    case Kind::joiner: {
      Joiner& joiner = *callee.as<Joiner>();
      if (joiner.used) return joiner.separator;
      joiner.used = true;
      return Cell::borrowed("");
    }
    case Kind::undefined: vm.fail_undefined(callee);
    default: vm.type_error("'" + type_name(callee) + "' object is not callable");
  }
}

}  // namespace mapflow::jinja::detail
