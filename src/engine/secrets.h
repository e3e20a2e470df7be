// Secrets enter a message here, when it is sent, and nowhere before: until then they are tokens.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "value/value.h"

namespace mapflow::engine {

/// Immutable. Thread safety: as const.
class Secrets {
 public:
  Secrets() = default;
  explicit Secrets(std::map<std::string, std::string> by_name) : by_name_(by_name.begin(), by_name.end()) {}

  /// `value` with every token in its texts replaced; the same value when there is none.
  /// Errors: invalid_input naming a secret that is not known.
  Result<Value> reveal(const Value& value) const;

 private:
  Result<std::string> reveal_text(std::string_view text) const;

  std::map<std::string, std::string, std::less<>> by_name_;
};

/// Whether any text of the value holds a token.
bool holds_secret(const Value& value);

}  // namespace mapflow::engine
