// What may follow `is`.
#include "jinja/bigint.h"
#include "jinja/builtins.h"
#include "jinja/environment_state.h"
#include "jinja/unicode.h"

namespace mapflow::jinja::detail {

namespace {

Cell answer(bool flag) { return Cell::of(flag); }

bool is_remainder(Vm& vm, Cell number, Cell divisor, std::int64_t wanted) {
  if (number.is(Kind::undefined)) vm.fail_undefined(number);
  return equal(vm, arithmetic(vm, Arithmetic::mod, number, divisor), Cell::of(wanted));
}
Cell odd(Vm& vm, const Cell* a, const Args&) { return answer(is_remainder(vm, a[0], Cell::of(std::int64_t{2}), 1)); }
Cell even(Vm& vm, const Cell* a, const Args&) { return answer(is_remainder(vm, a[0], Cell::of(std::int64_t{2}), 0)); }
Cell divisibleby(Vm& vm, const Cell* a, const Args&) { return answer(is_remainder(vm, a[0], a[1], 0)); }

Cell defined(Vm&, const Cell* a, const Args&) { return answer(!a[0].is(Kind::undefined)); }
Cell undefined(Vm&, const Cell* a, const Args&) { return answer(a[0].is(Kind::undefined)); }
Cell filter(Vm& vm, const Cell* a, const Args&) {
  if (!a[0].is_text()) hash(vm, a[0]);
  return answer(a[0].is_text() && vm.environment.filter(a[0].text()));
}
Cell test(Vm& vm, const Cell* a, const Args&) {
  if (!a[0].is_text()) hash(vm, a[0]);
  return answer(a[0].is_text() && vm.environment.test(a[0].text()));
}
Cell none(Vm&, const Cell* a, const Args&) { return answer(a[0].is(Kind::none)); }
Cell boolean(Vm&, const Cell* a, const Args&) { return answer(a[0].is(Kind::boolean)); }
Cell is_true(Vm&, const Cell* a, const Args&) { return answer(a[0].is(Kind::boolean) && a[0].boolean); }
Cell is_false(Vm&, const Cell* a, const Args&) { return answer(a[0].is(Kind::boolean) && !a[0].boolean); }
Cell integer(Vm&, const Cell* a, const Args&) { return answer(a[0].is(Kind::integer) || a[0].is(Kind::bigint)); }
Cell is_float(Vm&, const Cell* a, const Args&) { return answer(a[0].is(Kind::number)); }
Cell number(Vm&, const Cell* a, const Args&) { return answer(a[0].is_number()); }
Cell string(Vm&, const Cell* a, const Args&) { return answer(a[0].is_text()); }
Cell mapping(Vm&, const Cell* a, const Args&) { return answer(a[0].is_dict()); }
Cell escaped_text(Vm&, const Cell* a, const Args&) { return answer(a[0].is_markup()); }
Cell callable(Vm&, const Cell* a, const Args&) { return answer(is_callable(a[0]) || a[0].is(Kind::undefined)); }

// Whether every letter is of one case, and there is one.
bool all_cased(Vm& vm, Cell cell, bool (*wanted)(std::uint32_t), bool (*other)(std::uint32_t)) {
  const std::string_view text = soft(vm, cell);
  bool any = false;
  for (std::size_t i = 0; i < text.size();) {
    const auto [code, width] = unicode::decode(text.substr(i));
    if (other(code) || unicode::is_title(code)) return false;
    any = any || wanted(code);
    i += width;
  }
  return any;
}
Cell lower(Vm& vm, const Cell* a, const Args&) {
  return answer(all_cased(vm, a[0], unicode::is_lower, unicode::is_upper));
}
Cell upper(Vm& vm, const Cell* a, const Args&) {
  return answer(all_cased(vm, a[0], unicode::is_upper, unicode::is_lower));
}

Cell sequence(Vm& vm, const Cell* a, const Args&) {
  if (a[0].is(Kind::undefined)) return answer(!vm.strict || a[0].flags == kLenient);
  return answer(a[0].is_text() || a[0].is_sequence() || a[0].is_dict() || a[0].is(Kind::range));
}
Cell iterable(Vm& vm, const Cell* a, const Args&) {
  if (a[0].is(Kind::undefined)) vm.check_strict(a[0]);
  return answer(is_iterable(a[0]));
}
Cell sameas(Vm&, const Cell* a, const Args&) {
  const Cell x = a[0], y = a[1];
  if (x.kind != y.kind) return answer(false);
  switch (x.kind) {
    case Kind::none: return answer(true);
    case Kind::undefined: return answer(false);  // each use of a name makes another one
    case Kind::boolean: return answer(x.boolean == y.boolean);
    case Kind::integer: return answer(x.integer == y.integer && x.integer >= -5 && x.integer <= 256);
    case Kind::text: return answer(x.bytes == y.bytes && x.size == y.size);
    case Kind::data_list: return answer(&x.value->as_array() == &y.value->as_array());
    case Kind::data_dict: return answer(&x.value->as_object() == &y.value->as_object());
    default: return answer(x.object == y.object);
  }
}
Cell in(Vm& vm, const Cell* a, const Args&) { return answer(contains(vm, a[1], a[0])); }

Cell eq(Vm& vm, const Cell* a, const Args&) { return answer(equal(vm, a[0], a[1])); }
Cell ne(Vm& vm, const Cell* a, const Args&) { return answer(!equal(vm, a[0], a[1])); }
template <Comparison op>
Cell order(Vm& vm, const Cell* a, const Args&) {
  return answer(ordered(vm, a[0], a[1], op));
}

constexpr auto ge = order<Comparison::ge>;
constexpr auto gt = order<Comparison::gt>;
constexpr auto le = order<Comparison::le>;
constexpr auto lt = order<Comparison::lt>;

constexpr FunctionSpec kTable[] = {
    {"odd", odd},
    {"even", even},
    {"divisibleby", divisibleby, "num", 1},
    {"defined", defined},
    {"undefined", undefined},
    {"filter", filter},
    {"test", test},
    {"none", none},
    {"boolean", boolean},
    {"true", is_true},
    {"false", is_false},
    {"integer", integer},
    {"float", is_float},
    {"number", number},
    {"string", string},
    {"mapping", mapping},
    {"escaped", escaped_text},
    {"callable", callable},
    {"lower", lower},
    {"upper", upper},
    {"sequence", sequence},
    {"iterable", iterable},
    {"sameas", sameas, "other", 1},
    {"in", in, "seq", 1},
    {"==", eq, "/b", 1},
    {"eq", eq, "/b", 1},
    {"equalto", eq, "/b", 1},
    {"!=", ne, "/b", 1},
    {"ne", ne, "/b", 1},
    {">", gt, "/b", 1},
    {"gt", gt, "/b", 1},
    {"greaterthan", gt, "/b", 1},
    {">=", ge, "/b", 1},
    {"ge", ge, "/b", 1},
    {"<", lt, "/b", 1},
    {"lt", lt, "/b", 1},
    {"lessthan", lt, "/b", 1},
    {"<=", le, "/b", 1},
    {"le", le, "/b", 1},
};

}  // namespace

std::span<const FunctionSpec> native_tests() { return kTable; }

}  // namespace mapflow::jinja::detail
