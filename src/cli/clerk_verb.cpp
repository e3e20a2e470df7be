#include "cli/clerk_verb.h"

#include "cli/event_line.h"
#include "cli/options.h"
#include "cli/text.h"
#include "model/state.h"

namespace mapflow::cli {

namespace {

Result<Desk> desk_on(Result<std::unique_ptr<persistence::Store>> store) {
  if (!store) return fail(std::move(store).error());
  Desk desk;
  desk.kinds = step_kinds();
  desk.clerk = std::make_unique<engine::Clerk>(std::shared_ptr(*std::move(store)), *desk.kinds);
  return desk;
}

/// Whether the instance has something to do that somebody must run.
bool wants_running(WorkflowState state) {
  return state == WorkflowState::running || state == WorkflowState::compensating;
}

std::string runner_text(const engine::Runner& runner) {
  return runner.serving ? "run by node " + printable(runner.node) : "run by a `mapflow run`";
}

}  // namespace

Result<Desk> open_desk(const std::string& store) { return desk_on(open_existing(store)); }

Result<Desk> open_or_make_desk(const std::string& store, const Patience& patience) {
  if (store == "memory:") return open_desk(store);  // refuses it, and says why
  return desk_on(open_patiently(store, patience));
}

ExitCode refuse_request(Console& console, const Error& error, bool json) {
  const ExitCode code = refuse(console, error, json);
  return error.is(code::invalid_state) ? ExitCode::usage : code;  // of the instance, not of the store
}

std::string ways_to_go_on(const Definition& definition, const std::string& id, const std::string& store) {
  const std::string url = store == kDefaultStore ? "" : " --store " + shell_quoted(store);
  std::string ways = "`mapflow serve" + url + "`";
  if (!definition.file.empty())
    ways += " or `mapflow run " + shell_quoted(definition.file) + " --id " + shell_quoted(id) + url + "`";
  return ways;
}

ExitCode tell_carried_out(Console& console, engine::Clerk& clerk, const std::string& id, const std::string& done,
                          const std::string& store, bool json) {
  const auto stored = clerk.read(id);
  if (!stored) return refuse(console, stored.error(), json);
  const auto runner = clerk.runner(id);
  if (!runner) return refuse(console, runner.error(), json);
  const std::string state(to_string(stored->state.state));
  if (json) {
    Value document = object({{"instance_id", id}, {"workflow", stored->state.workflow}, {"version", stored->state.version},
                             {"state", state}, {"reason", stored->state.reason}, {"done", done}});
    document.set("runner", runner->node.empty() ? Value() : Value(runner->node));
    console.document(document);
    return ExitCode::success;
  }
  std::string line = done + " " + console.out.paint(Color::bold, printable(id)) + ": " + console.out.paint(state_color(state), state);
  if (wants_running(stored->state.state) && !runner->node.empty()) line += ", " + runner_text(*runner);
  console.out.line(line);
  if (wants_running(stored->state.state) && runner->node.empty())
    console.err.line("nobody runs it now; it goes on with " + ways_to_go_on(stored->program->definition(), id, store));
  return ExitCode::success;
}

}  // namespace mapflow::cli
