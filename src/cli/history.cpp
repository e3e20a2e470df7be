#include <fmt/format.h>

#include "cli/event_line.h"
#include "cli/verbs.h"
#include "cli/wire.h"
#include "engine/engine.h"

namespace mapflow::cli {

ExitCode execute(const HistoryOptions& options, Console& console) {
  auto store = open_existing(options.store);
  if (!store) return refuse(console, store.error(), options.json);
  const auto kinds = step_kinds();
  const auto found = read_instance(**store, options.id, *kinds, true);
  if (!found) return refuse(console, found.error(), options.json);
  if (options.json) {
    Array events;
    events.reserve(found->events.size());
    for (const kernel::Event& event : found->events) events.push_back(event.to_value());
    console.document(Value(std::move(events)));
    return ExitCode::success;
  }
  for (const kernel::Event& event : found->events)
    console.out.line(console.out.paint(Color::dim, fmt::format("{:>5}  {}  ", event.seq, format_timestamp(event.at).substr(0, 10))) +
                     event_line(event, Detail::full, console.out));
  return ExitCode::success;
}

}  // namespace mapflow::cli
