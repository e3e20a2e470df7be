#include <doctest/doctest.h>

#include "cli/arguments.h"

using namespace mapflow::cli;

namespace {

template <class Options>
Options parsed(const std::vector<std::string>& words) {
  const Parsed result = parse_arguments(words);
  if (const auto* wrong = std::get_if<UsageError>(&result)) FAIL(wrong->message);
  return std::get<Options>(std::get<Command>(result));
}

UsageError refused(const std::vector<std::string>& words) {
  const Parsed result = parse_arguments(words);
  REQUIRE(std::holds_alternative<UsageError>(result));
  return std::get<UsageError>(result);
}

std::string help(const std::vector<std::string>& words) {
  const Parsed result = parse_arguments(words);
  REQUIRE(std::holds_alternative<Help>(result));
  return std::get<Help>(result).text;
}

}  // namespace

TEST_CASE("run takes its file, and inputs that do not swallow it") {
  const auto run = parsed<RunOptions>({"run", "-i", "a=1", "flow.yaml", "-i", "b=[1, 2]", "--id", "demo", "--with", "x",
                                       "--with", "y", "--store", "sqlite:x.db", "--json", "--watch"});
  CHECK(run.file == "flow.yaml");
  CHECK(run.inputs == std::vector<std::string>{"a=1", "b=[1, 2]"});
  CHECK(run.with == std::vector<std::string>{"x", "y"});
  CHECK(run.id == "demo");
  CHECK(run.store == "sqlite:x.db");
  CHECK(run.json);
  CHECK(run.watch);
}

TEST_CASE("run reads its input from a file or from standard input") {
  CHECK(parsed<RunOptions>({"run", "f", "--input", "in.json"}).input_file == "in.json");
  CHECK(parsed<RunOptions>({"run", "f", "--input", "-"}).input_file == "-");
}

TEST_CASE("the default store is a file in this folder") { CHECK(parsed<RunOptions>({"run", "f"}).store == "sqlite:mapflow.db"); }

TEST_CASE("a workflow runs in one of three modes") {
  CHECK(parsed<RunOptions>({"run", "f"}).mode == RunMode::normal);
  CHECK(parsed<RunOptions>({"run", "f", "--mode", "dry-run"}).mode == RunMode::dry_run);
  const auto debug = parsed<RunOptions>({"run", "f", "--mode", "debug", "--break", "a", "--break", "b"});
  CHECK(debug.mode == RunMode::debug);
  CHECK(debug.breakpoints == std::vector<std::string>{"a", "b"});
  CHECK(refused({"run", "f", "--mode", "slow"}).message.find("slow") != std::string::npos);
}

TEST_CASE("a slip of the keyboard gets a suggestion") {
  CHECK(refused({"vaildate", "x"}).hint == "did you mean 'validate'?");
  CHECK(refused({"run", "f", "--stroe", "x"}).hint == "did you mean '--store'?");
  CHECK(refused({"store", "verfy"}).hint == "did you mean 'verify'?");
  CHECK(refused({"bench", "squential"}).hint == "did you mean 'sequential'?");
  CHECK(refused({"frobnicate"}).hint.find("run, start, serve, validate") != std::string::npos);
}

TEST_CASE("what is missing or too much is named") {
  CHECK(refused({"run"}).message == "FILE, or a workflow.yaml in this folder, is required");
  CHECK(refused({"start"}).message.find("FILE") != std::string::npos);
  CHECK(refused({"store"}).message.find("verify") != std::string::npos);
  CHECK(refused({"show", "a", "b"}).message == "unexpected argument 'b'");
  CHECK(refused({"run", "f", "--id"}).message.find("--id") != std::string::npos);
  CHECK(refused({"list", "--limit", "many"}).message.find("--limit") != std::string::npos);
  CHECK(refused({"bench", "sequential", "--steps", "0"}).message.find("--steps") != std::string::npos);
}

TEST_CASE("jinja is a calculator, or one of its verbs") {
  CHECK(parsed<JinjaReplOptions>({"jinja"}).data_file.empty());
  const auto eval = parsed<JinjaEvalOptions>({"jinja", "eval", "1 + 1", "--data", "d.json"});
  CHECK(eval.expression == "1 + 1");
  CHECK(eval.data_file == "d.json");
  CHECK(parsed<JinjaRenderOptions>({"jinja", "render", "t.j2", "--lenient"}).lenient);
}

TEST_CASE("help is about what it was asked for") {
  CHECK(help({}).find("validate") != std::string::npos);
  CHECK(help({"--help"}).find("usage: mapflow VERB") != std::string::npos);
  CHECK(help({"run", "--help"}).find("usage: mapflow run FILE") != std::string::npos);
  CHECK(help({"store", "verify", "-h"}).find("usage: mapflow store verify") != std::string::npos);
  CHECK(help({"--version"}).starts_with("mapflow "));
}

TEST_CASE("verbs that ask something of an instance") {
  using What = RequestOptions::What;
  const auto signal = parsed<RequestOptions>({"signal", "i", "go", "{\"x\": 1}", "--key", "k", "--timeout", "2.5"});
  CHECK(signal.what == What::signal);
  CHECK(signal.id == "i");
  CHECK(signal.name == "go");
  CHECK(signal.payload == "{\"x\": 1}");
  CHECK(signal.key == "k");
  CHECK(signal.timeout_seconds == 2.5);
  CHECK(parsed<RequestOptions>({"pause", "i", "--reason", "lunch"}).reason == "lunch");
  CHECK(parsed<RequestOptions>({"retry", "i"}).name.empty());
  CHECK(parsed<RequestOptions>({"update", "i", "-i", "a=1"}).inputs == std::vector<std::string>{"a=1"});
  CHECK(refused({"skip", "i"}).message.find("STEP") != std::string::npos);
  CHECK(refused({"pause"}).message.find("ID") != std::string::npos);
}

TEST_CASE("inbox lists unless something is answered") {
  CHECK(parsed<InboxOptions>({"inbox", "--workflow", "w"}).workflow == "w");
  CHECK(parsed<InboxOptions>({"inbox", "list", "--limit", "3"}).limit == 3);
  const auto answer = parsed<RequestOptions>({"inbox", "answer", "i/ask#1", "yes"});
  CHECK(answer.what == RequestOptions::What::answer);
  CHECK(answer.id == "i/ask#1");
  CHECK(answer.payload == "yes");
}
