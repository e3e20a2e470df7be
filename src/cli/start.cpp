#include <filesystem>
#include <thread>

#include "builder/render.h"
#include "cli/clerk_verb.h"
#include "cli/definitions.h"
#include "cli/inputs.h"
#include "cli/text.h"
#include "cli/verbs.h"

namespace mapflow::cli {

ExitCode execute(const StartVerbOptions& options, Console& console) {
  const auto input = read_input(options.input_file, options.inputs, EngineOptions().payload_bytes);
  if (!input) return refuse(console, input.error(), options.json);
  const auto limit = duration_from_seconds(options.timeout_seconds);
  if (!limit) return refuse(console, limit.error(), options.json);
  const Patience patience{*limit, [&](const std::string& line) { console.err.line(printable(line)); },
                          [](std::chrono::milliseconds span) { return std::this_thread::sleep_for(span), false; }};
  auto desk = open_or_make_desk(options.store, patience);
  if (!desk) return refuse(console, desk.error(), options.json);
  LoadedDefinitions loaded = load_definitions(options.file, options.with, *desk->kinds);
  print_diagnostics(console.err, loaded);
  if (!loaded.sound()) {
    if (options.json) console.document(builder::to_value(loaded.diagnostics));
    return ExitCode::usage;
  }
  const std::string workflow = loaded.definitions.front().id;
  for (Definition& definition : loaded.definitions)
    if (const Status added = desk->clerk->add(std::move(definition)); !added) return refuse(console, added.error(), options.json);
  StartOptions start{.input = *input, .id = options.id, .correlation_id = options.correlation_id, .tags = options.tags};
  const auto started = desk->clerk->start(workflow, std::move(start), *limit);
  if (!started) return refuse_request(console, started.error(), options.json);
  return tell_carried_out(console, *desk->clerk, started->id, started->existed ? "was started before:" : "started",
                          options.store, options.json);
}

ExitCode execute(const RerunOptions& options, Console& console) {
  const auto limit = duration_from_seconds(options.timeout_seconds);
  if (!limit) return refuse(console, limit.error(), options.json);
  auto desk = open_desk(options.store);
  if (!desk) return refuse(console, desk.error(), options.json);
  const auto started = desk->clerk->rerun(options.id, options.new_id, *limit);
  if (!started) return refuse_request(console, started.error(), options.json);
  return tell_carried_out(console, *desk->clerk, started->id, started->existed ? "was started before:" : "started",
                          options.store, options.json);
}

}  // namespace mapflow::cli
