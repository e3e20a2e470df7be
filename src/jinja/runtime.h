// What can be done with Cells: the operators, lookups, texts and calls that templates and built-ins share.
// All of these may throw a Failure.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "jinja/cell.h"
#include "jinja/vm.h"

namespace mapflow::jinja::detail {

// --- truth, equality, order (operators.cpp)
bool truth(Vm& vm, Cell cell);
bool equal(Vm& vm, Cell a, Cell b);
/// `a < b` and its kin, for one of lt, le, gt, ge.
bool ordered(Vm& vm, Cell a, Cell b, Comparison op);
bool contains(Vm& vm, Cell container, Cell item);
/// Equal cells have equal hashes. Fails for what cannot be a key.
std::uint64_t hash(Vm& vm, Cell cell);
Cell concatenate(Vm& vm, Cell a, Cell b);  ///< a + b of texts, lists and tuples; unset when they are none of these
Cell repeat(Vm& vm, Cell sequence, Cell times);
std::string type_name(Cell cell);  ///< Python's: str, int, NoneType …
/// Fails when the cell is an opaque text, which may only be printed and joined.
void refuse_opaque(Vm& vm, Cell cell);
inline void check_opaque(Vm& vm, Cell cell) {
  if (vm.opaque && cell.is_text()) [[unlikely]]
    refuse_opaque(vm, cell);
}

// --- numbers (arithmetic.cpp)
Cell arithmetic(Vm& vm, Arithmetic op, Cell a, Cell b);
Cell negate(Vm& vm, Cell a, bool negative);
double to_double(Vm& vm, Cell number);  ///< fails when an integer is too large
std::partial_ordering compare_numbers(Cell a, Cell b);
/// An index or a count: an int of any kind, clamped to 64 bits. Fails with `what` for anything else.
std::int64_t index(Vm& vm, Cell cell, std::string_view what = "an integer");
std::optional<std::int64_t> whole(Cell cell);  ///< the value of a bool or integer
/// The integer that digits of a base spell, with an optional sign, or unset.
Cell parse_integer(Vm& vm, std::string_view digits, int base);
Cell integer_of(Vm& vm, double number);  ///< int(number)

// --- text (print.cpp)
void append_text(Vm& vm, Cell cell);  ///< str(cell), to vm.out
void append_repr(Vm& vm, Cell cell);
void append_repr_of_text(Sink& out, std::string_view text);
std::string float_text(double number);
Cell to_text(Vm& vm, Cell cell);  ///< str(cell); texts stay as they are
void append_escaped(Sink& out, std::string_view text);
Cell escaped(Vm& vm, Cell cell);  ///< markup of any cell
/// What `{{ cell }}` prints.
void append_output(Vm& vm, Cell cell);
std::string summary(Vm& vm, Cell cell);  ///< the repr, cut short, for messages

// --- sequences (sequence.cpp)
/// Walks what can be iterated.
struct Walk {
  Walk(Vm& vm, Cell source);
  bool next(Vm& vm, Cell& out);
  Cell source;
  std::uint64_t at = 0;
};
std::optional<std::int64_t> length_of(Vm& vm, Cell cell);
bool is_iterable(Cell cell);
Cell to_list(Vm& vm, Cell cell);                       ///< a new list of what it iterates over
Cell element(Vm& vm, Cell sequence, std::int64_t at);  ///< of a list or tuple, 0 ≤ at < length
Cell make_tuple(Vm& vm, std::initializer_list<Cell> items);
Cell slice(Vm& vm, Cell base, Cell start, Cell stop, Cell step);
const Cell* find(Vm& vm, const Dict& dict, Cell key);
const Cell* find(const Dict& dict, std::string_view key);
bool erase(Vm& vm, Dict& dict, Cell key);
/// The value of a key of either kind of dict; unset when there is none.
Cell member(Vm& vm, Cell dict, Cell key);
/// Walks the entries of either kind of dict.
struct Entries {
  Entries(Vm& vm, Cell dict) : dict(vm.changed_data ? vm.current_data(dict) : dict) {}
  bool next(Vm& vm, Cell& key, Cell& value);
  Cell dict;
  std::uint32_t at = 0;
};

// --- lookups (lookup.cpp)
Cell get_attribute(Vm& vm, Cell base, const AttrName& name, bool called);
Cell get_item(Vm& vm, Cell base, Cell key);
const FunctionSpec* method_of(Cell base, const AttrName& name);

// --- calls (call.cpp)
struct NamedCallee;
Cell call(Vm& vm, Cell callee, const Args& args, Cell caller = Cell::unset());
Cell call_native(Vm& vm, const FunctionSpec& spec, const Cell* self, const Args& args);
Cell call_filter(Vm& vm, NamedCallee& filter, Cell value, const Args& args);
bool call_test(Vm& vm, NamedCallee& test, Cell value, const Args& args);
Cell call_host(Vm& vm, const HostFunction& function, std::string_view name, const Cell* first, const Args& args);
bool is_callable(Cell cell);

// --- to and from the host (convert.cpp)
Value to_value(Vm& vm, Cell cell);

}  // namespace mapflow::jinja::detail
