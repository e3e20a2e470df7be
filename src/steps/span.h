// Spans of time as templates give them.
#pragma once

#include <string>

#include "base/error.h"
#include "base/time.h"
#include "value/value.h"

namespace mapflow::steps {

/// A number of seconds, or a text like "10s". Errors: invalid_input.
inline Result<Duration> read_duration(const Value& value) {
  if (value.is_number()) return duration_from_seconds(value.as_double());
  if (value.is_text()) return parse_duration(value.as_text());
  return fail(code::invalid_input,
              "a duration is a number of seconds or a text like 10s, not a " + std::string(to_string(value.type())));
}

}  // namespace mapflow::steps
