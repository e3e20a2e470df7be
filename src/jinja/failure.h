// How a template's failure travels inside this library: thrown where it is noticed, caught where the library is
// entered, and handed out as an Error with the place, the source line and a caret.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"

namespace mapflow::jinja::detail {

struct Program;

enum class FailureClass : std::uint8_t { syntax, undefined, type, other, limit };

struct Failure {
  FailureClass kind = FailureClass::other;
  std::string message;
  std::string hint;
  const Program* program = nullptr;  ///< whose source `at` is an offset of; filled in at the boundary when null
  std::uint32_t at = 0;
  std::shared_ptr<const Error> ready;  ///< the whole error, when it is known already
};

}  // namespace mapflow::jinja::detail
