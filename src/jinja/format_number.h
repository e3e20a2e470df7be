// Numbers in a format: sign, width, precision, grouping.
#pragma once

#include <cstdint>
#include <string>

#include "jinja/cell.h"

namespace mapflow::jinja::detail {

/// A parsed format spec: `[[fill]align][sign][z][#][0][width][grouping][.precision][type]`.
struct FormatSpec {
  std::string fill = " ";
  char align = 0;  ///< '<', '>', '=', '^', or 0 for the type's own
  char sign = '-';
  bool alternate = false;
  char grouping = 0;  ///< ',' or '_'
  bool no_negative_zero = false;
  std::int64_t width = -1;
  std::int64_t precision = -1;
  char type = 0;
  bool sign_given = false;
};

/// Digits of a finite or not finite number for one of e f g n % (either case) or 0 for Python's own form; no sign.
std::string float_digits(Vm& vm, double size, char type, std::int64_t precision, bool alternate);
/// Digits of an integer without its sign, in the base of b, o, x, X or d.
std::string integer_digits(Vm& vm, Cell integer, char type);
bool is_negative(Cell number);
/// Puts sign, prefix and digits into the width, to vm.out.
void append_padded_number(Vm& vm, const FormatSpec& spec, bool negative, std::string_view prefix, std::string digits);

}  // namespace mapflow::jinja::detail
