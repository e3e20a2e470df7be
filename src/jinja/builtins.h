// What filters, tests, methods and functions share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "jinja/runtime.h"

namespace mapflow::jinja::detail {

inline bool given(Cell argument) { return !argument.is(Kind::unset); }
inline bool given_value(Cell argument) { return given(argument) && !argument.is(Kind::none); }

/// The text of a value, as `str()` gives it; may be cut from the value itself.
inline std::string_view soft(Vm& vm, Cell cell) { return to_text(vm, cell).text(); }

/// An argument's value, or what it is when it is not given.
inline std::int64_t integer_or(Vm& vm, Cell argument, std::int64_t otherwise) {
  return given(argument) ? index(vm, argument) : otherwise;
}
inline bool truth_or(Vm& vm, Cell argument, bool otherwise) {
  return given(argument) ? truth(vm, argument) : otherwise;
}
/// A text argument. Fails for anything else.
std::string_view text_argument(Vm& vm, Cell argument, std::string_view what);

/// Fails when a text of this many bytes would be too long; to be asked before it is made.
void check_text_size(Vm& vm, std::uint64_t bytes);
/// How much wider than `length` something of `width` is; 0 when it is not. Lengths are not negative; a width may be anything.
inline std::int64_t padding_to(std::int64_t width, std::int64_t length) { return width > length ? width - length : 0; }
Cell repeated_padding(Vm& vm, std::string_view text, std::int64_t left, std::int64_t right, std::string_view fill,
                      bool markup);

/// `attribute='a.b.0'` of many filters: follows the steps into an item.
class AttributePath {
 public:
  /// `attribute` unset or none: the item itself. `otherwise` replaces what is undefined on the way, when given.
  AttributePath(Vm& vm, Cell attribute, Cell otherwise = Cell::unset());
  Cell of(Vm& vm, Cell item) const;

 private:
  List* steps_ = nullptr;
  Cell otherwise_;
};
/// Several, separated by commas.
std::vector<AttributePath> attribute_paths(Vm& vm, Cell attribute);

/// Texts in lower case for comparisons that ignore it.
Cell without_case(Vm& vm, Cell cell);

/// Where a text is found, counted and in linear time; npos when it is not.
std::size_t find_in(Vm& vm, std::string_view text, std::string_view wanted, std::size_t from = 0);
std::size_t find_last_in(Vm& vm, std::string_view text, std::string_view wanted);

Cell lower_text(Vm& vm, Cell cell);
Cell upper_text(Vm& vm, Cell cell);
Cell replace_text(Vm& vm, Cell text, std::string_view from, std::string_view to, std::int64_t count);
/// Lines, as str.splitlines finds them.
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);
/// `text` without the characters in `characters` (white space when unset) at its ends.
std::string_view strip_text(Vm& vm, std::string_view text, Cell characters, bool left, bool right);
/// A float from a text, as float() reads it; false when it cannot.
bool parse_float(std::string_view text, double& number);
/// round(number, digits) as Python rounds.
double round_to(double number, std::int64_t digits);
/// JSON of a value, as Python's json.dumps writes it; indent < 0 for none.
void append_json_text(Vm& vm, Cell cell, std::int64_t indent, bool sort_keys, bool html_safe);

}  // namespace mapflow::jinja::detail
