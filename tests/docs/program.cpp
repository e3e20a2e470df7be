// A small program around the engine, for the examples of the documentation: it registers the handlers that docs/steps.md
// shows, and plays the people and programs outside who signal, answer and cancel.
//
//   docs_program fields                                what fields steps have: {"common": […], "retry": […], "kinds": {…}}
//   docs_program show FILE                             the definitions in their canonical form, a list
//   docs_program run FILE INPUT [ACTION]…              runs the definition, prints its document
//
// ACTION: "signal NAME [JSON]" once the instance is started, or "after PATH: signal NAME [JSON]" once the step of that
// path first waits, or else ends. Other actions: "answer JSON" (with "after": the call of that step, which was left
// open), "cancel", "terminate", "pause", "resume", "retry STEP", "skip STEP [JSON]", "update JSON".
#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/ensure.h"
#include "builder/printer.h"
#include "builder/reader.h"
#include "cli/definitions.h"
#include "cli/wire.h"
#include "engine/async.h"
#include "engine/engine.h"
#include "value/json.h"

namespace mapflow {

namespace {

constexpr std::chrono::seconds kPatience{60};

struct Action {
  std::string after;  ///< path of a step; empty: at once
  std::string what;
};

Action read_action(std::string_view text) {
  constexpr std::string_view kAfter = "after ";
  const std::size_t colon = text.find(": ");
  if (!text.starts_with(kAfter) || colon == std::string_view::npos) return {"", std::string(text)};
  return {std::string(text.substr(kAfter.size(), colon - kAfter.size())), std::string(text.substr(colon + 2))};
}

/// "signal go {}" → "signal", "go", {}.
struct Words {
  std::string verb, name;
  Value value;
};

Result<Words> read_words(std::string_view text) {
  Words words;
  const auto next = [&] {
    const std::size_t end = std::min(text.find(' '), text.size());
    std::string word(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    return word;
  };
  words.verb = next();
  if (words.verb == "signal" || words.verb == "skip" || words.verb == "retry") words.name = next();
  if (!text.empty()) { MAPFLOW_ASSIGN(words.value, parse_json(text)); }
  return words;
}

Status perform(const Run& run, std::string_view text, const std::string& token) {
  MAPFLOW_ASSIGN(Words words, read_words(text));
  if (words.verb == "signal") return run.signal(words.name, words.value);
  if (words.verb == "answer") return run.complete(token, words.value);
  if (words.verb == "cancel") return run.cancel();
  if (words.verb == "terminate") return run.terminate();
  if (words.verb == "pause") return run.pause();
  if (words.verb == "resume") return run.resume();
  if (words.verb == "retry") return run.retry(words.name);
  if (words.verb == "skip") return run.skip(words.name, words.value);
  if (words.verb == "update") return run.update(words.value);
  return fail(code::invalid_input, "there is no action '" + words.verb + "'");
}

/// Does each action once, when its step has come so far. Actions come one after the other, in the order given.
class Outside {
 public:
  explicit Outside(std::vector<Action> actions) : actions_(std::move(actions)) {}

  void started(Run run) {
    const std::lock_guard lock(mutex_);
    run_ = std::move(run);
    act();
  }

  void hear(const std::string& instance, const kernel::Event& event) {
    const std::lock_guard lock(mutex_);
    static constexpr std::array<std::string_view, 6> kFarEnough{"step.waiting", "step.left_open", "step.completed",
                                                                "step.failed",  "step.retrying",  "step.faulted"};
    if (std::ranges::find(kFarEnough, event.type) == kFarEnough.end() || (run_ && run_->id() != instance)) return;
    const Value* token = event.data.find("token");
    reached_.insert_or_assign(event.path, token ? std::string(token->as_text()) : std::string());
    act();
  }

  /// True once there are no more actions to come; false when none came for a while.
  bool finish() {
    std::unique_lock lock(mutex_);
    return acted_.wait_for(lock, kPatience, [&] { return next_ == actions_.size(); });
  }

 private:
  void act() {
    while (run_ && next_ < actions_.size()) {
      const Action& action = actions_[next_];
      const auto reached = reached_.find(action.after);
      if (!action.after.empty() && reached == reached_.end()) return;
      const Status done = perform(*run_, action.what, reached == reached_.end() ? std::string() : reached->second);
      if (!done) std::fprintf(stderr, "%s: %s\n", action.what.c_str(), done.error().to_string().c_str());
      ++next_;
    }
    acted_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable acted_;
  std::vector<Action> actions_;
  std::size_t next_ = 0;
  std::optional<Run> run_;
  std::map<std::string, std::string> reached_;  ///< paths, and the token under which their call is answered
};

/// The handlers of docs/steps.md, which shows this text.
void add_handlers(Engine& engine) {
  // docs/steps.md: handlers
  engine.handler("price", [](const StepInput& in) -> Result<Value> {
    const Value* pieces = in.input().find("pieces");
    if (!pieces || !pieces->is_integer()) return fail(code::invalid_input, "how many pieces?");
    return Value(pieces->as_integer() * 3);
  });
  engine.handler("longest", [](const StepInput& in) -> Result<Value> {
    Value longest("");
    for (const Value& each : in.input().find("values")->as_array())
      if (each.size() > longest.size()) longest = each;
    return longest;
  });
  // end
  // docs/steps.md: forms
  engine.coroutine("fetch", [](AsyncInput in) -> Async<Result<Value>> {
    for (int looked = 1; looked < 3; ++looked) {
      if (in.cancelled()) co_return fail(code::cancelled, "nobody waits any more");
      in.progress(object({{"looked", looked}}));
      co_await in.sleep(std::chrono::milliseconds(5));
    }
    co_return Value("the third look found it");
  });
  engine.handler("stuck", [](const StepInput& in) -> Result<Value> {
    in.heartbeat();
    while (!in.cancelled()) std::this_thread::yield();  // where the work would be
    return fail(code::cancelled, "given up");
  });
  // end
  // docs/steps.md: policy
  ensure(engine.retry_policy("as_told", [](const RetryQuestion& question) -> std::optional<Duration> {
    if (question.error.is("closed") && question.attempt < 3) return std::chrono::milliseconds(2 * question.attempt);
    return std::nullopt;
  }).has_value(), "no other policy has the name");
  // end
  engine.handler("undo", [](const StepInput& in) -> Result<Value> { return Value(in.envelope.path); });
}

Value names(std::span<const std::string_view> all) {
  Array out;
  for (const std::string_view each : all) out.push_back(Value(each));
  return Value(std::move(out));
}

Value fields() {
  Value kinds(Object{});
  const auto registry = cli::step_kinds();
  for (const std::string& kind : registry->kind_names()) {
    Value own(Object{});
    for (const FieldSpec& field : registry->schema(kind)->fields) {
      Array choices;
      for (const std::string& choice : field.choices) choices.push_back(Value(choice));
      own.set(Text(field.name), object({{"doc", field.doc}, {"choices", Value(std::move(choices))},
                                        {"required", field.required}, {"default", field.otherwise}}));
    }
    kinds.set(Text(kind), std::move(own));
  }
  return object({{"common", names(builder::step_keys())}, {"retry", names(builder::retry_keys())}, {"kinds", std::move(kinds)}});
}

void print(std::FILE* stream, const Value& document) { std::fprintf(stream, "%s\n", to_json(document).c_str()); }

/// nullopt: it is broken, and the complaints are on stderr.
std::optional<cli::LoadedDefinitions> load(const std::string& file) {
  cli::LoadedDefinitions loaded = cli::load_definitions(file, {}, *cli::step_kinds());
  for (const Diagnostic& each : loaded.diagnostics) std::fprintf(stderr, "%s %s\n", each.code.c_str(), each.message.c_str());
  if (!loaded.sound()) return std::nullopt;
  return loaded;
}

int show(const std::string& file) {
  const auto loaded = load(file);
  if (!loaded) return 2;
  Array documents;
  for (const Definition& each : loaded->definitions) documents.push_back(builder::to_document(each));
  print(stdout, Value(std::move(documents)));
  return 0;
}

int run(const std::string& file, std::string_view input, std::vector<Action> actions) {
  auto loaded = load(file);
  if (!loaded) return 2;
  auto given = parse_json(input);
  ensure(given.has_value(), "the input is JSON");

  Outside outside(std::move(actions));
  Engine engine(cli::engine_for_run("memory:", {}, {}));
  add_handlers(engine);
  const std::string main = loaded->definitions.front().id;
  for (Definition& definition : loaded->definitions) ensure(engine.add(std::move(definition)).has_value(), "the definition compiles");
  engine.on_event([&](const std::string& instance, const kernel::Event& event) { outside.hear(instance, event); });
  StartOptions options;
  options.input = *std::move(given);
  auto started = engine.start(main, std::move(options));
  if (!started) {
    print(stdout, to_value(started.error()));
    return 2;
  }
  outside.started(*started);
  auto end = started->wait(kPatience);
  if (end && end->find("state")->as_text() == "suspended" && outside.finish()) end = started->wait(kPatience);
  print(stdout, end ? *end : to_value(end.error()));
  return end && end->find("state")->as_text() == "completed" ? 0 : 1;
}

}  // namespace

}  // namespace mapflow

int main(int count, char** words) {
  const std::vector<std::string> given(words + 1, words + count);
  if (given.size() == 1 && given[0] == "fields") {
    mapflow::print(stdout, mapflow::fields());
    return 0;
  }
  if (given.size() == 2 && given[0] == "show") return mapflow::show(given[1]);
  if (given.size() < 3 || given[0] != "run") {
    std::fputs("usage: docs_program fields | show FILE | run FILE INPUT [ACTION]…\n", stderr);
    return 2;
  }
  std::vector<mapflow::Action> actions;
  for (std::size_t i = 3; i < given.size(); ++i) actions.push_back(mapflow::read_action(given[i]));
  return mapflow::run(given[1], given[2], std::move(actions));
}
