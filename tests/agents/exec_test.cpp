// What a process gets, what it may answer, and what becomes of bad answers.
#include "agents/exec.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "support.h"
#include "value/json.h"

using namespace mapflow;
using namespace mapflow::agents;
using namespace mapflow::agents::test;

namespace {

Value shell(const char* script) { return object({{"command", array({"sh", "-c", script})}}); }

Result<Reply> run(const char* script, const engine::AgentContext& context = {}) {
  const auto transport = make_exec_transport();
  return ask(*make(*transport, shell(script), context));
}

Error failure(const Result<Reply>& answer) {
  REQUIRE_FALSE(answer.has_value());
  return answer.error();
}

std::string json(const Result<Reply>& answer) { return answer ? to_json(answer->result) : answer.error().to_string(); }

Error failure_of(Value settings, const engine::AgentContext& context = {}) {
  const auto transport = make_exec_transport();
  return failure(ask(*make(*transport, std::move(settings), context)));
}

}  // namespace

TEST_CASE("exec: the envelope arrives on stdin as one JSON line, and stdout is the result") {
  const auto transport = make_exec_transport();
  const auto agent = make(*transport, object({{"command", array({"cat"})}}));
  const auto answer = ask(*agent, envelope("m-7", object({{"text", "grüße\n"}})));
  REQUIRE(answer);
  CHECK(answer->result == to_value(envelope("m-7", object({{"text", "grüße\n"}}))));
  CHECK(*answer->result.find("idempotency_key") == Value("i-1/review#1"));
  CHECK(*answer->result.find("attempt") == Value(2));
  CHECK_FALSE(answer->usage);
  CHECK(json(run("read line && echo 1 && ! read more")) == "1");
}

TEST_CASE("exec: any JSON document is a result") {
  CHECK(json(run("echo null")) == "null");
  CHECK(json(run("echo '  [1, 2.5, \"x\"] '")) == R"([1,2.5,"x"])");
  CHECK(json(run(R"(echo '{"error": {"code": "x"}}')")) == R"({"error":{"code":"x"}})");
}

TEST_CASE("exec: usage in an answer is counted and stays in the result") {
  const auto answer = run(R"(echo '{"text":"hi","usage":{"input_tokens":12,"output_tokens":3.0,"cost_usd":0.5}}')");
  REQUIRE(answer);
  REQUIRE(answer->usage);
  CHECK(answer->usage->input_tokens == 12);
  CHECK(answer->usage->output_tokens == 3);
  CHECK(answer->usage->cost_usd == 0.5);
  CHECK(answer->result.find_path("usage.input_tokens"));

  const auto odd = run(R"(echo '{"usage":{"input_tokens":-5,"output_tokens":"many","cost_usd":-0.5}}')");
  REQUIRE(odd);
  CHECK(odd->usage->input_tokens == 0);
  CHECK(odd->usage->output_tokens == 0);
  CHECK_FALSE(run(R"(echo '{"usage":"much"}')")->usage);
}

TEST_CASE("exec: an exit status becomes agent_error with the end of stderr, and may be retried") {
  const Error error = failure(run("echo start >&2; echo 'cannot open index' >&2; echo >&2; exit 3"));
  CHECK(error.code == code::agent_error);
  CHECK(error.message == "agent 'script' exited with status 3: cannot open index");
  CHECK(error.retryable.value_or(retryable_by_default(error.code)));
  CHECK(error.details == R"({"exit_status":3,"stderr":"start\ncannot open index\n\n"})");
}

TEST_CASE("exec: a typed error on stdout counts when the exit status says failure") {
  const Error error = failure(run(
      R"(echo '{"error":{"code":"rate_limited","message":"slow down","retryable":true,"retry_after":2.5}}'; exit 1)"));
  CHECK(error.code == code::rate_limited);
  CHECK(error.message == "slow down");
  CHECK(error.retryable == true);
  CHECK(error.retry_after_us == 2'500'000);
  CHECK(failure(run(R"(echo '{"error":{"code":"out_of_paper","message":"m","retryable":false}}'; exit 9)")).retryable ==
        false);
  CHECK(failure(run(R"(echo '{"error":"just a text"}'; exit 9)")).message == "agent 'script' exited with status 9");
}

