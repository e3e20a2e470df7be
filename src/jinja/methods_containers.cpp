// Methods of lists, tuples, dicts and their views. Those that change a list or dict change the template's own copy,
// never the host's data.
#include <algorithm>

#include "jinja/builtins.h"
#include "jinja/environment_state.h"
#include "jinja/lookup.h"

namespace mapflow::jinja::detail {

namespace {

List& own_list(Vm& vm, Cell self) { return *vm.changeable(self).as<List>(); }
Dict& own_dict(Vm& vm, Cell self) { return *vm.changeable(self).as<Dict>(); }

// --- lists --------------------------------------------------------------------------------------------------------

Cell append(Vm& vm, const Cell* a, const Args&) {
  vm.append(own_list(vm, a[0]), a[1]);
  return Cell::none();
}

Cell extend(Vm& vm, const Cell* a, const Args&) {
  List& list = own_list(vm, a[0]);
  const Cell more = to_list(vm, a[1]);
  for (std::uint32_t i = 0; i < more.as<List>()->size; ++i) vm.append(list, more.as<List>()->items[i]);
  return Cell::none();
}

Cell insert(Vm& vm, const Cell* a, const Args&) {
  List& list = own_list(vm, a[0]);
  std::int64_t at = index(vm, a[1]);
  if (at < 0) at = std::max<std::int64_t>(0, at + list.size);
  at = std::min<std::int64_t>(at, list.size);
  vm.append(list, a[2]);
  vm.tick(list.size - static_cast<std::uint64_t>(at));
  std::rotate(list.items + at, list.items + list.size - 1, list.items + list.size);
  return Cell::none();
}

Cell pop(Vm& vm, const Cell* a, const Args&) {
  List& list = own_list(vm, a[0]);
  std::int64_t at = integer_or(vm, a[1], -1);
  if (list.size == 0) vm.value_error("pop from empty list");
  if (at < 0) at += list.size;
  if (at < 0 || at >= list.size) vm.value_error("pop index out of range");
  const Cell taken = list.items[at];
  vm.tick(list.size - static_cast<std::uint64_t>(at));
  std::copy(list.items + at + 1, list.items + list.size, list.items + at);
  --list.size;
  return taken;
}

Cell remove(Vm& vm, const Cell* a, const Args&) {
  List& list = own_list(vm, a[0]);
  for (std::uint32_t i = 0; i < list.size; ++i) {
    vm.tick();
    if (!equal(vm, list.items[i], a[1])) continue;
    std::copy(list.items + i + 1, list.items + list.size, list.items + i);
    --list.size;
    return Cell::none();
  }
  vm.value_error("list.remove(x): x not in list");
}

Cell clear_list(Vm& vm, const Cell* a, const Args&) {
  own_list(vm, a[0]).size = 0;
  return Cell::none();
}

Cell reverse(Vm& vm, const Cell* a, const Args&) {
  List& list = own_list(vm, a[0]);
  vm.tick(list.size);
  std::reverse(list.items, list.items + list.size);
  return Cell::none();
}

Cell sort(Vm& vm, const Cell* a, const Args&) {
  List& list = own_list(vm, a[0]);
  const bool reverse = truth_or(vm, a[2], false);
  std::vector<std::pair<Cell, Cell>> items;
  for (std::uint32_t i = 0; i < list.size; ++i) {
    const Cell item = list.items[i];
    items.emplace_back(given_value(a[1]) ? call(vm, a[1], {&item, 1, nullptr, 0}) : item, item);
  }
  std::stable_sort(items.begin(), items.end(), [&](const auto& x, const auto& y) {
    vm.tick();
    return reverse ? ordered(vm, y.first, x.first, Comparison::lt) : ordered(vm, x.first, y.first, Comparison::lt);
  });
  for (std::uint32_t i = 0; i < list.size && i < items.size(); ++i) list.items[i] = items[i].second;
  return Cell::none();
}

Cell copy_list(Vm& vm, const Cell* a, const Args&) { return to_list(vm, a[0]); }

Cell index_of(Vm& vm, const Cell* a, const Args&) {
  const std::int64_t size = *length_of(vm, a[0]);
  std::int64_t from = integer_or(vm, a[2], 0), to = integer_or(vm, a[3], size);
  if (from < 0) from = std::max<std::int64_t>(0, from + size);
  if (to < 0) to += size;
  Walk walk(vm, a[0]);
  std::int64_t at = 0;
  for (Cell item; walk.next(vm, item); ++at) {
    vm.tick();
    if (at >= from && at < to && equal(vm, item, a[1])) return Cell::of(at);
  }
  vm.value_error(summary(vm, a[1]) + " is not in " + (a[0].is(Kind::tuple) ? "tuple" : "list"));
}

Cell count(Vm& vm, const Cell* a, const Args&) {
  std::int64_t found = 0;
  Walk walk(vm, a[0]);
  for (Cell item; walk.next(vm, item);) {
    vm.tick();
    found += equal(vm, item, a[1]);
  }
  return Cell::of(found);
}

// --- dicts --------------------------------------------------------------------------------------------------------

template <View::Part part>
Cell view(Vm& vm, const Cell* a, const Args&) {
  return Cell::made(Kind::view, vm.arena.make<View>(part, a[0]));
}

Cell get(Vm& vm, const Cell* a, const Args&) {
  const Cell found = member(vm, a[0], a[1]);
  if (given(found)) return found;
  return given(a[2]) ? a[2] : Cell::none();
}

Cell pop_key(Vm& vm, const Cell* a, const Args&) {
  const Cell found = member(vm, a[0], a[1]);
  if (given(found)) {
    erase(vm, own_dict(vm, a[0]), a[1]);
    return found;
  }
  if (given(a[2])) return a[2];
  vm.value_error("there is no key " + summary(vm, a[1]));
}

Cell popitem(Vm& vm, const Cell* a, const Args&) {
  Dict& dict = own_dict(vm, a[0]);
  for (std::uint32_t i = dict.used; i-- > 0;) {
    vm.tick();
    if (dict.entries[i].key.is(Kind::unset)) continue;
    const Cell pair = make_tuple(vm, {dict.entries[i].key, dict.entries[i].value});
    dict.entries[i].key = Cell::unset();
    --dict.size;
    return pair;
  }
  vm.value_error("popitem(): dictionary is empty");
}

Cell setdefault(Vm& vm, const Cell* a, const Args&) {
  const Cell found = member(vm, a[0], a[1]);
  if (given(found)) return found;
  const Cell value = given(a[2]) ? a[2] : Cell::none();
  vm.set(own_dict(vm, a[0]), a[1], value);
  return value;
}

Cell update(Vm& vm, const Cell* a, const Args& rest) {
  Dict& dict = own_dict(vm, a[0]);
  if (given(a[1])) {
    const Args only{&a[1], 1, nullptr, 0};
    const Cell more = call_native(vm, *native_global("dict"), nullptr, only);
    Entries entries(vm, more);
    for (Cell key, value; entries.next(vm, key, value);) vm.set(dict, key, value);
  }
  for (std::uint32_t i = 0; i < rest.named_count; ++i)
    vm.set(dict, Cell::borrowed(rest.named[i].name), rest.named[i].value);
  return Cell::none();
}

Cell clear_dict(Vm& vm, const Cell* a, const Args&) {
  own_dict(vm, a[0]) = Dict{};
  return Cell::none();
}

Cell copy_dict(Vm& vm, const Cell* a, const Args&) {
  const Cell made = vm.dict();
  Entries entries(vm, a[0]);
  for (Cell key, value; entries.next(vm, key, value);) vm.set(*made.as<Dict>(), key, value);
  return made;
}

Cell fromkeys(Vm& vm, const Cell* a, const Args&) {
  const Cell made = vm.dict();
  Walk walk(vm, a[1]);
  for (Cell key; walk.next(vm, key);) {
    vm.tick();
    vm.set(*made.as<Dict>(), key, given(a[2]) ? a[2] : Cell::none());
  }
  return made;
}

Cell isdisjoint(Vm& vm, const Cell* a, const Args&) {
  Walk walk(vm, a[1]);
  for (Cell item; walk.next(vm, item);)
    if (contains(vm, a[0], item)) return Cell::of(false);
  return Cell::of(true);
}

constexpr FunctionSpec kList[] = {
    {"append", append, "/object", 1},
    {"clear", clear_list},
    {"copy", copy_list},
    {"count", count, "/value", 1},
    {"extend", extend, "/iterable", 1},
    {"index", index_of, "/value,/start,/stop", 1},
    {"insert", insert, "/index,/object", 2},
    {"pop", pop, "/index"},
    {"remove", remove, "/value", 1},
    {"reverse", reverse},
    {"sort", sort, "key,reverse"},
};
constexpr FunctionSpec kTuple[] = {
    {"count", count, "/value", 1},
    {"index", index_of, "/value,/start,/stop", 1},
};
constexpr FunctionSpec kDict[] = {
    {"clear", clear_dict},
    {"copy", copy_dict},
    {"fromkeys", fromkeys, "/iterable,/value", 1},
    {"get", get, "/key,/default", 1},
    {"items", view<View::Part::items>},
    {"keys", view<View::Part::keys>},
    {"pop", pop_key, "/key,/default", 1},
    {"popitem", popitem},
    {"setdefault", setdefault, "/key,/default", 1},
    {"update", update, "/mapping", 0, false, true},
    {"values", view<View::Part::values>},
};
constexpr FunctionSpec kView[] = {
    {"isdisjoint", isdisjoint, "/other", 1},
};

}  // namespace

std::span<const FunctionSpec> list_methods() { return kList; }
std::span<const FunctionSpec> tuple_methods() { return kTuple; }
std::span<const FunctionSpec> dict_methods() { return kDict; }
std::span<const FunctionSpec> view_methods() { return kView; }

std::span<const FunctionSpec> method_table(MethodHolder holder) {
  switch (holder) {
    case MethodHolder::text: return text_methods();
    case MethodHolder::list: return list_methods();
    case MethodHolder::tuple: return tuple_methods();
    case MethodHolder::dict: return dict_methods();
    case MethodHolder::integer: return integer_methods();
    case MethodHolder::number: return number_methods();
    case MethodHolder::view: return view_methods();
    case MethodHolder::count: break;
  }
  return {};
}

}  // namespace mapflow::jinja::detail
