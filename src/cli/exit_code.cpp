#include "cli/exit_code.h"

#include <algorithm>
#include <array>

namespace mapflow::cli {

ExitCode exit_code_of(const Error& error) {
  constexpr std::array store_codes{code::unavailable, code::corrupt,  code::invalid_state, code::resource_exhausted,
                                   code::fenced,      code::timeout,  code::internal};
  return std::ranges::any_of(store_codes, [&](std::string_view each) { return error.is(each); }) ? ExitCode::store
                                                                                                 : ExitCode::usage;
}

}  // namespace mapflow::cli
