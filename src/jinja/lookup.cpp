// Attributes and items. Which methods a type has is in method_tables(); what else it has is here.
#include "jinja/lookup.h"

#include <algorithm>

#include "jinja/runtime.h"
#include "jinja/unicode.h"

namespace mapflow::jinja::detail {

namespace {

std::optional<MethodHolder> holder_of(Cell base) {
  switch (base.kind) {
    case Kind::text: return MethodHolder::text;
    case Kind::list:
    case Kind::data_list: return MethodHolder::list;
    case Kind::tuple: return MethodHolder::tuple;
    case Kind::range: return MethodHolder::tuple;
    case Kind::dict:
    case Kind::data_dict: return MethodHolder::dict;
    case Kind::boolean:
    case Kind::integer:
    case Kind::bigint: return MethodHolder::integer;
    case Kind::number: return MethodHolder::number;
    case Kind::view: return MethodHolder::view;
    default: return std::nullopt;
  }
}

// Attributes that every Python object has, or the types here have. A template may ask for them but not use them.
bool is_internal(Cell base, std::string_view name) {
  static constexpr std::string_view everywhere[] = {
      "__class__",   "__delattr__", "__dir__",           "__doc__",         "__eq__",
      "__format__",  "__ge__",      "__getattribute__",  "__getstate__",    "__gt__",
      "__hash__",    "__init__",    "__init_subclass__", "__le__",          "__lt__",
      "__ne__",      "__new__",     "__reduce__",        "__reduce_ex__",   "__repr__",
      "__setattr__", "__sizeof__",  "__str__",           "__subclasshook__"};
  static constexpr std::string_view of_sequences[] = {"__add__",  "__contains__", "__getitem__", "__getnewargs__",
                                                      "__iter__", "__len__",      "__mul__",     "__rmul__"};
  static constexpr std::string_view of_text[] = {"__mod__", "__rmod__"};
  static constexpr std::string_view of_lists[] = {"__class_getitem__", "__delitem__",  "__iadd__",
                                                  "__imul__",          "__reversed__", "__setitem__"};
  static constexpr std::string_view of_dicts[] = {"__class_getitem__", "__contains__", "__delitem__", "__getitem__",
                                                  "__ior__",           "__iter__",     "__len__",     "__or__",
                                                  "__reversed__",      "__ror__",      "__setitem__"};
  static constexpr std::string_view of_numbers[] = {
      "__abs__",      "__add__",       "__bool__",    "__divmod__", "__float__", "__floordiv__", "__getnewargs__",
      "__int__",      "__mod__",       "__mul__",     "__neg__",    "__pos__",   "__pow__",      "__radd__",
      "__rdivmod__",  "__rfloordiv__", "__rmod__",    "__rmul__",   "__round__", "__rpow__",     "__rsub__",
      "__rtruediv__", "__sub__",       "__truediv__", "__trunc__"};
  static constexpr std::string_view of_macros[] = {"__call__", "__dict__",     "__module__",      "__weakref__",
                                                   "_func",    "_environment", "_argument_count", "_default_autoescape",
                                                   "_invoke"};
  const auto among = [&](const auto& names) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
  };
  if (!name.starts_with('_')) return false;
  if (among(everywhere)) return true;
  if (base.is_text()) return among(of_sequences) || among(of_text);
  if (base.is_list()) return among(of_sequences) || among(of_lists);
  if (base.is(Kind::tuple)) return among(of_sequences) || name == "__class_getitem__";
  if (base.is_dict()) return among(of_dicts);
  if (base.is_number()) return among(of_numbers);
  if (base.is(Kind::macro)) return among(of_macros);
  return false;
}

Cell loop_attribute(Vm& vm, Cell base, std::string_view name) {
  Loop& loop = *base.as<Loop>();
  if (name == "index") return Cell::of(loop.index0 + 1);
  if (name == "index0") return Cell::of(loop.index0);
  if (name == "first") return Cell::of(loop.index0 == 0);
  if (name == "last") return Cell::of(!loop.peek(vm));
  if (name == "length") return Cell::of(loop.total(vm));
  if (name == "revindex") return Cell::of(loop.total(vm) - loop.index0);
  if (name == "revindex0") return Cell::of(loop.total(vm) - loop.index0 - 1);
  if (name == "depth") return Cell::of(std::int64_t{loop.depth0} + 1);
  if (name == "depth0") return Cell::of(std::int64_t{loop.depth0});
  if (name == "previtem")
    return loop.previous.is(Kind::unset) ? vm.undefined_plain("there is no previous item") : loop.previous;
  if (name == "nextitem") return loop.peek(vm) ? loop.next : vm.undefined_plain("there is no next item");
  if (name == "cycle") return bound_method(vm, base, loop_cycle());
  if (name == "changed") return bound_method(vm, base, loop_changed());
  return Cell::unset();
}

Cell special_attribute(Vm& vm, Cell base, std::string_view name) {
  switch (base.kind) {
    case Kind::loop: return loop_attribute(vm, base, name);
    case Kind::space: {
      const Cell* found = find(*base.as<Space>()->members, name);
      return found ? *found : Cell::unset();
    }
    case Kind::module: {
      const Cell* found = find(*base.as<Module>()->members, name);
      return found ? *found : Cell::unset();
    }
    case Kind::self: {
      auto* context = base.as<Context>();
      if (!context->blocks || !context->blocks->contains(name)) return Cell::unset();
      return Cell::made(Kind::block, vm.arena.make<BlockRef>(name, std::size_t{0}, context));
    }
    case Kind::cycler:
      if (name == "current")
        return element(vm, Cell::made(Kind::list, base.as<Cycler>()->items), base.as<Cycler>()->position);
      if (name == "next") return bound_method(vm, base, cycler_next());
      if (name == "reset") return bound_method(vm, base, cycler_reset());
      return Cell::unset();
    case Kind::block: return name == "super" ? parent_block(vm, *base.as<BlockRef>()) : Cell::unset();
    case Kind::macro: {
      const MacroDef& def = *base.as<Macro>()->def;
      if (name == "name") return def.name.empty() ? Cell::none() : Cell::borrowed(def.name);
      if (name == "caller") return Cell::of(def.takes_caller);
      if (name == "catch_varargs") return Cell::of(def.takes_varargs);
      if (name == "catch_kwargs") return Cell::of(def.takes_kwargs);
      if (name == "arguments") {
        const Cell names = vm.list(0, Kind::tuple);
        for (const auto& parameter : def.parameters) vm.append(*names.as<List>(), Cell::borrowed(parameter.name));
        return names;
      }
      return Cell::unset();
    }
    case Kind::tuple:
      if (base.as<List>()->grouped) {
        if (name == "grouper") return base.as<List>()->items[0];
        if (name == "list") return base.as<List>()->items[1];
      }
      return Cell::unset();
    case Kind::range:
      if (name == "start") return Cell::of(base.as<Range>()->start);
      if (name == "stop") return Cell::of(base.as<Range>()->stop);
      if (name == "step") return Cell::of(base.as<Range>()->step);
      return Cell::unset();
    case Kind::boolean:
    case Kind::integer:
    case Kind::bigint:
      if (name == "real" || name == "numerator") return negate(vm, base, false);
      if (name == "imag") return Cell::of(std::int64_t{0});
      if (name == "denominator") return Cell::of(std::int64_t{1});
      return Cell::unset();
    case Kind::number:
      if (name == "real") return base;
      if (name == "imag") return Cell::of(0.0);
      return Cell::unset();
    default: return Cell::unset();
  }
}

Cell key_of(Vm& vm, Cell base, std::string_view name) {
  return base.is_dict() ? member(vm, base, Cell::borrowed(name)) : Cell::unset();
}

}  // namespace

