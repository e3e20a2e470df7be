#include "cli/arguments.h"

#include <CLI/CLI.hpp>

#include <filesystem>

#include "cli/help_format.h"
#include "cli/usage_error.h"
#include "cli/version.h"
#include "persistence/open.h"

namespace mapflow::cli {

namespace {

/// What the options are written to, and which command was asked for.
struct Target {
  RunOptions run;
  ValidateOptions validate;
  FmtOptions fmt;
  TestOptions test;
  PatternsOptions patterns;
  NewOptions begin;
  GraphOptions graph;
  ShowOptions show;
  HistoryOptions history;
  ReplayOptions replay;
  ListOptions list;
  ServeOptions serve;
  StartVerbOptions start;
  RequestOptions request;
  RerunOptions rerun;
  InboxOptions inbox;
  WatchOptions watch;
  ResultOptions result;
  JinjaRenderOptions render;
  JinjaEvalOptions eval;
  JinjaReplOptions repl;
  StoreVerifyOptions verify;
  StoreToolOptions tool;
  BenchSequentialOptions sequential;
  BenchStoreLimitOptions limit;
  BenchLoopOptions loop;
  BenchWaitingOptions waiting;
  BenchRecoveryOptions recovery;
  VersionOptions version;
  std::string data_file;  // of the `jinja` verbs
  bool lenient = false;
  std::optional<Command> chosen;
};

void flag(CLI::App& app, const std::string& names, bool& value, const std::string& doc) { app.add_flag(names, value, doc); }

CLI::Option* option(CLI::App& app, const std::string& names, std::string& value, const std::string& what, const std::string& doc) {
  return app.add_option(names, value, doc)->option_text(what);
}

CLI::Option* option(CLI::App& app, const std::string& names, std::uint32_t& value, const std::string& doc) {
  return app.add_option(names, value, doc + " (" + std::to_string(value) + ")")->option_text("N");
}

/// May be given many times; each time with one value.
CLI::Option* repeated(CLI::App& app, const std::string& names, std::vector<std::string>& values, const std::string& what,
                      const std::string& doc) {
  return app.add_option(names, values, doc)
      ->option_text(what)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void store_option(CLI::App& app, std::string& store) {
  option(app, "--store", store, "URL", "the store: " + persistence::known_urls() + " (" + kDefaultStore + ")");
}
void json_flag(CLI::App& app, bool& json) { flag(app, "--json", json, "print one JSON document on standard output"); }

void add_run(CLI::App& app, Target& to) {
  CLI::App& run = *app.add_subcommand("run", "run a workflow to its end, or go on with one that was interrupted");
  to.run.file = "workflow.yaml";  // as `new` calls it
  run.add_option("FILE", to.run.file, "the definition, YAML or JSON (workflow.yaml)");
  repeated(run, "-i", to.run.inputs, "KEY=VALUE", "an input; VALUE is JSON if it parses as JSON, else text");
  option(run, "--input", to.run.input_file, "FILE|-", "the input as a JSON object; -i adds to it");
  option(run, "--id", to.run.id, "ID", "name the instance; if it exists already, go on with it");
  repeated(run, "--with", to.run.with, "FILE|DIR", "definitions that this one calls");
  option(run, "--secrets", to.run.secrets_file, "FILE", "secrets, NAME=VALUE a line; also MAPFLOW_SECRET_<NAME>");
  store_option(run, to.run.store);
  json_flag(run, to.run.json);
  flag(run, "--watch", to.run.watch, "tell every event with its data, also beside the live tree");
  run.add_option("--mode", to.run.mode, "how to run it: normal, debug, or dry-run, which calls nobody")
      ->option_text("MODE")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, RunMode>{{"normal", RunMode::normal}, {"debug", RunMode::debug}, {"dry-run", RunMode::dry_run}}));
  repeated(run, "--break", to.run.breakpoints, "STEP", "with --mode debug: stop before the step with this id");
  run.footer(
      "\nexit status: 0 completed, 1 ended otherwise or is suspended, 2 bad usage, definition or input,\n"
      "  3 the store cannot be used, 130 interrupted: the instance stays, run again with its --id to go on\n"
      "\nexample: mapflow run orders.yaml -i order_id=A-17 -i 'items=[\"pen\", \"ink\"]' --store sqlite:orders.db");
  run.callback([&to, &run] {
    if (run.count("FILE") == 0 && !std::filesystem::exists(to.run.file))
      throw CLI::RequiredError("FILE, or a " + to.run.file + " in this folder,");
    to.chosen = to.run;
  });
}

void add_validate(CLI::App& app, Target& to) {
  CLI::App& validate = *app.add_subcommand("validate", "check definitions and say everything that is wrong with them");
  validate.add_option("FILE", to.validate.files, "definitions, YAML or JSON")->required();
  repeated(validate, "--with", to.validate.with, "FILE|DIR", "definitions that these call");
  json_flag(validate, to.validate.json);
  validate.callback([&to] { to.chosen = to.validate; });
}

void add_writing(CLI::App& app, Target& to) {
  CLI::App& fmt = *app.add_subcommand("fmt", "rewrite definitions in the canonical spelling; comments stay");
  fmt.add_option("FILE", to.fmt.files, "definitions, YAML or JSON; -: from standard input to standard output")->required();
  flag(fmt, "--check", to.fmt.check, "change nothing; exit 1 and name the files that would change");
  flag(fmt, "--stdout", to.fmt.to_stdout, "print the texts instead of writing the files");
  fmt.callback([&to] { to.chosen = to.fmt; });

  CLI::App& schema = *app.add_subcommand("schema", "print the JSON Schema of definitions, for editors");
  schema.callback([&to] { to.chosen = SchemaOptions{}; });

  CLI::App& graph = *app.add_subcommand("graph", "draw a workflow, or an instance with its steps coloured by state");
  graph.add_option("FILE", to.graph.file, "the definition");
  option(graph, "--as", to.graph.as, "FORMAT", "mermaid (as if left out), dot or svg")->check([](const std::string& format) {
    return format == "mermaid" || format == "dot" || format == "svg" ? std::string() : "no format '" + format + "'; there are: mermaid, dot, svg";
  });
  option(graph, "--instance", to.graph.instance, "ID", "draw this instance instead of a file");
  store_option(graph, to.graph.store);
  graph.footer("\nexample: mapflow graph orders.yaml --as svg > orders.svg");
  graph.callback([&to] { to.chosen = to.graph; });
}

void add_testing(CLI::App& app, Target& to) {
  CLI::App& test = *app.add_subcommand("test", "play workflows against their tests: mocked agents, virtual time, faults by seed");
  test.add_option("FILE", to.test.files, "files of tests, or folders with *.test.yaml in them (.)");
  flag(test, "--coverage", to.test.coverage, "tell the steps and branches that no test went through");
  test.add_option("--min-coverage", to.test.min_coverage, "fail when fewer percent of the steps and branches were reached")
      ->option_text("N")->check(CLI::Range(0, 100));
  option(test, "--junit", to.test.junit_file, "FILE", "write the outcome as JUnit XML");
  flag(test, "--tap", to.test.tap, "print TAP on standard output");
  test.add_option("--seed", to.test.seed, "play the tests that have faults under this seed only")->option_text("N");
  flag(test, "--watch", to.test.watch, "play them again whenever a file changes, until Ctrl-C");
  json_flag(test, to.test.json);
  test.footer("\nexit status: 0 all passed, 1 some failed or too little was covered, 2 a test or a definition is broken\n"
              "\nexample: mapflow test orders.test.yaml --coverage");
  test.callback([&to] { to.chosen = to.test; });
}

void add_beginning(CLI::App& app, Target& to) {
  CLI::App& patterns = *app.add_subcommand("patterns", "the pattern library; with a name: what it is for, and its parameters");
  patterns.add_option("PATTERN", to.patterns.pattern, "its name");
  json_flag(patterns, to.patterns.json);
  patterns.callback([&to] { to.chosen = to.patterns; });

  CLI::App& begin = *app.add_subcommand("new", "begin a project with a pattern: workflow, agents, test, README");
  begin.add_option("PATTERN", to.begin.pattern, "its name; `mapflow patterns` lists them")->required();
  begin.add_option("DIR", to.begin.folder, "the folder to write to; made if it is not there (.)");
  repeated(begin, "--set", to.begin.settings, "NAME=VALUE", "a parameter of the pattern");
  begin.footer("\nexample: mapflow new saga trips --set attempts=5");
  begin.callback([&to] { to.chosen = to.begin; });
}

void add_looking(CLI::App& app, Target& to) {
  CLI::App& show = *app.add_subcommand("show", "show an instance: its state, steps, results and errors");
  show.add_option("ID", to.show.id, "the instance")->required();
  store_option(show, to.show.store);
  json_flag(show, to.show.json);
  show.callback([&to] { to.chosen = to.show; });

  CLI::App& history = *app.add_subcommand("history", "everything that happened to an instance, in order");
  history.add_option("ID", to.history.id, "the instance")->required();
  store_option(history, to.history.store);
  json_flag(history, to.history.json);
  history.callback([&to] { to.chosen = to.history; });

  CLI::App& replay = *app.add_subcommand("replay", "do again what an instance did, calling nobody, and tell where a definition goes another way");
  replay.add_option("ID", to.replay.id, "the instance")->required();
  replay.add_option("FILE", to.replay.file, "the definition to compare (the instance's own)");
  repeated(replay, "--with", to.replay.with, "FILE|DIR", "definitions that this one calls");
  store_option(replay, to.replay.store);
  json_flag(replay, to.replay.json);
  replay.callback([&to] { to.chosen = to.replay; });

  CLI::App& list = *app.add_subcommand("list", "list instances, newest first");
  option(list, "--workflow", to.list.workflow, "ID", "only those of this workflow");
  option(list, "--state", to.list.state, "STATE", "only those in this state");
  option(list, "--tag", to.list.tag, "TAG", "only those with this tag");
  option(list, "--text", to.list.text, "TEXT", "only those with this in their id or correlation id");
  list.add_option("--limit", to.list.limit, "at most so many (100)")->option_text("N");
  store_option(list, to.list.store);
  json_flag(list, to.list.json);
  list.callback([&to] { to.chosen = to.list; });
}

void input_options(CLI::App& app, std::vector<std::string>& inputs, std::string& file, const std::string& what) {
  repeated(app, "-i", inputs, "KEY=VALUE", "a member of the " + what + "; VALUE is JSON if it parses as JSON, else text");
  option(app, "--input", file, "FILE|-", "the " + what + " as JSON");
}

/// One that waits for whoever runs the instance.
void patience_option(CLI::App& app, double& seconds) {
  app.add_option("--timeout", seconds, "how long to wait for whoever runs the instance (30)")
      ->option_text("SECONDS")
      ->check(CLI::Range(0.0, 1e6));
}

void add_start(CLI::App& app, Target& to) {
  CLI::App& start = *app.add_subcommand("start", "accept an instance without running it; a serving node picks it up");
  start.add_option("FILE", to.start.file, "the definition, YAML or JSON")->required();
  input_options(start, to.start.inputs, to.start.input_file, "input");
  option(start, "--id", to.start.id, "ID", "name the instance; a second start with the same input finds the first");
  option(start, "--correlation-id", to.start.correlation_id, "TEXT", "what it has to do with, for people to search by");
  repeated(start, "--tag", to.start.tags, "TAG", "a tag to list by");
  repeated(start, "--with", to.start.with, "FILE|DIR", "definitions that this one calls");
  patience_option(start, to.start.timeout_seconds);
  store_option(start, to.start.store);
  json_flag(start, to.start.json);
  start.callback([&to] { to.chosen = to.start; });
}

void add_serve(CLI::App& app, Target& to) {
  CLI::App& serve = *app.add_subcommand("serve", "run whatever is in a store; start more of them to share the work");
  option(serve, "--listen", to.serve.listen, "ADDRESS", "where /healthz /readyz /version /metrics are answered (127.0.0.1:7700)");
  flag(serve, "--allow-remote", to.serve.allow_remote, "let --listen name an address that other machines reach");
  option(serve, "--node", to.serve.node, "NAME", "the name of this node; each on one store has its own");
  repeated(serve, "--workflows", to.serve.workflows, "FILE|DIR", "definitions to know, for sub-workflows called by name");
  option(serve, "--secrets", to.serve.secrets_file, "FILE", "secrets, NAME=VALUE a line; also MAPFLOW_SECRET_<NAME>");
  option(serve, "--retention", to.serve.retention, "DURATION", "drop instances for good that were over for so long, as 90d (never)");
  store_option(serve, to.serve.store);
  serve.footer(
      "\nIt ends on Ctrl-C or SIGTERM after handing over what it runs; a second one ends it at once.\n"
      "exit status: 0 ended in good order, 2 bad usage or definition, 3 the store or the address cannot be used");
  serve.callback([&to] { to.chosen = to.serve; });
}

using What = RequestOptions::What;

CLI::App& add_request(CLI::App& app, Target& to, What what, const std::string& verb, const std::string& doc) {
  CLI::App& request = *app.add_subcommand(verb, doc);
  request.add_option(what == What::answer ? "TOKEN" : "ID", to.request.id,
                     what == What::answer ? "the message, as `mapflow inbox` names it" : "the instance")
      ->required();
  option(request, "--key", to.request.key, "KEY", "carry it out once, however often it is sent under this key");
  patience_option(request, to.request.timeout_seconds);
  store_option(request, to.request.store);
  json_flag(request, to.request.json);
  request.callback([&to, what] {
    to.request.what = what;
    to.chosen = to.request;
  });
  return request;
}

void payload_options(CLI::App& app, Target& to, const std::string& word, const std::string& what) {
  app.add_option(word, to.request.payload, "the " + what + ": JSON if it parses as JSON, else text");
  input_options(app, to.request.inputs, to.request.input_file, what);
}

void add_requests(CLI::App& app, Target& to) {
  const auto reason = [&to](CLI::App& verb) { option(verb, "--reason", to.request.reason, "TEXT", "why, for the history"); };
  reason(add_request(app, to, What::pause, "pause", "hold an instance: what runs may finish, nothing new starts"));
  add_request(app, to, What::resume, "resume", "let a paused or suspended instance go on");
  reason(add_request(app, to, What::cancel, "cancel", "end an instance, and undo what it did"));
  reason(add_request(app, to, What::terminate, "terminate", "end an instance at once, undoing nothing"));

  CLI::App& signal = add_request(app, to, What::signal, "signal", "give an instance a signal that it waits, or will wait, for");
  signal.add_option("NAME", to.request.name, "the signal")->required();
  payload_options(signal, to, "PAYLOAD", "payload");
  signal.footer("\nexample: mapflow signal order-17 approval -i by=ann -i amount=250");

  CLI::App& retry = add_request(app, to, What::retry, "retry", "try a step again that suspended its instance, or waits to be tried");
  retry.add_option("STEP", to.request.name, "its path, or its id (every step that suspended the instance)");

  CLI::App& skip = add_request(app, to, What::skip, "skip", "give a step up and go on behind it");
  skip.add_option("STEP", to.request.name, "its path, or its id where that is unique")->required();
  payload_options(skip, to, "RESULT", "result it shall be worth");

  CLI::App& update = add_request(app, to, What::update, "update", "set variables of a paused or suspended instance");
  input_options(update, to.request.inputs, to.request.input_file, "variables");
  repeated(update, "--budget", to.request.budget, "KEY=VALUE", "raise (or lower) tokens, cost_usd, steps or wall_time");
  update.footer("\nexample: mapflow update order-17 -i limit=500 -i customer.vip=true --budget tokens=200000");

  CLI::App& rewind = add_request(app, to, What::rewind, "rewind", "take an instance back, over or not, and go on from there");
  rewind.add_option("CHECKPOINT", to.request.name, "the name of a checkpoint");
  option(rewind, "--before", to.request.before, "STEP", "to before this step, by its path or id");

  CLI::App& rerun = *app.add_subcommand("rerun", "accept another instance of the same definition with the same input");
  rerun.add_option("ID", to.rerun.id, "the instance that was")->required();
  option(rerun, "--new-id", to.rerun.new_id, "ID", "name the new instance");
  patience_option(rerun, to.rerun.timeout_seconds);
  store_option(rerun, to.rerun.store);
  json_flag(rerun, to.rerun.json);
  rerun.callback([&to] { to.chosen = to.rerun; });

  CLI::App& inbox = *app.add_subcommand("inbox", "messages that wait for a person");
  inbox.require_subcommand(0, 1);
  inbox.fallthrough(false);
  const auto list_options = [&to](CLI::App& verb) {
    option(verb, "--workflow", to.inbox.workflow, "ID", "only those of this workflow");
    verb.add_option("--limit", to.inbox.limit, "at most so many (100)")->option_text("N");
    store_option(verb, to.inbox.store);
    json_flag(verb, to.inbox.json);
    verb.callback([&to, &verb] {
      if (verb.get_subcommands().empty()) to.chosen = to.inbox;
    });
  };
  list_options(inbox);
  list_options(*inbox.add_subcommand("list", "what waits, oldest first"));
  CLI::App& answer = add_request(inbox, to, What::answer, "answer", "answer a message; its workflow goes on with the answer");
  payload_options(answer, to, "VALUE", "answer");
  option(answer, "--error", to.request.error, "TEXT", "answer that it went wrong, and why");
  answer.footer("\nexample: mapflow inbox answer 'order-17/approve#1' -i approved=true");
}

void add_following(CLI::App& app, Target& to) {
  CLI::App& watch = *app.add_subcommand("watch", "follow an instance to its end, whoever runs it");
  watch.add_option("ID", to.watch.id, "the instance")->required();
  flag(watch, "--from-now", to.watch.from_now, "leave out what happened before");
  store_option(watch, to.watch.store);
  flag(watch, "--json", to.watch.json, "print each event as a JSON document on a line of its own");
  watch.footer("\nexit status: 0 completed, 1 ended otherwise or is suspended, 130 interrupted");
  watch.callback([&to] { to.chosen = to.watch; });

  CLI::App& result = *app.add_subcommand("result", "print what an instance came to");
  result.add_option("ID", to.result.id, "the instance")->required();
  flag(result, "--wait", to.result.wait, "wait for its end");
  result.add_option("--timeout", to.result.timeout_seconds, "with --wait: how long (as long as it takes)")
      ->option_text("SECONDS")
      ->check(CLI::Range(0.0, 1e9));
  store_option(result, to.result.store);
  json_flag(result, to.result.json);
  result.footer("\nexit status: 0 completed, 1 ended otherwise or is suspended, 2 not over yet");
  result.callback([&to] { to.chosen = to.result; });
}

void add_jinja(CLI::App& app, Target& to) {
  CLI::App& jinja = *app.add_subcommand("jinja", "try templates and expressions; without a word more: interactively");
  jinja.require_subcommand(0, 1);
  jinja.fallthrough(false);
  const auto common = [&to](CLI::App& verb) {
    option(verb, "--data", to.data_file, "FILE|-", "the names a template sees: a JSON object");
    flag(verb, "--lenient", to.lenient, "undefined names print as nothing, as in plain Jinja2");
  };
  common(jinja);
  CLI::App& render = *jinja.add_subcommand("render", "render a template file to standard output");
  render.add_option("FILE", to.render.file, "the template, or - for standard input")->required();
  common(render);
  CLI::App& eval = *jinja.add_subcommand("eval", "evaluate one expression and print its value as JSON");
  eval.add_option("EXPRESSION", to.eval.expression, "without braces: 'results.check.total * 1.2'")->required();
  common(eval);
  jinja.callback([&to, &render, &eval] {
    if (render.parsed()) {
      to.render.data_file = to.data_file;
      to.render.lenient = to.lenient;
      to.chosen = to.render;
    } else if (eval.parsed()) {
      to.eval.data_file = to.data_file;
      to.eval.lenient = to.lenient;
      to.chosen = to.eval;
    } else {
      to.chosen = JinjaReplOptions{.data_file = to.data_file, .lenient = to.lenient};
    }
  });
}

void add_store(CLI::App& app, Target& to) {
  CLI::App& store = *app.add_subcommand("store", "look after a store");
  store.require_subcommand(1);
  CLI::App& verify = *store.add_subcommand("verify", "replay every journal and compare it with its snapshot");
  store_option(verify, to.verify.store);
  json_flag(verify, to.verify.json);
  verify.callback([&to] { to.chosen = to.verify; });

  using What = StoreToolOptions::What;
  const auto tool = [&](const char* name, What what, const std::string& doc) -> CLI::App& {
    CLI::App& verb = *store.add_subcommand(name, doc);
    store_option(verb, to.tool.store);
    json_flag(verb, to.tool.json);
    verb.callback([&to, what] {
      to.tool.what = what;
      to.chosen = to.tool;
    });
    return verb;
  };
  tool("stats", What::stats, "count what is in a store, and say how its tiers are doing");
  tool("migrate", What::migrate, "bring the tables of a store up to this version; it is opened, and nothing else");
  CLI::App& gc = tool("gc", What::gc, "drop instances for good that were over for long enough, and what of the logs nobody needs");
  option(gc, "--older-than", to.tool.older_than, "DURATION", "how long they have not changed, as 90d")->required();
  CLI::App& archive = tool("archive", What::archive, "move instances into the archive, now, that were over for long enough");
  option(archive, "--older-than", to.tool.older_than, "DURATION", "how long they have not changed (the store's retention)");
  CLI::App& out = tool("export", What::export_all, "write all of a store that no node runs to a file, for another kind of store");
  out.add_option("FILE", to.tool.file, "a file that does not exist yet")->required();
  CLI::App& in = tool("import", What::import_all, "fill an empty store with what another one's export wrote");
  in.add_option("FILE", to.tool.file, "the exported store")->required();
}

void load_options(CLI::App& app, BenchLoad& load) {
  option(app, "--steps", load.steps, "steps of each workflow")->check(CLI::Range(1u, 1'000'000u));
  option(app, "--workflows", load.workflows, "workflows in all")->check(CLI::Range(1u, 100'000'000u));
  option(app, "--concurrency", load.concurrency, "workflows running at once")->check(CLI::Range(1u, 1'000'000u));
  app.add_option("--shards", load.shards, "shards of the engine (one per core)")->option_text("N")->check(CLI::Range(1u, 256u));
}

void add_bench(CLI::App& app, Target& to) {
  CLI::App& bench = *app.add_subcommand("bench", "measure the engine on this machine");
  bench.require_subcommand(1);
  CLI::App& sequential = *bench.add_subcommand("sequential", "workflows of steps that do nothing, one after the other");
  load_options(sequential, to.sequential.load);
  option(sequential, "--store", to.sequential.store, "URL", "the store (memory:)");
  json_flag(sequential, to.sequential.json);
  sequential.callback([&to] { to.chosen = to.sequential; });

  CLI::App& limit = *bench.add_subcommand(
      "store-limit", "the same run, and what a bare loop writing the same bytes to the same store reaches");
  load_options(limit, to.limit.load);
  option(limit, "--store", to.limit.store, "URL", "a store that does not exist yet: sqlite:PATH, postgres://… or redis://…")->required();
  json_flag(limit, to.limit.json);
  limit.callback([&to] { to.chosen = to.limit; });

  CLI::App& loop = *bench.add_subcommand("loop", "one workflow that loops very often: its memory and its history stay bounded");
  option(loop, "--iterations", to.loop.iterations, "iterations in all")->check(CLI::Range(1u, 100'000'000u));
  option(loop, "--max-concurrent", to.loop.window, "iterations at once")->check(CLI::Range(1u, 100'000u));
  option(loop, "--store", to.loop.store, "URL", "the store (memory:)");
  json_flag(loop, to.loop.json);
  loop.callback([&to] { to.chosen = to.loop; });

  CLI::App& waiting = *bench.add_subcommand("waiting", "very many workflows that wait for a signal, which each then gets");
  option(waiting, "--instances", to.waiting.instances, "workflows")->check(CLI::Range(1u, 100'000'000u));
  option(waiting, "--memory-mib", to.waiting.memory_mib, "what their states may take in memory")->check(CLI::Range(1u, 1'000'000u));
  option(waiting, "--store", to.waiting.store, "URL", "the store (memory:)");
  json_flag(waiting, to.waiting.json);
  waiting.callback([&to] { to.chosen = to.waiting; });

  CLI::App& recovery = *bench.add_subcommand("recovery", "takes over the unfinished workflows of a process that was killed");
  option(recovery, "--instances", to.recovery.instances, "workflows")->check(CLI::Range(1u, 100'000'000u));
  option(recovery, "--timer-seconds", to.recovery.timer_seconds, "from the first start to the first timer")
      ->check(CLI::Range(1u, 86'400u));
  option(recovery, "--store", to.recovery.store, "URL", "a durable store")->required();
  json_flag(recovery, to.recovery.json);
  recovery.callback([&to] { to.chosen = to.recovery; });
}

void add_version(CLI::App& app, Target& to) {
  CLI::App& version = *app.add_subcommand("version", "print the version");
  json_flag(version, to.version.json);
  version.callback([&to] { to.chosen = to.version; });
  app.set_version_flag("--version", [] { return version_line(); }, "print the version");
}

void build(CLI::App& app, Target& to) {
  app.formatter(std::make_shared<HelpFormat>());
  app.set_help_flag("-h,--help", "print this help");
  app.require_subcommand(1);
  add_run(app, to);
  add_start(app, to);
  add_serve(app, to);
  add_validate(app, to);
  add_writing(app, to);
  add_testing(app, to);
  add_beginning(app, to);
  add_looking(app, to);
  add_following(app, to);
  add_requests(app, to);
  add_jinja(app, to);
  add_store(app, to);
  add_bench(app, to);
  add_version(app, to);
  for (CLI::App* verb : app.get_subcommands({})) verb->group("verbs");
  for (CLI::App* verb : app.get_subcommands({}))
    for (CLI::App* what : verb->get_subcommands({})) what->group("what");
  app.footer("\n`mapflow VERB --help` says more about each.");
}

}  // namespace

Parsed parse_arguments(const std::vector<std::string>& words) {
  Target to;
  CLI::App app("Runs workflows of agents: durable, resumable, each result applied once.", "mapflow");
  build(app, to);
  if (auto unknown = unknown_verb(app, words)) return *unknown;
  if (words.empty()) return Help{app.help()};
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::CallForHelp&) {
    const CLI::App* asked = &app;
    while (!asked->get_subcommands().empty()) asked = asked->get_subcommands().front();
    return Help{asked->help()};
  } catch (const CLI::CallForVersion&) {
    return Help{version_line() + "\n"};
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error);
  }
  return *to.chosen;
}

}  // namespace mapflow::cli
