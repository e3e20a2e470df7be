#include <algorithm>

#include "builder/render.h"
#include "cli/definitions.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "cli/wire.h"

namespace mapflow::cli {

namespace {

/// "orders.yaml: ok, order_processing 1.2".
std::string praise(const std::string& file, const LoadedDefinitions& loaded) {
  std::string text = printable(file) + ": ok";
  for (const Definition& definition : loaded.definitions)
    text += ", " + printable(definition.id) + " " + printable(definition.version);
  return text;
}

}  // namespace

ExitCode execute(const ValidateOptions& options, Console& console) {
  const auto kinds = step_kinds();
  Diagnostics all;
  for (const std::string& file : options.files) {
    LoadedDefinitions loaded = load_definitions(file, options.with, *kinds);
    if (!options.json) print_diagnostics(console.err, loaded);
    if (!options.json && loaded.sound()) console.out.line(praise(file, loaded));
    std::ranges::move(loaded.diagnostics, std::back_inserter(all));
  }
  if (options.json) console.document(builder::to_value(all));
  return has_errors(all) ? ExitCode::usage : ExitCode::success;
}

}  // namespace mapflow::cli
