// The method tables, and the few methods of objects that only templates have.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "jinja/ast.h"
#include "jinja/cell.h"

namespace mapflow::jinja::detail {

struct BlockRef;

/// The methods of a type, one table in each methods_*.cpp.
std::span<const FunctionSpec> method_table(MethodHolder holder);
std::span<const FunctionSpec> text_methods();
std::span<const FunctionSpec> list_methods();
std::span<const FunctionSpec> tuple_methods();
std::span<const FunctionSpec> dict_methods();
std::span<const FunctionSpec> integer_methods();
std::span<const FunctionSpec> number_methods();
std::span<const FunctionSpec> view_methods();

/// The names of the methods of a value, for "did you mean".
std::vector<std::string> method_names(Cell base);

const FunctionSpec& loop_cycle();
const FunctionSpec& loop_changed();
const FunctionSpec& cycler_next();
const FunctionSpec& cycler_reset();

Cell bound_method(Vm& vm, Cell self, const FunctionSpec& spec);

/// What `super` is in this block, and `super.super`: the definition that it overrides.
Cell parent_block(Vm& vm, const BlockRef& block);

}  // namespace mapflow::jinja::detail
