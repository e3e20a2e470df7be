// Python's two ways to format: `'%s' % x` and `'{}'.format(x)`.
#pragma once

#include <string_view>

#include "jinja/cell.h"

namespace mapflow::jinja::detail {

Cell format_percent(Vm& vm, Cell format, Cell values);
Cell format_braces(Vm& vm, Cell format, const Args& args);
/// The value in a format spec such as ">8.2f", appended to vm.out.
void append_formatted(Vm& vm, Cell value, std::string_view spec);

}  // namespace mapflow::jinja::detail
