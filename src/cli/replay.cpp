#include <fmt/format.h>

#include "builder/render.h"
#include "cli/definitions.h"
#include "cli/event_line.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "cli/wire.h"
#include "engine/stored_instance.h"
#include "testing/reenact.h"

namespace mapflow::cli {

namespace {

bool is_child(const std::vector<kernel::Record>& journal) {
  const auto* started = journal.empty() ? nullptr : std::get_if<kernel::InstanceStarted>(&journal.front().body);
  return started && !started->parent_id.empty();
}

Value to_value(const std::optional<kernel::Event>& event) { return event ? event->to_value() : Value(); }

void print(const testing::Difference& difference, bool is_child, Stream& out) {
  const auto line = [&out](const std::optional<kernel::Event>& event, const char* nothing) {
    return event ? event_line(*event, Detail::full, out) : std::string(nothing);
  };
  out.line(fmt::format("told {} at {}, it does something else at record {}:", printable(difference.told), format_timestamp(difference.at), difference.seq));
  out.line("  recorded  " + line(difference.recorded, "nothing more"));
  out.line("  now       " + line(difference.now, "nothing more"));
  if (is_child) out.line("a sub-workflow lives by its parents' budgets too, which its journal does not hold: they may be why");
}

}  // namespace

ExitCode execute(const ReplayOptions& options, Console& console) {
  auto store = open_existing(options.store);
  if (!store) return refuse(console, store.error(), options.json);
  const auto kinds = step_kinds();
  engine::ProgramCache programs(*kinds, **store);
  const auto journal = engine::read_journal(**store, programs, options.id);
  if (!journal) return refuse(console, journal.error(), options.json);

  engine::ProgramPtr now = journal->program;
  if (!options.file.empty()) {
    const LoadedDefinitions loaded = load_definitions(options.file, options.with, *kinds);
    if (!loaded.sound()) {
      print_diagnostics(console.err, loaded);
      if (options.json) console.document(builder::to_value(loaded.diagnostics));
      return ExitCode::usage;
    }
    auto compiled = programs.add(loaded.definitions.front());
    if (!compiled) return refuse(console, compiled.error(), options.json);
    now = *std::move(compiled);
  }
  const auto find_child = [&](const std::string& id) { return engine::read_child_end(**store, programs, id); };
  const auto outcome = testing::reenact(*journal->program, *now, journal->records, find_child);
  if (!outcome) return refuse(console, outcome.error(), options.json);
  const testing::Reenactment& replayed = *outcome;
  if (options.json) {
    Value document = object({{"instance_id", options.id}, {"records", journal->records.size()}, {"same", replayed.records}, {"difference", Value()}});
    if (const auto& found = replayed.difference)
      document.set("difference", object({{"seq", found->seq}, {"at", format_timestamp(found->at)}, {"told", found->told},
                                         {"recorded", to_value(found->recorded)}, {"now", to_value(found->now)}}));
    console.document(document);
  } else if (replayed.difference) {
    print(*replayed.difference, is_child(journal->records), console.out);
  } else {
    console.out.line(fmt::format("{} of {} records are as recorded", replayed.records, journal->records.size()));
  }
  return replayed.difference ? ExitCode::failed : ExitCode::success;
}

}  // namespace mapflow::cli
