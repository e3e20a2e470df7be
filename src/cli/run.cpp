#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "builder/render.h"
#include "cli/definitions.h"
#include "cli/inputs.h"
#include "cli/interrupts.h"
#include "cli/news.h"
#include "cli/report.h"
#include "cli/run_view.h"
#include "cli/secrets.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "cli/wire.h"
#include "engine/engine.h"
#include "model/message.h"
#include "model/state.h"
#include "persistence/url.h"

namespace mapflow::cli {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPicture{100};    // between two pictures on a terminal
constexpr milliseconds kLastWords{1000};  // for events that are still on their way when the outcome is known
constexpr milliseconds kProgress{250};   // between two looks at its progress

/// Whether the store has its instances when this program has ended, be it that a crash might cost some.
bool outlives_this_program(const persistence::Store& store) { return store.durable() || !store.durability_risk().empty(); }

/// The command that goes on with the instance.
std::string resume_command(const RunOptions& options, const std::string& id) {
  std::string command = "mapflow run " + shell_quoted(options.file) + " --id " + shell_quoted(id);
  for (const std::string& with : options.with) command += " --with " + shell_quoted(with);
  if (!options.secrets_file.empty()) command += " --secrets " + shell_quoted(options.secrets_file);
  if (options.store != kDefaultStore) command += " --store " + shell_quoted(persistence::without_password(options.store));
  return command;
}

std::string state_of(const Value& document) {
  const Value* state = document.find("state");
  return state && state->is_text() ? std::string(state->as_text()) : std::string();
}

/// One `run` from an opened engine to its exit code.
class RunSession {
 public:
  RunSession(const RunOptions& options, Console& console, Engine& engine, News& news, Interrupts& interrupts)
      : options_(options), people_(console.people(options.json)), console_(console), engine_(engine), news_(news),
        interrupts_(interrupts) {}

  ExitCode run(const Definition& main, const Value& input) {
    auto started = start(main.id, input);
    if (!started) return refuse(console_, started.error(), options_.json);
    const Run run = *started;
    people_.line("instance " + people_.paint(Color::bold, run.id()));
    if (!stood_.empty()) people_.line("it was " + stood_ + " and goes on");
    StepTree tree;
    if (!run.existed()) tree.expect(main);
    view_ = people_.terminal() ? make_live_view(people_, std::move(tree), options_.watch)
                               : make_plain_view(people_, options_.watch);
    id_ = run.id();
    if (auto first = run.document()) {
      view_->document(*first);
      const auto state = parse_workflow_state(state_of(*first));
      end_shown_ = state && is_terminal(*state);
    }
    auto outcome = follow(run);
    view_->end(now());
    if (!outcome) return refuse(console_, outcome.error(), options_.json);
    return *outcome ? tell_outcome(**outcome) : tell_interrupted(run);
  }

 private:
  /// Starts a new instance, or takes up the one that has this id.
  Result<Run> start(const std::string& workflow, const Value& input) {
    if (!options_.id.empty() && input.is_null()) {
      auto found = engine_.attach(options_.id);  // no input given: whatever it was started with
      if (found) return take_up(*found, workflow);
      if (!found.error().is(code::not_found)) return found;
    }
    StartOptions wish{.input = input, .id = options_.id};
    if (options_.mode == RunMode::debug) wish.breakpoints = options_.breakpoints;
    auto started = engine_.start(workflow, std::move(wish));
    if (!started || !started->existed()) return started;
    auto found = engine_.attach(started->id());
    if (!found) return found;
    return take_up(*found, workflow);
  }

  /// Going on with an instance that was suspended or paused is what running it again asks for.
  Result<Run> take_up(const Run& found, const std::string& workflow) {
    MAPFLOW_ASSIGN(const Value document, found.document());
    const Value* is = document.find("workflow");
    if (is && is->is_text() && is->as_text() != workflow)
      return fail(code::conflict, "instance '" + found.id() + "' is one of workflow '" + std::string(is->as_text()) +
                                      "', not of '" + workflow + "'", "choose another --id");
    const std::string state = state_of(document);
    const auto known = parse_workflow_state(state);
    if (options_.mode == RunMode::debug && known && !is_terminal(*known)) MAPFLOW_TRY(found.debug(options_.breakpoints));
    if (state == "suspended" || state == "paused") {
      MAPFLOW_TRY(found.resume());
      stood_ = state;
    }
    return found;
  }

  /// Shows what happens until the instance has an outcome; nullopt when the person wants to stop.
  Result<std::optional<Value>> follow(const Run& run) {
    run.on_end([&news = news_](Result<Value> outcome) { news.ended(std::move(outcome)); });
    std::optional<Result<Value>> outcome;
    Timestamp last_words = kNever, next_picture{}, next_progress{};
    while (!interrupts_.stop_requested()) {
      NewsBatch batch = news_.take();
      for (const LogEntry& entry : batch.log) view_->log(entry.agent, entry.line);
      for (const InstanceEvent& each : batch.events)
        if (each.instance == id_) end_shown_ = show(each.event) || end_shown_;  // sub-workflows are instances of their own
      const Timestamp at = now();
      if (batch.outcome) {
        outcome = std::move(batch.outcome);
        last_words = at + kLastWords;
      }
      if (outcome && (end_shown_ || !*outcome || at >= last_words)) {
        if (!*outcome) return fail(std::move(*outcome).error());
        return std::optional<Value>(std::move(**outcome));
      }
      if (view_->ticking() && at >= next_progress) next_progress = look_at_progress(run);
      if (at >= next_picture || !view_->ticking()) {
        view_->refresh(at);
        next_picture = at + kPicture;
      }
      sleep_until_news(view_->ticking() || outcome);
    }
    return std::optional<Value>();
  }

