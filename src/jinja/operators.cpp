// Truth, equality, order, membership and the operators of sequences.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "jinja/builtins.h"
#include "jinja/unicode.h"

namespace mapflow::jinja::detail {

namespace {

bool texts_equal(Cell a, Cell b) { return a.text() == b.text(); }

bool dicts_equal(Vm& vm, Cell a, Cell b) {
  if (length_of(vm, a) != length_of(vm, b)) return false;
  Entries entries(vm, a);
  Cell key, value;
  while (entries.next(vm, key, value)) {
    const Cell other = member(vm, b, key);
    if (other.is(Kind::unset) || !equal(vm, value, other)) return false;
  }
  return true;
}

bool sequences_equal(Vm& vm, Cell a, Cell b) {
  const auto length = *length_of(vm, a);
  if (length != *length_of(vm, b)) return false;
  vm.tick(static_cast<std::uint64_t>(length));
  for (std::int64_t i = 0; i < length; ++i)
    if (!equal(vm, element(vm, a, i), element(vm, b, i))) return false;
  return true;
}

[[noreturn]] void not_ordered(Vm& vm, Cell a, Cell b, Comparison op) {
  static constexpr std::string_view symbols[] = {"==", "!=", "<", "<=", ">", ">="};
  if (a.is(Kind::undefined)) vm.fail_undefined(a);
  if (b.is(Kind::undefined)) vm.fail_undefined(b);
  vm.type_error("'" + std::string(symbols[static_cast<std::size_t>(op)]) + "' not supported between instances of '" +
                type_name(a) + "' and '" + type_name(b) + "'");
}

template <class T>
bool decide(Comparison op, const T& a, const T& b) {
  switch (op) {
    case Comparison::lt: return a < b;
    case Comparison::le: return a <= b;
    case Comparison::gt: return a > b;
    default: return a >= b;
  }
}

std::uint64_t mix(std::uint64_t a, std::uint64_t b) { return (a ^ b) * 0x9E3779B97F4A7C15u + (a >> 29); }

}  // namespace

void refuse_opaque(Vm& vm, Cell cell) {
  if (cell.text().find(vm.options.opaque_marker) != std::string_view::npos)
    vm.type_error("this value is an opaque reference: it can be printed and joined to other text, but not looked into");
}

std::string type_name(Cell cell) {
  switch (cell.kind) {
    case Kind::unset:
    case Kind::undefined: return "Undefined";
    case Kind::none: return "NoneType";
    case Kind::boolean: return "bool";
    case Kind::integer:
    case Kind::bigint: return "int";
    case Kind::number: return "float";
    case Kind::text: return cell.is_markup() ? "Markup" : "str";
    case Kind::list:
    case Kind::data_list: return "list";
    case Kind::tuple: return "tuple";
    case Kind::dict:
    case Kind::data_dict: return "dict";
    case Kind::range: return "range";
    case Kind::view: {
      static constexpr const char* parts[] = {"dict_keys", "dict_values", "dict_items"};
      return parts[static_cast<std::size_t>(cell.as<View>()->part)];
    }
    case Kind::iterator: return std::string(cell.as<Iterator>()->type);
    case Kind::function: return "function";
    case Kind::method: return "builtin_function_or_method";
    case Kind::macro: return "Macro";
    case Kind::loop: return "LoopContext";
    case Kind::space: return "Namespace";
    case Kind::module: return "TemplateModule";
    case Kind::self: return "TemplateReference";
    case Kind::block: return "BlockReference";
    case Kind::cycler: return "Cycler";
    case Kind::joiner: return "Joiner";
  }
  return "object";
}

bool truth(Vm& vm, Cell cell) {
  switch (cell.kind) {
    case Kind::boolean: return cell.boolean;
    case Kind::none: return false;
    case Kind::integer: return cell.integer != 0;
    case Kind::number: return cell.number != 0;
    case Kind::text: check_opaque(vm, cell); return cell.size != 0;
    case Kind::undefined: vm.check_strict(cell); return false;
    case Kind::list:
    case Kind::tuple: return cell.as<List>()->size != 0;
    case Kind::dict: return cell.as<Dict>()->size != 0;
    case Kind::data_list:
    case Kind::data_dict:
    case Kind::range:
    case Kind::view: return *length_of(vm, cell) != 0;
    default: return true;
  }
}

bool equal(Vm& vm, Cell a, Cell b) {
  if (a.is_text() && b.is_text()) {
    check_opaque(vm, a);
    check_opaque(vm, b);
    vm.tick(a.size / 256);
    return texts_equal(a, b);
  }
  if (a.is_number() && b.is_number()) {
    if (a.is(Kind::integer) && b.is(Kind::integer)) return a.integer == b.integer;
    return compare_numbers(a, b) == std::partial_ordering::equivalent;
  }
  if (a.is(Kind::undefined) || b.is(Kind::undefined)) {
    if (a.is(Kind::undefined)) vm.check_strict(a);
    if (b.is(Kind::undefined)) vm.check_strict(b);
    return a.is(Kind::undefined) && b.is(Kind::undefined);
  }
  vm.guard_stack();
  vm.tick();
  if (a.is_list() && b.is_list()) return sequences_equal(vm, a, b);
  if (a.is(Kind::tuple) && b.is(Kind::tuple)) return sequences_equal(vm, a, b);
  if (a.is_dict() && b.is_dict()) return dicts_equal(vm, a, b);
  if (a.kind != b.kind) return false;
  if (a.is(Kind::none)) return true;
  if (a.is(Kind::range)) {
    const Range &x = *a.as<Range>(), &y = *b.as<Range>();
    return x.size == y.size && (x.size == 0 || (x.start == y.start && (x.size == 1 || x.step == y.step)));
  }
  if (a.is(Kind::view) && a.as<View>()->part != View::Part::values) {
    if (length_of(vm, a) != length_of(vm, b)) return false;
    Walk walk(vm, a);
    for (Cell item; walk.next(vm, item);)
      if (!contains(vm, b, item)) return false;
    return true;
  }
  return a.object == b.object;
}

bool ordered(Vm& vm, Cell a, Cell b, Comparison op) {
  check_opaque(vm, a);
  check_opaque(vm, b);
  if (a.is(Kind::integer) && b.is(Kind::integer)) return decide(op, a.integer, b.integer);
  if (a.is_number() && b.is_number()) {
    const auto order = compare_numbers(a, b);
    switch (op) {
      case Comparison::lt: return order < 0;
      case Comparison::le: return order <= 0;
      case Comparison::gt: return order > 0;
      default: return order >= 0;
    }
  }
  if (a.is_text() && b.is_text()) {
    vm.tick(a.size / 256);
    return decide(op, a.text(), b.text());
  }
  if ((a.is_list() && b.is_list()) || (a.is(Kind::tuple) && b.is(Kind::tuple))) {
    vm.guard_stack();
    const auto size_a = *length_of(vm, a), size_b = *length_of(vm, b);
    for (std::int64_t i = 0; i < size_a && i < size_b; ++i) {
      vm.tick();
      const Cell x = element(vm, a, i), y = element(vm, b, i);
      if (!equal(vm, x, y)) return ordered(vm, x, y, op);
    }
    return decide(op, size_a, size_b);
  }
  not_ordered(vm, a, b, op);
}

bool contains(Vm& vm, Cell container, Cell item) {
  switch (container.kind) {
    case Kind::text:
      check_opaque(vm, container);
      check_opaque(vm, item);
      if (item.is(Kind::undefined)) vm.type_error("'in <string>' requires string as left operand, not Undefined");
      if (!item.is_text()) vm.type_error("'in <string>' requires string as left operand, not " + type_name(item));
      return find_in(vm, container.text(), item.text()) != std::string_view::npos;
    case Kind::dict:
    case Kind::data_dict: return !member(vm, container, item).is(Kind::unset);
    case Kind::view: {
      const View& view = *container.as<View>();
      if (view.part == View::Part::keys) return !member(vm, view.dict, item).is(Kind::unset);
      break;
    }
    case Kind::range:
      if (const auto wanted = whole(item)) {
        const Range& range = *container.as<Range>();
        if (range.size == 0) return false;
        const bool inside = range.step > 0 ? *wanted >= range.start && *wanted < range.stop
                                           : *wanted <= range.start && *wanted > range.stop;
        const auto distance = range.step > 0
                                  ? static_cast<std::uint64_t>(*wanted) - static_cast<std::uint64_t>(range.start)
                                  : static_cast<std::uint64_t>(range.start) - static_cast<std::uint64_t>(*wanted);
        const auto step =
            range.step > 0 ? static_cast<std::uint64_t>(range.step) : 0 - static_cast<std::uint64_t>(range.step);
        return inside && distance % step == 0;
      }
      break;
    default: break;
  }
  if (!is_iterable(container)) vm.type_error("argument of type '" + type_name(container) + "' is not iterable");
  Walk walk(vm, container);
  Cell each;
  while (walk.next(vm, each)) {
    vm.tick();
    if (equal(vm, each, item)) return true;
  }
  return false;
}

std::uint64_t hash(Vm& vm, Cell cell) {
  switch (cell.kind) {
    case Kind::none: return 0x51ED27;
    case Kind::boolean: return mix(7, cell.boolean);
    case Kind::integer: return mix(7, static_cast<std::uint64_t>(cell.integer));
    case Kind::number: {
      constexpr double limit = 9.2e18;
      if (cell.number == std::floor(cell.number) && cell.number > -limit && cell.number < limit)
        return mix(7, static_cast<std::uint64_t>(static_cast<std::int64_t>(cell.number)));
      return mix(11, std::hash<double>{}(cell.number));
    }
    case Kind::bigint: return mix(11, std::hash<double>{}(to_double(vm, cell)));
    case Kind::text: vm.tick(cell.size / 64); return std::hash<std::string_view>{}(cell.text());
    case Kind::tuple: {
      vm.guard_stack();
      const List& list = *cell.as<List>();
      std::uint64_t sum = 0x345678;
      for (std::uint32_t i = 0; i < list.size; ++i) sum = mix(sum, hash(vm, list.items[i]));
      return sum;
    }
    case Kind::undefined: vm.check_strict(cell); return 0x7F4A7C15;
    case Kind::list:
    case Kind::data_list:
    case Kind::dict:
    case Kind::data_dict:
    case Kind::view: vm.type_error("unhashable type: '" + type_name(cell) + "'");
    default: return std::hash<const void*>{}(cell.object);
  }
}

Cell concatenate(Vm& vm, Cell a, Cell b) {
  if (a.is_text() && b.is_text()) {
    if (a.is_markup() != b.is_markup()) {
      a = escaped(vm, a);
      b = escaped(vm, b);
    }
    const std::size_t size = std::size_t{a.size} + b.size;
    if (size > std::numeric_limits<std::uint32_t>::max()) vm.limit_error("the text is longer than its limit allows");
    vm.tick(size / 64);
    auto* bytes = vm.arena.array<char>(size);
    a.text().copy(bytes, a.size);  // unlike memcpy it takes an empty text, whose bytes may be nowhere
    b.text().copy(bytes + a.size, b.size);
    return Cell::borrowed({bytes, size}, a.is_markup());
  }
  const bool lists = a.is_list() && b.is_list();
  if (!lists && !(a.is(Kind::tuple) && b.is(Kind::tuple))) return Cell::unset();
  const auto size_a = *length_of(vm, a), size_b = *length_of(vm, b);
  const Cell joined = vm.list(static_cast<std::uint32_t>(size_a + size_b), lists ? Kind::list : Kind::tuple);
  vm.tick(static_cast<std::uint64_t>(size_a + size_b));
  for (std::int64_t i = 0; i < size_a; ++i) vm.append(*joined.as<List>(), element(vm, a, i));
  for (std::int64_t i = 0; i < size_b; ++i) vm.append(*joined.as<List>(), element(vm, b, i));
  return joined;
}

Cell repeat(Vm& vm, Cell sequence, Cell times) {
  const std::int64_t count = std::max<std::int64_t>(0, index(vm, times));
  if (sequence.is_text()) {
    const std::size_t size = sequence.size;
    if (size == 0 || count == 0) return Cell::borrowed("", sequence.is_markup());
    if (static_cast<std::uint64_t>(count) > vm.limits.memory_bytes / size ||
        static_cast<std::uint64_t>(count) * size > std::numeric_limits<std::uint32_t>::max())
      vm.limit_error("the text is longer than its limit allows");
    const std::size_t total = size * static_cast<std::size_t>(count);
    vm.tick(total / 64);
    auto* bytes = vm.arena.array<char>(total);
    for (std::size_t at = 0; at < total; at += size) std::memcpy(bytes + at, sequence.bytes, size);
    return Cell::borrowed({bytes, total}, sequence.is_markup());
  }
  const std::int64_t size = *length_of(vm, sequence);
  if (size > 0 &&
      static_cast<std::uint64_t>(count) > vm.limits.memory_bytes / sizeof(Cell) / static_cast<std::uint64_t>(size))
    vm.limit_error("the list is longer than its limit allows");
  vm.tick(static_cast<std::uint64_t>(size * count));
  const Cell repeated =
      vm.list(static_cast<std::uint32_t>(size * count), sequence.is(Kind::tuple) ? Kind::tuple : Kind::list);
  for (std::int64_t round = 0; size > 0 && round < count; ++round)
    for (std::int64_t i = 0; i < size; ++i) vm.append(*repeated.as<List>(), element(vm, sequence, i));
  return repeated;
}

}  // namespace mapflow::jinja::detail
