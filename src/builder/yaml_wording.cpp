#include "builder/yaml_wording.h"

#include <array>

namespace mapflow::builder {

Wording in_our_words(std::string_view message) {
  struct Row {
    std::string_view part;
    Wording wording;
  };
  static constexpr std::array<Row, 6> kRows{{
      {"double-quoted scalar", {"a text in double quotes is not closed, or goes on without indentation", "is the closing quote missing?"}},
      {"single-quoted scalar", {"a text in single quotes is not closed, or goes on without indentation", "is the closing quote missing?"}},
      {"flow sequence", {"a list in brackets is not closed, or goes on without indentation", "is a ] missing?"}},
      {"flow mapping", {"an object in braces is broken here", "is a comma or a } missing?"}},
      {"nested block mapping on the same line", {"': ' cannot stand in a text without quotes", "put the text in quotes"}},
      {"tab character", {"tab in the indentation", "indent with spaces"}},
  }};
  for (const Row& row : kRows)
    if (message.find(row.part) != std::string_view::npos) return row.wording;
  return {message, {}};
}

}  // namespace mapflow::builder
