#include <fmt/format.h>

#include "cli/journal_check.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "cli/wire.h"
#include "model/message.h"

namespace mapflow::cli {

namespace {

Value report_document(const JournalReport& report, const std::string& store) {
  Array problems;
  for (const JournalProblem& problem : report.problems)
    problems.push_back(object({{"where", problem.where}, {"error", to_value(problem.error)}}));
  return object({{"ok", report.problems.empty()},
                 {"store", store},
                 {"instances", report.instances},
                 {"records", report.records},
                 {"log_entries", report.log_entries},
                 {"problems", Value(std::move(problems))}});
}

}  // namespace

ExitCode execute(const StoreVerifyOptions& options, Console& console) {
  auto store = open_existing(options.store);
  if (!store) return refuse(console, store.error(), options.json);
  const auto kinds = step_kinds();
  const auto report = check_journals(**store, *kinds);
  if (!report) return refuse(console, report.error(), options.json);
  if (options.json) console.document(report_document(*report, (*store)->name()));
  for (const JournalProblem& problem : report->problems)
    console.err.line(printable(problem.where) + ": " + console.err.paint(Color::red, printable(problem.error.to_string())));
  console.people(options.json).line(fmt::format("{}: {}, {}, {}: {}", (*store)->name(), counted(report->instances, "instance"),
                                                counted(report->records, "record"),
                                                counted(report->log_entries, "log entry"),
                                                report->problems.empty() ? "all sound" : counted(report->problems.size(), "problem")));
  return report->problems.empty() ? ExitCode::success : ExitCode::failed;
}

}  // namespace mapflow::cli
