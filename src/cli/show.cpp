#include "cli/report.h"
#include "cli/verbs.h"
#include "cli/wire.h"
#include "engine/engine.h"
#include "engine/estimate.h"
#include "kernel/history.h"

namespace mapflow::cli {

ExitCode execute(const ShowOptions& options, Console& console) {
  auto store = open_existing(options.store);
  if (!store) return refuse(console, store.error(), options.json);
  const auto kinds = step_kinds();
  const auto found = read_instance(**store, options.id, *kinds, false);
  if (!found) return refuse(console, found.error(), options.json);
  const auto estimate = engine::estimate(**store, found->state, now());
  if (!estimate) return refuse(console, estimate.error(), options.json);
  Value document = kernel::instance_document(*found->program, found->state, now());
  document.set("estimate", *estimate ? engine::to_value(**estimate) : Value());
  if (options.json) {
    console.document(document);
  } else {
    print_instance(console.out, document);
  }
  return ExitCode::success;
}

}  // namespace mapflow::cli
