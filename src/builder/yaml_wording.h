// The YAML library's messages in words of people who write definitions.
#pragma once

#include <string_view>

namespace mapflow::builder {

struct Wording {
  std::string_view message, hint;
};

/// The YAML library's messages for the commonest slips, in words of people who write definitions; others as they are.
Wording in_our_words(std::string_view message);

}  // namespace mapflow::builder
