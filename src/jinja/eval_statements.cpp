// How statements run.
#include <optional>

#include "jinja/program.h"
#include "jinja/render.h"
#include "jinja/runtime.h"

namespace mapflow::jinja::detail {

Flow run_body(const Body& body, Vm& vm) {
  for (const Stmt* each : body)
    if (const Flow flow = each->run(vm); flow != Flow::next) return flow;
  return Flow::next;
}

void start_scope(const ScopeStart& start, Vm& vm) {
  for (const SlotStart& each : start) {
    Cell value = Cell::unset();
    if (each.from == SlotStart::From::outer) {
      Frame* frame = vm.frame;
      for (std::uint32_t up = each.outer.up; up > 0; --up) frame = frame->outer;
      value = frame->slots[each.outer.slot];
    } else if (each.from == SlotStart::From::nothing) {
      value.flags = kMissing;
    }
    vm.frame->slots[each.slot] = value;
  }
}

namespace {

bool muted(const Vm& vm) { return vm.frame->context->parent != nullptr; }

void export_name(Vm& vm, std::string_view name, Cell value) {
  Context& context = *vm.frame->context;
  if (!context.exports) context.exports = vm.dict().as<Dict>();
  vm.set(*context.exports, Cell::borrowed(name), value);
}

void unpack(const Target& target, Cell value, Vm& vm) {
  if (value.is(Kind::undefined)) vm.check_strict(value);
  if (!is_iterable(value)) vm.type_error("cannot unpack non-iterable " + type_name(value) + " object");
  Walk walk(vm, value);
  Cell item;
  std::size_t count = 0;
  const std::size_t wanted = target.parts.size();
  for (; count < wanted && walk.next(vm, item); ++count) assign(target.parts[count], item, vm);
  vm.at = target.at;
  if (count < wanted)
    vm.value_error("not enough values to unpack (expected " + std::to_string(wanted) + ", got " +
                   std::to_string(count) + ")");
  if (walk.next(vm, item)) vm.value_error("too many values to unpack (expected " + std::to_string(wanted) + ")");
}

}  // namespace

void assign(const Target& target, Cell value, Vm& vm) {
  switch (target.form) {
    case Target::Form::name:
      vm.frame->slots[target.slot] = value;
      if (target.exported) export_name(vm, target.name, value);
      return;
    case Target::Form::tuple:
      vm.at = target.at;
      unpack(target, value, vm);
      return;
    case Target::Form::member: {
      const Cell space = target.space->eval(vm);
      vm.at = target.at;
      if (!space.is(Kind::space)) vm.value_error("cannot assign attribute on non-namespace object");
      vm.set(*space.as<Space>()->members, Cell::borrowed(target.name), value);
      return;
    }
  }
}

Flow TextStmt::run(Vm& vm) const {
  if (top && muted(vm)) return Flow::next;
  vm.out.append(text);
  return Flow::next;
}

Flow OutputStmt::run(Vm& vm) const {
  if (top && muted(vm)) return Flow::next;
  vm.tick();
  const Cell value = expr->eval(vm);
  vm.at = at;
  append_output(vm, value);
  return Flow::next;
}

Flow IfStmt::run(Vm& vm) const {
  for (const auto& [test, body] : branches) {
    vm.tick();
    const Cell value = test->eval(vm);
    vm.at = test->at;
    if (truth(vm, value)) return run_body(body, vm);
  }
  return run_body(otherwise, vm);
}

// --- loops --------------------------------------------------------------------------------------------------------

bool Loop::peek(Vm& vm) {
  if (!next.is(Kind::unset)) return true;
  Cell item;
  if (!walk->next(vm, item)) return false;
  next = item;
  return true;
}

bool Loop::advance(Vm& vm) {
  if (!peek(vm)) return false;
  previous = current;
  current = next;
  next = Cell::unset();
  ++index0;
  return true;
}

std::int64_t Loop::total(Vm& vm) {
  if (length >= 0) return length;
  if (const auto known = length_of(vm, source); known && !source.is(Kind::iterator)) return length = *known;
  // A lazy source: what is left of it becomes a list.
  const Cell rest = vm.list(0);
  for (Cell item; walk->next(vm, item);) {
    vm.tick();
    vm.append(*rest.as<List>(), item);
  }
  length = index0 + 1 + (next.is(Kind::unset) ? 0 : 1) + rest.as<List>()->size;
  walk->source = rest;
  walk->at = 0;
  return length;
}

Flow ForStmt::run(Vm& vm) const {
  vm.tick();
  const Cell items = iterable->eval(vm);
  vm.at = iterable->at;
  if (!recursive) return walk(vm, items, 0);
  Frame& frame = *vm.arena.make<Frame>();
  enter_frame(frame, vm.arena.array<Cell>(unit.slots), unit, vm.frame, *vm.frame->context, *vm.frame->program);
  const UnitRun run(vm, frame, vm.autoescape);
  start_scope(unit.start, vm);
  return walk(vm, items, 0);
}

Flow ForStmt::walk(Vm& vm, Cell items, std::uint32_t depth) const {
  const auto accepts = [&](Cell item) {
    start_scope(filter_start, vm);
    assign(target, item, vm);
    const Cell verdict = filter->eval(vm);
    vm.at = filter->at;
    return truth(vm, verdict);
  };
  if (filter && uses_loop) {
    // `loop` looks ahead, and must then not meet what the filter throws out.
    const Cell accepted = vm.list(0);
    Walk all(vm, items);
    for (Cell item; all.next(vm, item);) {
      vm.tick();
      if (accepts(item)) vm.append(*accepted.as<List>(), item);
    }
    items = accepted;
  }
  Walk walk(vm, items);
  Loop* loop = nullptr;
  if (uses_loop) {
    Walk* kept = vm.arena.make<Walk>(walk);
    loop = vm.arena.make<Loop>();
    loop->source = walk.source;
    loop->walk = kept;
    loop->statement = recursive ? this : nullptr;
    loop->frame = vm.frame->outer;
    loop->depth0 = depth;
  }
  bool any = false;  // as in Jinja2, a pass through the body that a jump cut short does not keep `else` from running
  Cell item;
  while (true) {
    if (loop) {
      if (!loop->advance(vm)) break;
      item = loop->current;
    } else {
      if (!walk.next(vm, item)) break;
      if (filter && !accepts(item)) {
        vm.tick();
        continue;
      }
    }
    vm.tick();
    start_scope(body_start, vm);
    if (target.form == Target::Form::name) [[likely]]
      vm.frame->slots[target.slot] = item;
    else
      assign(target, item, vm);
    if (loop) vm.frame->slots[loop_slot] = Cell::made(Kind::loop, loop);
    const Flow flow = run_body(body, vm);
    if (flow == Flow::leave) break;
    any |= flow == Flow::next;
  }
  if (any || otherwise.empty()) return Flow::next;
  start_scope(else_start, vm);
  return run_body(otherwise, vm);
}

// --- assignments and blocks of text -------------------------------------------------------------------------------

Flow SetStmt::run(Vm& vm) const {
  vm.tick();
  const Cell given = value->eval(vm);
  vm.at = at;
  assign(target, given, vm);
  return Flow::next;
}

namespace {

// Runs a body into a text and through filters. A jump out of the body ends it early, as it ends the loop around; the
// text so far is then lost, as in Jinja2.
Cell captured(Vm& vm, const ScopeStart& start, const Body& body, const std::vector<const FilterExpr*>& filters,
              Flow& flow) {
  Capture capture(vm);
  start_scope(start, vm);
  flow = run_body(body, vm);
  Cell text = capture.finish(vm.autoescape);
  if (flow != Flow::next) return text;
  for (const FilterExpr* filter : filters) text = filter->apply(vm, text);
  return text;
}

}  // namespace

Flow SetBlockStmt::run(Vm& vm) const {
  vm.tick();
  Flow flow = Flow::next;
  Cell text = captured(vm, start, body, filters, flow);
  if (flow != Flow::next) return flow;
  if (vm.autoescape && !filters.empty() && !text.is_markup()) text = vm.text(to_text(vm, text).text(), true);
  assign(target, text, vm);
  return Flow::next;
}

Flow FilterBlockStmt::run(Vm& vm) const {
  vm.tick();
  Flow flow = Flow::next;
  const Cell text = captured(vm, start, body, filters, flow);
  if (flow != Flow::next) return flow;
  vm.at = at;
  if (!text.is_text()) vm.type_error("a filter block must give a text, not " + type_name(text));
  vm.out.append(text.text());
  return Flow::next;
}

Flow WithStmt::run(Vm& vm) const {
  vm.tick();
  const Cell values = vm.list(static_cast<std::uint32_t>(bindings.size()));
  for (const auto& [to, value] : bindings) vm.append(*values.as<List>(), value->eval(vm));
  start_scope(start, vm);
  for (std::size_t i = 0; i < bindings.size(); ++i) assign(bindings[i].first, values.as<List>()->items[i], vm);
  return run_body(body, vm);
}

Flow AutoescapeStmt::run(Vm& vm) const {
  const bool before = vm.autoescape;
  const Cell value = flag->eval(vm);
  vm.autoescape = truth(vm, value);
  start_scope(start, vm);
  const Flow flow = run_body(body, vm);
  vm.autoescape = before;
  return flow;
}

Flow DoStmt::run(Vm& vm) const {
  vm.tick();
  expr->eval(vm);
  return Flow::next;
}

// --- macros -------------------------------------------------------------------------------------------------------

Flow MacroStmt::run(Vm& vm) const {
  assign(target, Cell::made(Kind::macro, vm.arena.make<Macro>(&macro, vm.frame, vm.autoescape)), vm);
  return Flow::next;
}

Flow CallBlockStmt::run(Vm& vm) const {
  const Cell result = call->call(vm, Cell::made(Kind::macro, vm.arena.make<Macro>(&caller, vm.frame, vm.autoescape)));
  vm.at = at;
  append_output(vm, result);
  return Flow::next;
}

}  // namespace mapflow::jinja::detail