TEST_CASE("exec: stdout that is not one JSON document is invalid_output") {
  for (const char* script : {"echo hello", "true", "echo '{}{}'", "echo '{\"a\":'", "printf '\\377'"}) {
    CAPTURE(script);
    const Error error = failure(run(script));
    CHECK(error.code == code::invalid_output);
    CHECK_FALSE(retryable_by_default(error.code));
  }
  CHECK(failure(run("echo hello")).message.find("hello") != std::string::npos);
  CHECK(failure(run("true")).message == "agent 'script' answered nothing where one JSON document is due");
}

TEST_CASE("exec: death by a signal is agent_error and names the signal") {
  const Error error = failure(run("echo 1; echo bye >&2; kill -SEGV $$"));
  CHECK(error.code == code::agent_error);
  CHECK(error.message == "agent 'script' was killed by SIGSEGV: bye");
  CHECK(error.details == R"({"signal":"SIGSEGV","stderr":"bye\n"})");
}

TEST_CASE("exec: a program that cannot be run is invalid_input and says why") {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / ("mapflow-exec-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  std::ofstream(folder / "plain.txt") << "text";
  std::ofstream(folder / "script") << "#!/no/such/interpreter\n";
  std::ofstream(folder / "noise") << "no program at all";
  for (const char* name : {"script", "noise"}) fs::permissions(folder / name, fs::perms::owner_all);
  const engine::AgentContext context{.folder = folder, .log = {}};

  const auto problem = [&](const char* program) {
    const Error error = failure_of(object({{"command", array({program})}}), context);
    CHECK(error.code == code::invalid_input);
    return error.message + " " + error.hint;
  };
  CHECK(problem("no-such-program") == "agent 'script': command 'no-such-program' not found in PATH ");
  CHECK(problem("./missing").find("missing' not found") != std::string::npos);
  CHECK(problem("./plain.txt").find("is not an executable file") != std::string::npos);
  CHECK(problem("/").find("is not an executable file") != std::string::npos);
  CHECK(problem("./script").find("interpreter that its first line names is missing") != std::string::npos);
  CHECK(problem("./noise").find("a script starts with #!") != std::string::npos);

  const Error error = failure_of(object({{"command", array({"true"})}, {"cwd", "nowhere"}}), context);
  CHECK(error.code == code::invalid_input);
  CHECK(error.message.find("working directory") != std::string::npos);
  fs::remove_all(folder);
}

TEST_CASE("exec: an agent need not read its stdin, whatever the size of the envelope") {
  const auto transport = make_exec_transport();
  const Value large = std::string(3'000'000, 'x');
  CHECK(json(ask(*make(*transport, shell("echo 1")), envelope("m", large))) == "1");
  CHECK(json(ask(*make(*transport, shell("exec <&-; echo 2")), envelope("m", large))) == "2");
  CHECK(json(ask(*make(*transport, shell("head -c 10 >/dev/null; echo 3")), envelope("m", large))) == "3");
}

TEST_CASE("exec: a large envelope and a large answer flow at the same time") {
  const auto transport = make_exec_transport();
  const auto agent = make(*transport, object({{"command", array({"cat"})}}), {.max_reply_bytes = 8u << 20, .log = {}});
  const auto answer = ask(*agent, envelope("m", std::string(3'000'000, 'x')));
  REQUIRE(answer);
  CHECK(answer->result.find("data")->size() == 3'000'000);
}

TEST_CASE("exec: an answer past the limit ends the process and is not retried") {
  const engine::AgentContext context{.max_reply_bytes = 1000, .log = {}};
  const Error error = failure(run("trap '' TERM; yes; echo survived >&2", context));  // yes never ends by itself
  CHECK(error.code == code::resource_exhausted);
  CHECK(error.retryable == false);
  CHECK(error.message.find("1000 bytes") != std::string::npos);
  CHECK(json(run("printf '\"%0997d' 0; printf 1; printf '\"'", context)).size() == 1000);
  CHECK(failure(run("printf '\"%0997d' 0; printf 12; printf '\"'", context)).code == code::resource_exhausted);
}

TEST_CASE("exec: stderr goes to the log line by line, and a flood of it is bounded") {
  Log log;
  const engine::AgentContext context{.log = log.sink()};
  CHECK(json(run("echo one >&2; printf 'two' >&2; echo 5", context)) == "5");
  CHECK(log.take("one") == "one");
  CHECK(log.take("two") == "two");
  CHECK(json(run("yes a-long-line-of-noise | head -c 20000000 >&2; echo 6", context)) == "6");
  CHECK(log.size() < 60'000);
}

TEST_CASE("exec: an agent may close its pipes early and still end as it likes") {
  CHECK(failure(run("exec >&- 2>&-; exit 4")).message == "agent 'script' exited with status 4");
  CHECK(json(run("echo 7; exec >&- 2>&-; exit 0")) == "7");
}

TEST_CASE("exec: children that keep the pipes open do not hold up the answer") {
  Log log;
  CHECK(json(run("sleep 1000 & echo $! >&2; echo 8", {.log = log.sink()})) == "8");
  const pid_t left = std::stoi(log.take(""));
  CHECK(::kill(left, SIGKILL) == 0);  // it was left alone: only calls that are given up end their group
  CHECK(is_gone(left));
}

TEST_CASE("exec: the environment is ours with `env`, without secrets, and decides the PATH") {
  ::setenv("MAPFLOW_SECRET_TOKEN", "hidden", 1);
  ::setenv("MAPFLOW_TEST_PLAIN", "seen", 1);
  ::setenv("MAPFLOW_TEST_OTHER", "ours", 1);
  const auto transport = make_exec_transport();
  Value settings = shell(R"(echo "\"${MAPFLOW_SECRET_TOKEN-none} $MAPFLOW_TEST_PLAIN $MAPFLOW_TEST_OTHER $LEVEL\"")");
  settings.set("env", object({{"LEVEL", "a b"}, {"MAPFLOW_TEST_OTHER", "theirs"}}));
  CHECK(json(ask(*make(*transport, settings))) == R"("none seen theirs a b")");
  ::unsetenv("MAPFLOW_SECRET_TOKEN");

  const Error error = failure_of(object({{"command", array({"sh"})}, {"env", object({{"PATH", "/nowhere"}})}}));
  CHECK(error.message == "agent 'script': command 'sh' not found in PATH");
}

TEST_CASE("exec: a process runs in the definition's folder, or in `cwd` below it") {
  const engine::AgentContext context{.folder = "/usr", .log = {}};
  CHECK(json(run(R"(echo "\"$PWD\"")", context)) == R"("/usr")");
  const auto transport = make_exec_transport();
  Value settings = shell(R"(echo "\"$PWD\"")");
  settings.set("cwd", "bin");
  CHECK(json(ask(*make(*transport, settings, context))) == R"("/usr/bin")");
  CHECK(json(ask(*make(*transport, object({{"command", array({"bin/printf", "9"})}}), context))) == "9");
}

TEST_CASE("exec: a process inherits none of our descriptors, and no blocked or ignored signal") {
  const int leaked = ::open("/dev/null", O_RDONLY);  // on purpose without CLOEXEC
  REQUIRE(leaked >= 0);
  const auto handler = ::signal(SIGPIPE, SIG_IGN);
  const auto transport = make_exec_transport();
  const auto agent = make(*transport, object({{"command", array({"python3", "-c", R"(
import json, os
blocked = [int(l.split()[1], 16) for l in open('/proc/self/status') if l.startswith('SigBlk')]
open_fds = []
for fd in range(256):
  try: os.fstat(fd); open_fds.append(fd)
  except OSError: pass
print(json.dumps({"fds": open_fds, "blocked": blocked, "session": os.getsid(0) == os.getpid()}))
)"})}}));
  CHECK(json(ask(*agent)) == R"({"fds":[0,1,2],"blocked":[0],"session":true})");
  CHECK(failure(run("kill -PIPE $$; echo 1")).message == "agent 'script' was killed by SIGPIPE");
  ::signal(SIGPIPE, handler);
  ::close(leaked);
}
