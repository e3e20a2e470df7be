// How expressions evaluate themselves.
#include "jinja/environment_state.h"
#include "jinja/lookup.h"
#include "jinja/program.h"
#include "jinja/runtime.h"

namespace mapflow::jinja::detail {

namespace {

// The arguments of a call, evaluated: in place when they are few.
class Evaluated {
 public:
  Evaluated(Vm& vm, const CallArgs& source, Cell caller = Cell::unset()) {
    std::size_t count = source.positional.size();
    std::size_t named = source.named.size() + (caller.is(Kind::unset) ? 0 : 1);
    Cell* cells = count <= kFew ? cells_ : vm.arena.array<Cell>(count);
    for (std::size_t i = 0; i < count; ++i) cells[i] = source.positional[i]->eval(vm);
    if (source.star) {
      const Cell rest = to_list(vm, source.star->eval(vm));
      const List& more = *rest.as<List>();
      Cell* all = vm.arena.array<Cell>(count + more.size);
      std::copy(cells, cells + count, all);
      std::copy(more.items, more.items + more.size, all + count);
      cells = all;
      count += more.size;
    }
    Named* names = named <= kFew ? named_ : vm.arena.array<Named>(named);
    std::size_t at = 0;
    for (const auto& [name, value] : source.named) names[at++] = {name, value->eval(vm)};
    if (!caller.is(Kind::unset)) names[at++] = {"caller", caller};
    if (source.star_star) {
      const Cell dict = source.star_star->eval(vm);
      if (!dict.is_dict()) vm.type_error("argument after ** must be a mapping, not " + type_name(dict));
      const auto more = static_cast<std::size_t>(*length_of(vm, dict));
      Named* all = vm.arena.array<Named>(named + more);
      std::copy(names, names + at, all);
      names = all;
      Entries entries(vm, dict);
      for (Cell key, value; entries.next(vm, key, value);) {
        if (!key.is_text()) vm.type_error("keywords must be strings");
        for (std::size_t i = 0; i < at; ++i)
          if (names[i].name == key.text())
            vm.type_error("got multiple values for keyword argument '" + std::string(key.text()) + "'");
        names[at++] = {key.text(), value};
      }
      args.unpacked_count = static_cast<std::uint32_t>(more);
    }
    args.positional = cells;
    args.count = static_cast<std::uint32_t>(count);
    args.named = names;
    args.named_count = static_cast<std::uint32_t>(at);
  }
  Evaluated(const Evaluated&) = delete;
  Evaluated& operator=(const Evaluated&) = delete;

  Args args;

