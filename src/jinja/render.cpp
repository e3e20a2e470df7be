// Templates within templates: blocks, extends, include, import.
#include "jinja/render.h"

#include "jinja/environment_state.h"
#include "jinja/error_text.h"
#include "jinja/parser.h"
#include "jinja/runtime.h"

namespace mapflow::jinja::detail {

void enter_frame(Frame& frame, Cell* slots, const Unit& unit, Frame* outer, Context& context, const Program& program) {
  frame.slots = slots;
  frame.outer = outer;
  frame.context = &context;
  frame.program = &program;
  for (std::uint32_t i = 0; i < unit.slots; ++i) slots[i] = Cell::unset();
}

namespace {

using Blocks = std::unordered_map<std::string_view, std::vector<std::pair<const BlockDef*, const Program*>>>;

Blocks& blocks_of(Vm& vm, Context& context) {
  if (!context.blocks) {
    context.blocks = vm.arena.make<Blocks>();
    vm.arena.finalize(context.blocks, [](void* object) { static_cast<Blocks*>(object)->~Blocks(); });
  }
  return *context.blocks;
}

void add_blocks(Vm& vm, Context& context, const Program& program) {
  for (const auto& [name, block] : program.blocks) blocks_of(vm, context)[name].emplace_back(block, &program);
}

void run_root(Vm& vm, const Program& program, Context& context) {
  Frame& frame = *vm.arena.make<Frame>();
  enter_frame(frame, vm.arena.array<Cell>(program.root.slots), program.root, nullptr, context, program);
  const UnitRun run(vm, frame, vm.options.autoescape);
  start_scope(program.root.start, vm);
  run_body(program.root.body, vm);
}

// The values of local names where the frame at hand stands; the innermost of the same name counts.
Dict* snapshot(Vm& vm, const LocalNames* names) {
  Dict* made = nullptr;
  Frame* frame = vm.frame;
  for (; names; names = names->outer) {
    for (const auto& [name, slot] : names->slots) {
      vm.tick();
      const Cell value = frame->slots[slot];
      if (value.is(Kind::unset)) continue;
      if (!made) made = vm.dict().as<Dict>();
      if (!find(*made, name)) vm.set(*made, Cell::borrowed(name), value);
    }
    if (names->outer_is_another_unit) frame = frame->outer;
  }
  return made;
}

[[noreturn]] void not_found(Vm& vm, Cell names) {
  std::string list;
  if (names.is_text()) {
    list = std::string(names.text());
  } else {
    Walk walk(vm, names);
    for (Cell each; walk.next(vm, each);) list += (list.empty() ? "" : ", ") + std::string(to_text(vm, each).text());
  }
  vm.fail(FailureClass::other, "there is no template called '" + list + "'");
}

// The first template of this name, or of these names, that there is; null when there is none.
const Program* first_template(Vm& vm, Cell names, bool several) {
  if (names.is(Kind::undefined)) vm.fail_undefined(names);
  if (names.is_text()) return load_template(vm, names.text());
  if (!several || names.is(Kind::none))
    vm.value_error("the name of a template must be a text, not " + type_name(names));
  if (!names.is_sequence()) vm.type_error("the name of a template must be a text, not " + type_name(names));
  Walk walk(vm, names);
  for (Cell each; walk.next(vm, each);) {
    if (each.is(Kind::undefined)) vm.fail_undefined(each);
    if (const Program* found = load_template(vm, to_text(vm, each).text())) return found;
  }
  return nullptr;
}

}  // namespace

void run_template(Vm& vm, const Program& program, Context& context) {
  add_blocks(vm, context, program);
  const Program* now = &program;
  while (now) {
    context.parent = nullptr;
    run_root(vm, *now, context);
    now = context.parent;
    vm.tick(100);
  }
}

void run_block(Vm& vm, Context& context, std::string_view name, std::size_t level) {
  const auto& [block, program] = context.blocks->at(name)[level];
  const Nesting nesting(vm);
  Frame& frame = *vm.arena.make<Frame>();
  enter_frame(frame, vm.arena.array<Cell>(block->unit.slots), block->unit, nullptr, context, *program);
  frame.block = block;
  frame.block_level = level;
  const UnitRun run(vm, frame, vm.options.autoescape);
  start_scope(block->unit.start, vm);
  run_body(block->unit.body, vm);
}

std::shared_ptr<Program> compile_program(std::shared_ptr<const EnvironmentState> environment, std::string_view source,
                                         Location origin, bool expression) {
  auto program = std::make_shared<Program>();
  program->origin = std::move(origin);
  program->environment = environment;
  try {
    if (source.size() > environment->options.limits.source_bytes)
      throw Failure{FailureClass::limit, "the template is longer than its limit allows", {}, program.get(), 0, nullptr};
    program->source = source;
    Parser parser(*program, *environment);
    if (expression)
      parser.parse_bare_expression();
    else
      parser.parse_template();
  } catch (Failure& failure) {
    failure.ready = std::make_shared<const Error>(to_error(failure, *program));
    failure.program = nullptr;
    throw;
  }
  return program;
}

const Program* load_template(Vm& vm, std::string_view name) {
  if (const auto found = vm.loaded.find(std::string(name)); found != vm.loaded.end()) return found->second.get();
  if (!vm.environment.loader)
    vm.fail(FailureClass::other, "there is no loader to find the template '" + std::string(name) + "' with");
  Result<std::string> source = vm.environment.loader->load(name);
  if (!source) {
    if (source.error().is(code::not_found)) return nullptr;
    vm.fail(FailureClass::other, std::string(name) + ": " + source.error().message);
  }
  vm.arena.charge(source->size() * 8);
  vm.tick(source->size());
  auto program = compile_program(vm.root->environment, *source, {std::string(name), 1, 1}, false);
  return vm.loaded.emplace(std::string(name), std::move(program)).first->second.get();
}

// --- statements ---------------------------------------------------------------------------------------------------

Flow BlockStmt::run(Vm& vm) const {
  Context& context = *vm.frame->context;
  if (top && context.parent) return Flow::next;
  vm.at = at;
  if (block->required) {
    const auto& [most_derived, program] = context.blocks->at(block->name).front();
    if (most_derived->required) vm.value_error("Required block '" + std::string(block->name) + "' not found");
  }
  if (!block->scoped) {
    run_block(vm, context, block->name, 0);
    return Flow::next;
  }
  Context* inner = vm.arena.make<Context>();
  inner->outer = &context;
  inner->sees_scope = context.sees_scope;
  inner->locals = snapshot(vm, locals);
  inner->blocks = context.blocks;
  run_block(vm, *inner, block->name, 0);
  return Flow::next;
}

Flow ExtendsStmt::run(Vm& vm) const {
  Context& context = *vm.frame->context;
  vm.at = at;
  if (context.parent) vm.value_error("extended multiple times");
  const Cell name = parent->eval(vm);
  vm.at = parent->at;
  const Program* found = first_template(vm, name, false);
  if (!found) not_found(vm, name);
  add_blocks(vm, context, *found);
  context.parent = found;
  return Flow::next;
}

Flow IncludeStmt::run(Vm& vm) const {
  vm.tick(100);
  const Cell names = templates->eval(vm);
  vm.at = templates->at;
  const Program* found = first_template(vm, names, true);
  if (!found) {
    if (ignore_missing) return Flow::next;
    not_found(vm, names);
  }
  const Nesting nesting(vm);
  Context* context = vm.arena.make<Context>();
  context->sees_scope = with_context;
  if (with_context) {
    context->outer = vm.frame->context;
    context->locals = snapshot(vm, locals);
  }
  const bool autoescape = vm.autoescape;
  run_template(vm, *found, *context);
  vm.autoescape = autoescape;
  return Flow::next;
}

Flow ImportStmt::run(Vm& vm) const {
  vm.tick(100);
  const Cell name = source->eval(vm);
  vm.at = source->at;
  const Program* found = first_template(vm, name, false);
  if (!found) not_found(vm, name);
  const Nesting nesting(vm);
  Context* context = vm.arena.make<Context>();
  context->sees_scope = with_context;
  if (with_context) {
    context->outer = vm.frame->context;
    context->locals = snapshot(vm, locals);
  }
  Capture capture(vm);
  run_template(vm, *found, *context);
  auto* made =
      vm.arena.make<Module>(vm.dict().as<Dict>(), std::string_view(found->origin.file), capture.finish(true).text());
  if (context->exports)
    for (std::uint32_t i = 0; i < context->exports->used; ++i) {
      const auto& [key, value, key_hash] = context->exports->entries[i];
      if (!key.text().starts_with('_')) vm.set(*made->members, key, value);
    }
  if (members.empty()) {
    assign(module, Cell::made(Kind::module, made), vm);
    return Flow::next;
  }
  for (const auto& [member, target] : members) {
    const Cell* value = find(*made->members, member);
    assign(target,
           value ? *value
                 : vm.undefined_plain("the template '" + std::string(made->name) +
                                      "' does not export the requested name '" + std::string(member) + "'"),
           vm);
  }
  return Flow::next;
}

}  // namespace mapflow::jinja::detail
