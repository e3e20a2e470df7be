#include <chrono>

#include "cli/clerk_verb.h"
#include "cli/interrupts.h"
#include "cli/outcome.h"
#include "cli/verbs.h"
#include "cli/wire.h"

namespace mapflow::cli {

namespace {

constexpr std::chrono::milliseconds kLook{50};

/// Waits until the list says that the instance has an outcome. False when the person wants to stop.
Result<bool> wait_for_outcome(engine::Clerk& clerk, const ResultOptions& options) {
  MAPFLOW_ASSIGN(const Duration limit, duration_from_seconds(options.timeout_seconds));
  const Timestamp end = limit == Duration(0) ? kNever : saturating_add(now(), limit);
  Interrupts interrupts;
  while (true) {
    const auto row = clerk.store().instance(options.id);
    if (!row && !row.error().is(code::not_found)) return fail(row.error());
    const auto state = row ? parse_workflow_state(row->state) : std::nullopt;
    if (state && is_outcome(*state)) return true;
    if (now() >= end)
      return fail(code::timeout, "instance '" + options.id + "' was not over within " + format_duration(limit));
    if (interrupts.wait(kLook)) return false;
  }
}

}  // namespace

ExitCode execute(const ResultOptions& options, Console& console) {
  auto desk = open_desk(options.store);
  if (!desk) return refuse(console, desk.error(), options.json);
  auto stored = desk->clerk->read(options.id);
  if (stored && options.wait && !is_outcome(stored->state.state)) {
    const auto over = wait_for_outcome(*desk->clerk, options);
    if (!over) {
      const ExitCode code = refuse(console, over.error(), options.json);
      return over.error().is(code::timeout) ? ExitCode::usage : code;
    }
    if (!*over) {
      console.error(Error(code::cancelled, "interrupted; that changes nothing for the instance"), options.json);
      return ExitCode::interrupted;
    }
    stored = desk->clerk->read(options.id);
  }
  if (!stored) return refuse(console, stored.error(), options.json);
  if (!is_outcome(stored->state.state))
    return refuse_request(console, Error(code::invalid_state, "instance '" + options.id + "' is not over: it is " +
                                             std::string(to_string(stored->state.state)), "--wait waits for its end"), options.json);
  const Value outcome = kernel::outcome_document(stored->state, now());
  if (options.json) console.document(outcome);
  else print_outcome(console.out, outcome);
  return exit_code_of(stored->state.state);
}

}  // namespace mapflow::cli
