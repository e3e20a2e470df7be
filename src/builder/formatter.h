// `mapflow fmt`: a text in the canonical spelling, with its comments, its order and its layout left as they are.
#pragma once

#include <string>
#include <string_view>

#include "model/diagnostic.h"
#include "model/kind_schema.h"

namespace mapflow::builder {

struct FormatResult {
  std::string text;
  Diagnostics diagnostics;  ///< with errors the text was not touched
};

/// Rewrites definitions, YAML or JSON, to the canonical spelling: present names of fields, lists wherever steps stand,
/// bare expressions, `{{ a.b }}` for `${a.b}`, no trailing blanks. Works on the text by edits, and what it makes is read
/// again: it has the same meaning, or the text stays. Formatting twice changes nothing.
FormatResult format_text(std::string_view text, const std::string& file, const KindCatalog& kinds);

}  // namespace mapflow::builder
