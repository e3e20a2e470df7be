// Values as YAML text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "value/value.h"

namespace mapflow::builder {

/// A text as a YAML scalar on one line: plain where that reads back as the same text, else in double quotes. `in_flow`:
/// between brackets, where fewer texts may stand plain.
std::string yaml_scalar(std::string_view text, bool in_flow);

/// A value on one line.
std::string yaml_flow(const Value& value);

/// A value as block YAML, its lines indented by `indent`. Ends in a newline.
std::string yaml_block(const Value& value, std::size_t indent = 0);

}  // namespace mapflow::builder