  /// True when the event says that the instance has come to an end, or to a stand.
  bool show(const kernel::Event& event) {
    view_->event(event);
    constexpr std::array ends{"workflow.completed", "workflow.failed",    "workflow.cancelled",
                              "workflow.timed_out", "workflow.compensated", "workflow.suspended"};
    return std::ranges::find(ends, event.type) != ends.end();
  }

  /// A large instance takes long to describe; asking is kept to a twentieth of the time.
  Timestamp look_at_progress(const Run& run) {
    const Timestamp before = now();
    if (auto document = run.document()) view_->document(*document);
    const Timestamp after = now();
    return after + std::max<Duration>(kProgress, 20 * (after - before));
  }

  void sleep_until_news(bool limited) {
    std::array<pollfd, 2> sources{pollfd{news_.descriptor(), POLLIN, 0}, pollfd{interrupts_.descriptor(), POLLIN, 0}};
    poll(sources.data(), sources.size(), limited ? static_cast<int>(kPicture.count()) : -1);
    if (sources[1].revents != 0) {
      interrupts_.drain();
      view_->refresh(now());  // perhaps the terminal has another size now
    }
  }

  ExitCode tell_outcome(const Value& document) {
    print_outcome(people_, document);
    if (options_.json) console_.document(document);
    const std::string state = state_of(document);
    if (state == "suspended") {
      const bool stopped = options_.mode == RunMode::debug;
      people_.line((stopped ? "to go on: " : "to try the failed step again: ") + resume_command(options_, id_));
    } else if (outlives_this_program(engine_.store())) {
      people_.line(people_.paint(Color::dim, "more: mapflow show " + shell_quoted(id_) + " --store " + shell_quoted(persistence::without_password(options_.store))));
    }
    return state == "completed" ? ExitCode::success : ExitCode::failed;
  }

  ExitCode tell_interrupted(const Run& run) {
    if (options_.json) {
      const auto document = run.document();
      console_.document(document ? *document : object({{"error", to_value(document.error())}}));
    }
    const bool stays = outlives_this_program(engine_.store());
    people_.line(stays ? "interrupted; the instance stays in " + options_.store + " and goes on with:"
                       : "interrupted; the store forgets the instance with this program");
    if (stays) people_.line("  " + resume_command(options_, id_));
    return ExitCode::interrupted;
  }

  const RunOptions& options_;
  Stream& people_;
  Console& console_;
  Engine& engine_;
  News& news_;
  Interrupts& interrupts_;
  std::unique_ptr<RunView> view_;
  std::string id_;
  std::string stood_;       ///< the state from which it was resumed
  bool end_shown_ = false;  ///< no event that matters is still to come
};

/// A breakpoint that names no step would never be reached.
Status check_breakpoints(const RunOptions& options, const Definition& definition) {
  std::vector<std::string> ids;
  for_each_step(definition, [&](const Step& step, const std::string&) { ids.push_back(step.id); });
  for (const std::string& each : options.breakpoints) {
    if (options.mode != RunMode::debug) return fail(code::invalid_input, "--break stops in mode debug only", "add --mode debug");
    if (std::ranges::find(ids, each) == ids.end())
      return fail(code::invalid_input, "there is no step '" + each + "' to stop before", did_you_mean(each, ids));
  }
  return {};
}

ExitCode refuse_definitions(const LoadedDefinitions& loaded, const RunOptions& options, Console& console) {
  print_diagnostics(console.err, loaded);
  if (options.json) console.document(builder::to_value(loaded.diagnostics));
  return ExitCode::usage;
}

}  // namespace

ExitCode execute(const RunOptions& options, Console& console) {
  const auto kinds = step_kinds();
  LoadedDefinitions loaded = load_definitions(options.file, options.with, *kinds);
  if (!loaded.sound()) return refuse_definitions(loaded, options, console);
  print_diagnostics(console.err, loaded);  // the warnings
  auto secrets = load_secrets(options.secrets_file);
  if (!secrets) return refuse(console, secrets.error(), options.json);
  const auto input = read_input(options.input_file, options.inputs, EngineOptions().payload_bytes);
  if (!input) return refuse(console, input.error(), options.json);

  if (options.mode == RunMode::dry_run) return dry_run(options, loaded.definitions.front(), *input, console);
  if (auto known = check_breakpoints(options, loaded.definitions.front()); !known) return refuse(console, known.error(), options.json);

  Interrupts interrupts;
  News news;
  Engine engine(engine_for_run(options.store, *std::move(secrets),
                               [&news](std::string_view agent, std::string_view line) { news.log(agent, line); }));
  struct Closing {  // before the engine goes: one of its threads may wait for room among the news
    News& news;
    ~Closing() { news.close(); }
  } closing{news};
  if (auto opened = engine.status(); !opened) return refuse(console, opened.error(), options.json);
  const Definition main = loaded.definitions.front();
  for (Definition& definition : loaded.definitions)
    if (auto added = engine.add(std::move(definition)); !added) return refuse(console, added.error(), options.json);
  engine.on_event([&news](const std::string& instance, const kernel::Event& event) { news.tell(instance, event); });
  return RunSession(options, console, engine, news, interrupts).run(main, *input);
}

}  // namespace mapflow::cli
