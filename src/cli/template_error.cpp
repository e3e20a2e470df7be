#include "cli/template_error.h"

#include "cli/text.h"
#include "value/json.h"

namespace mapflow::cli {

void print_template_error(Console& console, const Error& error, bool place) {
  Error shown = error;
  if (!place) shown.where = {};
  console.error(shown, false);
  const auto details = parse_json(error.details.empty() ? "null" : error.details);
  if (!details) return;
  if (const Value* source = details->find("source"); source && source->is_text())
    console.err.line(printable_lines(source->as_text()));
}

}  // namespace mapflow::cli
