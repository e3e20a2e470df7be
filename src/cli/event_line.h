// An event as one line for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/console.h"
#include "kernel/history.h"

namespace mapflow::cli {

enum class Detail : std::uint8_t {
  brief,  ///< what happened, and why when it went wrong
  full,   ///< everything the event says
};

/// "14:03:07.250  step.retrying    fan/charge  attempt=2 error=timeout: no answer". Any one member is cut at
/// `cell_columns`.
std::string event_line(const kernel::Event& event, Detail detail, const Stream& stream, std::size_t cell_columns = 120);

/// The color that a state, or an event of that name, is shown in.
Color state_color(std::string_view name);

/// "timeout: no answer within 5s", from an error's document.
std::string brief_error(const Value& error);

}  // namespace mapflow::cli