 private:
  static constexpr std::size_t kFew = 4;
  Cell cells_[kFew];
  Named named_[kFew];
};

bool compare(Vm& vm, Comparison op, Cell a, Cell b) {
  if (a.is(Kind::integer) && b.is(Kind::integer)) {
    switch (op) {
      case Comparison::eq: return a.integer == b.integer;
      case Comparison::ne: return a.integer != b.integer;
      case Comparison::lt: return a.integer < b.integer;
      case Comparison::le: return a.integer <= b.integer;
      case Comparison::gt: return a.integer > b.integer;
      case Comparison::ge: return a.integer >= b.integer;
      default: break;
    }
  }
  switch (op) {
    case Comparison::eq: return equal(vm, a, b);
    case Comparison::ne: return !equal(vm, a, b);
    case Comparison::in: return contains(vm, b, a);
    case Comparison::not_in: return !contains(vm, b, a);
    default: return ordered(vm, a, b, op);
  }
}

}  // namespace

Cell NameExpr::eval(Vm& vm) const {
  Frame* frame = vm.frame;
  for (std::uint32_t up = place.up; up > 0; --up) frame = frame->outer;
  Cell& slot = frame->slots[place.slot];
  if (!slot.is(Kind::unset)) [[likely]]
    return slot;
  vm.at = at;
  const Cell found = slot.flags == kMissing ? vm.undefined_name(name) : vm.look_up(name);
  if (!found.is(Kind::undefined)) slot = found;  // what is undefined is asked for again, to know where
  return found;
}

Cell GetAttrExpr::eval(Vm& vm) const {
  const Cell value = base->eval(vm);
  if (value.is(Kind::data_dict) && !vm.changed_data &&
      (vm.options.lookup == Lookup::data_first ? !called : !attr.methods[static_cast<std::size_t>(MethodHolder::dict)]))
    if (const Value* found = value.value->find(attr.name)) return data_cell(vm, *found);
  vm.at = at;
  return get_attribute(vm, value, attr, called);
}

Cell GetItemExpr::eval(Vm& vm) const {
  const Cell value = base->eval(vm);
  const Cell wanted = key->eval(vm);
  vm.at = at;
  vm.tick();
  return get_item(vm, value, wanted);
}

Cell SliceExpr::eval(Vm& vm) const {
  const Cell value = base->eval(vm);
  const Cell from = start ? start->eval(vm) : Cell::none();
  const Cell to = stop ? stop->eval(vm) : Cell::none();
  const Cell by = step ? step->eval(vm) : Cell::none();
  vm.at = at;
  vm.tick();
  if (value.is(Kind::undefined)) vm.fail_undefined(value);
  check_opaque(vm, value);
  if (value.is_dict()) vm.type_error("unhashable type: 'slice'");
  if (!value.is_text() && !value.is_sequence() && !value.is(Kind::range))
    vm.type_error("'" + type_name(value) + "' object is not subscriptable");
  return slice(vm, value, from, to, by);
}

Cell CallExpr::call(Vm& vm, Cell caller) const {
  vm.tick();
  if (const GetAttrExpr* attr = attribute) {
    const Cell self = attr->base->eval(vm);
    if (const FunctionSpec* method = method_of(self, attr->attr)) {
      const Evaluated evaluated(vm, args, caller);
      vm.at = at;
      check_opaque(vm, self);
      return call_native(vm, *method, &self, evaluated.args);
    }
    vm.at = attr->at;
    const Cell function = get_attribute(vm, self, attr->attr, true);
    const Evaluated evaluated(vm, args, caller.is(Kind::unset) || function.is(Kind::macro) ? Cell::unset() : caller);
    vm.at = at;
    return detail::call(vm, function, evaluated.args, caller);
  }
  const Cell function = callee->eval(vm);
  const Evaluated evaluated(vm, args, caller.is(Kind::unset) || function.is(Kind::macro) ? Cell::unset() : caller);
  vm.at = at;
  return detail::call(vm, function, evaluated.args, caller);
}

Cell FilterExpr::eval(Vm& vm) const { return apply(vm, base->eval(vm)); }

Cell FilterExpr::apply(Vm& vm, Cell value) const {
  const Evaluated evaluated(vm, args);
  vm.at = at;
  if (native && !vm.opaque) return call_native(vm, *native, &value, evaluated.args);
  NamedCallee filter{name, {native, host}};
  return call_filter(vm, filter, value, evaluated.args);
}

Cell TestExpr::eval(Vm& vm) const {
  const Cell value = base->eval(vm);
  if (asks_defined) return Cell::of(!value.is(Kind::undefined));
  if (asks_undefined) return Cell::of(value.is(Kind::undefined));
  const Evaluated evaluated(vm, args);
  vm.at = at;
  if (native && !vm.opaque) return Cell::of(truth(vm, call_native(vm, *native, &value, evaluated.args)));
  NamedCallee test{name, {native, host}};
  return Cell::of(call_test(vm, test, value, evaluated.args));
}

Cell NotExpr::eval(Vm& vm) const {
  const Cell value = operand->eval(vm);
  vm.at = at;
  return Cell::of(!truth(vm, value));
}

Cell SignExpr::eval(Vm& vm) const {
  const Cell value = operand->eval(vm);
  vm.at = at;
  return negate(vm, value, negative);
}

Cell ArithmeticExpr::eval(Vm& vm) const {
  const Cell a = left->eval(vm);
  const Cell b = right->eval(vm);
  vm.tick();
  if (a.is(Kind::integer) && b.is(Kind::integer)) {
    std::int64_t result = 0;
    if (op == Arithmetic::add && !__builtin_add_overflow(a.integer, b.integer, &result)) return Cell::of(result);
    if (op == Arithmetic::sub && !__builtin_sub_overflow(a.integer, b.integer, &result)) return Cell::of(result);
    if (op == Arithmetic::mul && !__builtin_mul_overflow(a.integer, b.integer, &result)) return Cell::of(result);
  }
  vm.at = at;
  return arithmetic(vm, op, a, b);
}

Cell CompareExpr::eval(Vm& vm) const {
  vm.tick();
  Cell a = left->eval(vm);
  for (const Step& each : steps) {
    const Cell b = each.right->eval(vm);
    vm.at = at;
    if (!compare(vm, each.op, a, b)) return Cell::of(false);
    a = b;
  }
  return Cell::of(true);
}

Cell LogicExpr::eval(Vm& vm) const {
  Cell value = Cell::none();
  for (std::size_t i = 0; i < operands.size(); ++i) {
    value = operands[i]->eval(vm);
    if (i + 1 == operands.size()) break;
    vm.at = operands[i]->at;
    if (truth(vm, value) == decides_on) break;
  }
  return value;
}

Cell ConcatExpr::eval(Vm& vm) const {
  vm.tick();
  Capture capture(vm);
  bool markup = false;
  if (!vm.autoescape) {
    for (const Expr* part : parts) {
      const Cell value = part->eval(vm);
      vm.at = part->at;
      append_text(vm, value);
    }
    return capture.finish();
  }
  const Cell values = vm.list(static_cast<std::uint32_t>(parts.size()));
  for (const Expr* part : parts) {
    vm.append(*values.as<List>(), part->eval(vm));
    markup = markup || values.as<List>()->items[values.as<List>()->size - 1].is_markup();
  }
  vm.at = at;
  for (std::uint32_t i = 0; i < values.as<List>()->size; ++i) {
    const Cell value = values.as<List>()->items[i];
    if (markup)
      vm.out.append(escaped(vm, value).text());
    else
      append_text(vm, value);
  }
  return capture.finish(markup);
}

Cell ConditionalExpr::eval(Vm& vm) const {
  const Cell value = test->eval(vm);
  vm.at = at;
  if (truth(vm, value)) return yes->eval(vm);
  if (no) return no->eval(vm);
  Cell nothing = vm.undefined_plain("the inline if-expression evaluated to false and no else section was defined.");
  nothing.flags = kLenient;
  return nothing;
}

Cell SequenceExpr::eval(Vm& vm) const {
  vm.tick(items.size());
  const Cell made = vm.list(static_cast<std::uint32_t>(items.size()), tuple ? Kind::tuple : Kind::list);
  List& list = *made.as<List>();
  for (const Expr* item : items) list.items[list.size++] = item->eval(vm);
  return made;
}

Cell DictExpr::eval(Vm& vm) const {
  vm.tick(entries.size());
  const Cell made = vm.dict();
  for (const auto& [key, value] : entries) {
    const Cell name = key->eval(vm);
    const Cell content = value->eval(vm);
    vm.at = key->at;
    vm.set(*made.as<Dict>(), name, content);
  }
  return made;
}

}  // namespace mapflow::jinja::detail
