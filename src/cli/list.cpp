#include <algorithm>

#include "cli/event_line.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "cli/wire.h"
#include "model/state.h"

namespace mapflow::cli {

namespace {

Value row_document(const persistence::InstanceRow& row) {
  Value out = object({{"instance_id", row.id}, {"workflow", row.workflow}, {"version", row.version}, {"state", row.state},
                      {"created_at", format_timestamp(row.created)}, {"updated_at", format_timestamp(row.updated)}});
  out.set("wakes_at", row.wake_at == kNever ? Value() : Value(format_timestamp(row.wake_at)));
  if (!row.correlation_id.empty()) out.set("correlation_id", row.correlation_id);
  if (!row.parent.empty()) out.set("parent_id", row.parent);
  Array tags;
  for (const std::string& tag : row.tags) tags.push_back(tag);
  out.set("tags", Value(std::move(tags)));
  return out;
}

Result<std::vector<persistence::InstanceRow>> read_rows(persistence::Store& store, const ListOptions& options) {
  persistence::ListQuery query{.workflow = options.workflow, .state = options.state, .tag = options.tag, .text = options.text};
  std::vector<persistence::InstanceRow> rows;
  do {
    query.limit = std::min<std::size_t>(options.limit - rows.size(), 500);
    MAPFLOW_ASSIGN(auto page, store.list(query));
    for (auto& row : page.rows) rows.push_back(std::move(row));
    query.cursor = page.next_cursor;
  } while (!query.cursor.empty() && rows.size() < options.limit);
  return rows;
}

void print_rows(Stream& out, const std::vector<persistence::InstanceRow>& rows) {
  Table table({"INSTANCE", "WORKFLOW", "VERSION", "STATE", "STARTED", "UPDATED"});
  const auto seconds = [](Timestamp at) { return format_timestamp(at).substr(0, 19) + "Z"; };
  for (const auto& row : rows)
    table.row({printable(row.id), printable(row.workflow), printable(row.version),
               out.paint(state_color(row.state), printable(row.state)), seconds(row.created), seconds(row.updated)});
  for (const std::string& line : table.lines(out)) out.line(line);
}

}  // namespace

ExitCode execute(const ListOptions& options, Console& console) {
  if (!options.state.empty() && !parse_workflow_state(options.state))
    return refuse(console, Error(code::invalid_input, "there is no workflow state '" + options.state + "'",
                                 "states: pending running paused suspended compensating completed failed cancelled "
                                 "compensated timed_out"), options.json);
  auto store = open_existing(options.store);
  if (!store) return refuse(console, store.error(), options.json);
  const auto rows = read_rows(**store, options);
  if (!rows) return refuse(console, rows.error(), options.json);
  if (options.json) {
    Array documents;
    for (const auto& row : *rows) documents.push_back(row_document(row));
    console.document(Value(std::move(documents)));
  } else if (rows->empty()) {
    console.err.line("no instances");
  } else {
    print_rows(console.out, *rows);
  }
  return ExitCode::success;
}

}  // namespace mapflow::cli
