// Cells as Values of the host.
#include "jinja/bigint.h"
#include "jinja/program.h"
#include "jinja/runtime.h"

namespace mapflow::jinja::detail {

namespace {

constexpr int kDeepest = 500;  // levels of lists and dicts that a host is given

Value convert(Vm& vm, Cell cell, int depth);

Value list_value(Vm& vm, Cell cell, int depth) {
  Array array;
  if (const auto length = length_of(vm, cell)) array.reserve(static_cast<std::size_t>(*length));
  Walk walk(vm, cell);
  for (Cell item; walk.next(vm, item);) {
    vm.tick();
    vm.arena.charge(sizeof(Value));
    array.push_back(convert(vm, item, depth + 1));
  }
  return Value(std::move(array));
}

Text key_text(Vm& vm, Cell key) {
  switch (key.kind) {
    case Kind::text: return Text(key.text());
    case Kind::none: return Text("null");
    case Kind::boolean: return Text(key.boolean ? "true" : "false");
    default: return Text(to_text(vm, key).text());
  }
}

Value dict_value(Vm& vm, Cell cell, int depth) {
  Object object;
  Entries entries(vm, cell);
  for (Cell key, value; entries.next(vm, key, value);) {
    vm.tick();
    vm.arena.charge(sizeof(Object::Member));
    object.set(key_text(vm, key), convert(vm, value, depth + 1));
  }
  return Value(std::move(object));
}

Value convert(Vm& vm, Cell cell, int depth) {
  if (depth > kDeepest) vm.limit_error("the value is nested too deeply");
  if (vm.changed_data) cell = vm.current_data(cell);
  switch (cell.kind) {
    case Kind::none: return {};
    case Kind::boolean: return Value(cell.boolean);
    case Kind::integer: return Value(cell.integer);
    case Kind::number: return Value(cell.number);
    case Kind::bigint: return Value(to_double(vm, cell));
    case Kind::text: vm.arena.charge(cell.size); return Value(cell.text());
    case Kind::data_list:
    case Kind::data_dict:
      if (!vm.changed_data) return *cell.value;
      return cell.is(Kind::data_list) ? list_value(vm, cell, depth) : dict_value(vm, cell, depth);
    case Kind::undefined: vm.check_strict(cell); return {};
    case Kind::list:
    case Kind::tuple:
    case Kind::range:
    case Kind::view:
    case Kind::iterator: return list_value(vm, cell, depth);
    case Kind::dict: return dict_value(vm, cell, depth);
    case Kind::space: return dict_value(vm, Cell::made(Kind::dict, cell.as<Space>()->members), depth);
    default: return Value(to_text(vm, cell).text());
  }
}

}  // namespace

Value to_value(Vm& vm, Cell cell) { return convert(vm, cell, 0); }

}  // namespace mapflow::jinja::detail
