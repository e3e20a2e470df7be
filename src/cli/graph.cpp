#include "graph/graph.h"

#include "cli/definitions.h"
#include "cli/verbs.h"
#include "cli/wire.h"
#include "engine/engine.h"
#include "kernel/history.h"

namespace mapflow::cli {

namespace {

std::string draw(const GraphOptions& options, const Definition& definition, const graph::StepMarks* marks) {
  if (options.as == "svg") return graph::to_svg(definition, marks);
  if (options.as == "dot") return graph::to_dot(definition, marks);
  return graph::to_mermaid(definition, marks);
}

ExitCode draw_instance(const GraphOptions& options, Console& console) {
  auto store = open_existing(options.store);
  if (!store) return refuse(console, store.error(), false);
  const auto kinds = step_kinds();
  const auto found = read_instance(**store, options.instance, *kinds, false);
  if (!found) return refuse(console, found.error(), false);
  graph::StepMarks marks;
  for (const kernel::StepView& step : kernel::step_views(*found->program, found->state)) graph::add_mark(marks, step.id, step.state);
  console.out.write(draw(options, found->program->definition(), &marks));
  return ExitCode::success;
}

}  // namespace

ExitCode execute(const GraphOptions& options, Console& console) {
  if (!options.instance.empty()) return draw_instance(options, console);
  if (options.file.empty())
    return refuse(console, Error(code::invalid_input, "there is nothing to draw", "name a definition, or an instance with --instance ID"), false);
  const auto kinds = step_kinds();
  const LoadedDefinitions loaded = load_definitions(options.file, {}, *kinds);
  if (!loaded.sound()) {
    print_diagnostics(console.err, loaded);
    return ExitCode::usage;
  }
  console.out.write(draw(options, loaded.definitions.front(), nullptr));
  return ExitCode::success;
}

}  // namespace mapflow::cli
