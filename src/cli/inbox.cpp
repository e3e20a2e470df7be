#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cli/clerk_verb.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "cli/wire.h"
#include "engine/recovery.h"
#include "value/json.h"

namespace mapflow::cli {

namespace {

struct Waiting {
  std::string instance, workflow;
  kernel::OpenCall call;
};

/// Looks at every unfinished instance, a partition at a time.
Result<std::vector<Waiting>> find_waiting(engine::Clerk& clerk, const InboxOptions& options) {
  std::set<persistence::Partition> partitions;
  for (std::uint32_t shared = 0; shared < clerk.store().shared_partitions(); ++shared) partitions.emplace(shared);
  MAPFLOW_ASSIGN(const auto leases, clerk.store().leases());
  for (const persistence::Lease& lease : leases) partitions.insert(lease.partition);
  std::vector<Waiting> waiting;
  const auto look = [&waiting](const kernel::Program& program, const kernel::State& state) {
    for (kernel::OpenCall& call : kernel::open_calls(program, state)) waiting.push_back({state.id, state.workflow, std::move(call)});
  };
  for (const persistence::Partition partition : partitions) {
    MAPFLOW_ASSIGN(const auto missed, engine::visit_unfinished(clerk.store(), clerk.programs(), partition, options.workflow, look));
    for (const std::string& id : missed)
      if (const auto stored = clerk.read(id); stored && (options.workflow.empty() || stored->state.workflow == options.workflow))
        look(*stored->program, stored->state);
  }
  std::ranges::sort(waiting, {}, [](const Waiting& each) { return std::pair(each.call.since, each.call.token); });
  if (waiting.size() > options.limit) waiting.resize(options.limit);
  return waiting;
}

Value waiting_document(const Waiting& each) {
  const kernel::OpenCall& call = each.call;
  Value out = object({{"token", call.token}, {"instance_id", each.instance}, {"workflow", each.workflow}, {"path", call.path},
                      {"step", call.step}, {"agent", call.agent}, {"action", call.action}, {"data", call.data},
                      {"attempt", call.attempt}, {"since", format_timestamp(call.since)}});
  out.set("deadline", call.deadline == kNever ? Value() : Value(format_timestamp(call.deadline)));
  return out;
}

void print_waiting(Stream& out, const std::vector<Waiting>& waiting) {
  constexpr std::size_t kDataColumns = 60;
  Table table({"TOKEN", "WORKFLOW", "FOR", "ACTION", "WAITING", "DATA"});
  for (const Waiting& each : waiting)
    table.row({printable(each.call.token), printable(each.workflow), printable(each.call.agent), printable(each.call.action),
               format_elapsed(now() - each.call.since), fit(printable(to_json(each.call.data)), kDataColumns)});
  for (const std::string& line : table.lines(out)) out.line(line);
}

}  // namespace

ExitCode execute(const InboxOptions& options, Console& console) {
  auto desk = open_desk(options.store);
  if (!desk) return refuse(console, desk.error(), options.json);
  const auto waiting = find_waiting(*desk->clerk, options);
  if (!waiting) return refuse(console, waiting.error(), options.json);
  if (options.json) {
    Array documents;
    for (const Waiting& each : *waiting) documents.push_back(waiting_document(each));
    console.document(Value(std::move(documents)));
  } else if (waiting->empty()) {
    console.err.line("nothing waits for a person");
  } else {
    print_waiting(console.out, *waiting);
  }
  return ExitCode::success;
}

}  // namespace mapflow::cli
