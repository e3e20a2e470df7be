// Integers of any size, within the limit. Only the files that calculate include this: the library behind it is large.
#pragma once

#include <string>

#include <boost/multiprecision/cpp_int.hpp>

#include "jinja/cell.h"

namespace mapflow::jinja::detail {

using Big = boost::multiprecision::cpp_int;

/// An integer cell, or a bigint one where 64 bits are too few. Fails past the limit.
Cell from_big(Vm& vm, Big big);
/// The value of any kind of int.
Big to_big(Cell integer);
/// Keeps a constant for as long as the program.
const void* keep_big(Program& program, Big big);
std::string big_text(Vm& vm, const Big& big);

}  // namespace mapflow::jinja::detail
