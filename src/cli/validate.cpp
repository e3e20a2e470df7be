#include <algorithm>

#include "builder/render.h"
#include "cli/definitions.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "cli/wire.h"

namespace mapflow::cli {

namespace {

std::string verdict(const std::string& file, const LoadedDefinitions& loaded) {
  const auto errors = static_cast<std::uint64_t>(std::ranges::count(loaded.diagnostics, Severity::error, &Diagnostic::severity));
  const std::uint64_t warnings = loaded.diagnostics.size() - errors;
  if (errors > 0) return file + ": " + counted(errors, "error") + (warnings > 0 ? ", " + counted(warnings, "warning") : "");
  std::string text = file + ": ok";
  for (const Definition& definition : loaded.definitions)
    text += ", " + printable(definition.id) + " " + printable(definition.version);
  return text + (warnings > 0 ? ", " + counted(warnings, "warning") : "");
}

}  // namespace

ExitCode execute(const ValidateOptions& options, Console& console) {
  const auto kinds = step_kinds();
  Diagnostics all;
  for (const std::string& file : options.files) {
    LoadedDefinitions loaded = load_definitions(file, options.with, *kinds);
    Stream& stream = loaded.sound() ? console.people(options.json) : console.err;
    if (!options.json) print_diagnostics(console.err, loaded);
    if (!options.json) stream.line(printable(verdict(file, loaded)));
    std::ranges::move(loaded.diagnostics, std::back_inserter(all));
  }
  if (options.json) console.document(builder::to_value(all));
  return has_errors(all) ? ExitCode::usage : ExitCode::success;
}

}  // namespace mapflow::cli
