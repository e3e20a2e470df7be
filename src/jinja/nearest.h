// "Did you mean": the known name closest to one that is not.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mapflow::jinja::detail {

/// The closest of `known` by edits, or "" when none is close enough to be what was meant.
std::string nearest(std::string_view name, const std::vector<std::string>& known);

/// " (did you mean 'x'?)", or "".
std::string did_you_mean(std::string_view name, const std::vector<std::string>& known);

}  // namespace mapflow::jinja::detail