Cell bound_method(Vm& vm, Cell self, const FunctionSpec& spec) {
  return Cell::made(Kind::method, vm.arena.make<Method>(&spec, self));
}

std::vector<std::string> method_names(Cell base) {
  std::vector<std::string> names;
  if (const auto holder = holder_of(base))
    for (const FunctionSpec& each : method_table(*holder)) names.emplace_back(each.name);
  return names;
}

const FunctionSpec* method_of(Cell base, const AttrName& name) {
  const auto holder = holder_of(base);
  return holder ? name.methods[static_cast<std::size_t>(*holder)] : nullptr;
}

AttrName attr_name(std::string_view name) {
  AttrName made;
  made.name = name;
  for (std::size_t i = 0; i < made.methods.size(); ++i) {
    const auto table = method_table(static_cast<MethodHolder>(i));
    const auto found =
        std::find_if(table.begin(), table.end(), [&](const FunctionSpec& each) { return each.name == name; });
    made.methods[i] = found == table.end() ? nullptr : &*found;
  }
  return made;
}

Cell get_attribute(Vm& vm, Cell base, const AttrName& name, bool called) {
  if (vm.options.lookup == Lookup::data_first && !called)
    if (const Cell found = key_of(vm, base, name.name); !found.is(Kind::unset)) return found;
  if (base.is(Kind::undefined)) {
    if (is_internal(base, name.name)) return vm.undefined_blocked(base, name.name);
    vm.fail_undefined(base);
  }
  check_opaque(vm, base);
  if (const FunctionSpec* method = method_of(base, name)) return bound_method(vm, base, *method);
  if (const Cell found = special_attribute(vm, base, name.name); !found.is(Kind::unset)) return found;
  if (is_internal(base, name.name)) return vm.undefined_blocked(base, name.name);
  if (const Cell found = key_of(vm, base, name.name); !found.is(Kind::unset)) return found;
  return vm.undefined_attribute(base, name.name);
}

Cell get_item(Vm& vm, Cell base, Cell key) {
  if (base.is(Kind::undefined)) vm.fail_undefined(base);
  check_opaque(vm, base);
  check_opaque(vm, key);
  if (base.is_dict()) {
    const bool hashable = !key.is_list() && !key.is_dict() && !key.is(Kind::view);
    if (hashable)
      if (const Cell found = member(vm, base, key); !found.is(Kind::unset)) return found;
  } else if (const auto at = whole(key); at && (base.is_text() || base.is_sequence() || base.is(Kind::range))) {
    const std::int64_t size = *length_of(vm, base);
    const std::int64_t place = *at < 0 ? *at + size : *at;
    if (place >= 0 && place < size) {
      if (base.is(Kind::range)) return Cell::of(base.as<Range>()->start + place * base.as<Range>()->step);
      if (!base.is_text()) return element(vm, base, place);
      const std::string_view text = base.text();
      const std::size_t from = static_cast<std::size_t>(size) == text.size()
                                   ? static_cast<std::size_t>(place)
                                   : unicode::offset(text, static_cast<std::size_t>(place));
      vm.tick(text.size() / 32);
      return Cell::borrowed(text.substr(from, unicode::decode(text.substr(from)).width), base.is_markup());
    }
  }
  if (key.is_text()) {
    const AttrName name = attr_name(key.text());
    if (const FunctionSpec* method = method_of(base, name)) return bound_method(vm, base, *method);
    if (const Cell found = special_attribute(vm, base, name.name); !found.is(Kind::unset)) return found;
    if (is_internal(base, name.name)) return vm.undefined_blocked(base, name.name);
  }
  return vm.undefined_item(base, key);
}

}  // namespace mapflow::jinja::detail
