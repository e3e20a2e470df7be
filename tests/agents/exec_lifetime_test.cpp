// How processes end: cancelled, killed with all their kin, or together with their agent; and that nothing is left.
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include "agents/exec.h"
#include "support.h"
#include "value/json.h"

using namespace mapflow;
using namespace mapflow::agents;
using namespace mapflow::agents::test;
using namespace std::chrono_literals;

namespace {

Value shell(const char* script) { return object({{"command", array({"sh", "-c", script})}}); }

/// So patient that a test which waits for KILL fails, and one where TERM suffices does not notice.
constexpr ProcessLimits kPatient{.kill_after = 10min};
constexpr ProcessLimits kHasty{.kill_after = 20ms};

/// One agent, with what it says.
struct Run {
  Log log;
  Answers answers;
  std::unique_ptr<Transport> transport;
  std::unique_ptr<engine::Agent> agent;

  Run(ProcessLimits limits, const char* script)
      : transport(make_exec_transport(limits)), agent(make(*transport, shell(script), {.log = log.sink()})) {}
  void call(const char* id) { agent->call(envelope(id), answers.done()); }
  std::string outcome() {
    const auto answer = answers.take();
    return answer ? to_json(answer->result) : answer.error().code;
  }
  pid_t pid_in_log() { return std::stoi(log.take("pid ").substr(4)); }
};

/// A script's line that starts a child which ignores TERM, holds no pipe, and says its pid.
#define STUBBORN_CHILD "sh -c 'trap \"\" TERM; echo pid $$ >&2; exec sleep 1000 >/dev/null 2>&1' & "

}  // namespace

TEST_CASE("exec: cancel sends TERM, and the call ends with `cancelled` whatever the agent says then") {
  Run run(kPatient, "trap 'echo got TERM >&2; echo 1; exit 0' TERM; echo ready >&2; while :; do sleep 0.01; done");
  run.call("a");
  run.log.take("ready");
  run.agent->cancel("unknown");
  run.agent->cancel("a");
  run.agent->cancel("a");
  CHECK(run.outcome() == "cancelled");
  CHECK(run.log.take("got") == "got TERM");
}

TEST_CASE("exec: an agent that ignores TERM gets KILL") {
  Run run(kHasty, "trap '' TERM; echo pid $$ >&2; while :; do sleep 1000; done");
  run.call("a");
  const pid_t pid = run.pid_in_log();
  run.agent->cancel("a");
  CHECK(run.outcome() == "cancelled");
  CHECK(is_gone(pid));
}

TEST_CASE("exec: a stopped process is cancelled too") {
  Run run(kPatient, "sh -c 'kill -STOP $PPID; echo ready >&2' & wait");
  run.call("a");
  run.log.take("ready");
  run.agent->cancel("a");
  CHECK(run.outcome() == "cancelled");
}

TEST_CASE("exec: KILL reaches grandchildren, also when the agent itself has ended before") {
  for (const char* script : {STUBBORN_CHILD "trap '' TERM; wait; wait", STUBBORN_CHILD "wait"}) {
    CAPTURE(script);
    Run run(kHasty, script);
    run.call("a");
    const pid_t grandchild = run.pid_in_log();
    run.agent->cancel("a");
    CHECK(run.outcome() == "cancelled");
    CHECK(is_gone(grandchild));
  }
}

TEST_CASE("exec: a process that has left the group cannot keep a cancelled call open") {
  Run run(kHasty, "setsid sh -c 'echo pid $$ >&2; exec sleep 1000' & wait");
  run.call("a");
  const pid_t escaped = run.pid_in_log();
  run.agent->cancel("a");
  CHECK(run.outcome() == "cancelled");
  CHECK(::kill(escaped, SIGKILL) == 0);
}

TEST_CASE("exec: the program behind a shell that TERM has ended gets its time to finish") {
  Run run(kPatient,
          "sh -c 'trap \"echo cleaned up >&2; exit 0\" TERM; echo ready >&2; while :; do sleep 0.01; done'; true");
  run.call("a");
  run.log.take("ready");
  run.agent->cancel("a");
  CHECK(run.outcome() == "cancelled");
  CHECK(run.log.take("cleaned") == "cleaned up");
}

TEST_CASE("exec: an answer past the limit ends grandchildren as well") {
  Log log;
  const auto transport = make_exec_transport(kPatient);
  const auto agent = make(*transport, shell("sleep 1000 >/dev/null 2>&1 & echo pid $! >&2; trap '' TERM; yes"),
                          {.max_reply_bytes = 100, .log = log.sink()});
  Answers answers;
  agent->call(envelope("a"), answers.done());
  const pid_t grandchild = std::stoi(log.take("pid ").substr(4));
  CHECK(answers.take().error().code == code::resource_exhausted);
  CHECK(is_gone(grandchild));
}

TEST_CASE("exec: an answer that came before the cancel counts") {
  // The process has ended; only its child still holds the pipe. `drain` is so long that the cancel has to end it.
  Run run({.kill_after = 10min, .drain = 10min}, "echo 5; sleep 1000 & echo pid $! >&2; echo pid $$ >&2; exit 0");
  run.call("a");
  const pid_t child = run.pid_in_log(), pid = run.pid_in_log();
  CHECK(is_gone(pid));  // which a second run on the same thread lets the loop see before the cancel
  const auto other = make(*run.transport, shell("echo 1"));
  CHECK(ask(*other).has_value());
  run.agent->cancel("a");
  CHECK(run.outcome() == "5");
  ::kill(child, SIGKILL);
}

TEST_CASE("exec: no more processes at once than allowed; a waiting call can be cancelled, and the rest has its turn") {
  Run run({.max_running = 1, .kill_after = 10min}, "echo ready >&2; exec sleep 1000");
  run.call("first");
  run.log.take("ready");
  run.call("second");
  run.call("third");
  run.agent->cancel("second");
  CHECK(run.outcome() == "cancelled");  // without having run
  CHECK(run.log.size() == 0);
  run.agent->cancel("first");
  CHECK(run.outcome() == "cancelled");
  run.log.take("ready");  // the third
  run.agent->cancel("third");
  CHECK(run.outcome() == "cancelled");
}

TEST_CASE("exec: destroying an agent kills what runs, answers every call, and leaves other agents alone") {
  Run run({.max_running = 2, .kill_after = 10min}, STUBBORN_CHILD "trap '' TERM; wait; wait");
  run.call("a");
  const pid_t grandchild = run.pid_in_log();
  Answers others;
  const auto other = make(*run.transport, shell("read line; echo 3"));
  run.call("b");
  run.call("waiting");
  other->call(envelope("other"), others.done());
  run.agent.reset();
  CHECK(run.answers.size() == 3);
  for (int i = 0; i < 3; ++i) CHECK(run.outcome() == "cancelled");
  CHECK(is_gone(grandchild));
  const auto answer = others.take();
  REQUIRE(answer);
  CHECK(answer->result == Value(3));
}

TEST_CASE("exec: the last agent may be destroyed inside its own `done`, with calls still open") {
  const std::size_t running_threads = threads();
  auto transport = make_exec_transport(kPatient);
  std::shared_ptr<engine::Agent> agent = make(*transport, object({{"command", array({"cat"})}}));
  std::shared_ptr<engine::Agent> slow = make(*transport, shell("sleep 1000"));
  transport.reset();
  Answers answers, last;
  Mailbox<int> others_let_go;
  slow->call(envelope("s"), last.done());
  agent->call(envelope("a"), [&, agent, slow](Result<Reply> answer) mutable {
    others_let_go.take();
    agent.reset();
    CHECK(last.size() == 0);
    slow.reset();
    CHECK(last.size() == 1);
    answers.done()(std::move(answer));
  });
  agent.reset();
  slow.reset();
  others_let_go.put(1);
  CHECK(answers.take().has_value());
  CHECK(last.take().error().code == code::cancelled);
  CHECK(settles(threads, running_threads));
}

TEST_CASE("exec: more calls than may wait are refused, to be tried again") {
  Run run({.max_running = 1, .kill_after = 10min}, "echo ready >&2; exec sleep 1000");
  run.call("running");
  run.log.take("ready");
  for (int i = 0; i < 10'000; ++i) run.call("waiting");
  CHECK(run.answers.size() == 0);
  run.call("refused");
  CHECK(run.outcome() == "unavailable");
  run.agent.reset();
  CHECK(run.answers.size() == 10'001);
}

TEST_CASE("exec: hundreds of calls need one thread, and leave no descriptor, thread or zombie behind") {
  const auto transport = make_exec_transport({.max_running = 16, .kill_after = 10min});
  make(*transport, shell("true")).reset();  // what is made once per program is made
  const std::size_t fds = open_fds(), running_threads = threads();
  {
    const auto good = make(*transport, object({{"command", array({"cat"})}}));
    const auto bad = make(*transport, object({{"command", array({"false"})}}));
    const auto missing = make(*transport, object({{"command", array({"no-such-program"})}}));
    const auto slow = make(*transport, object({{"command", array({"sleep", "1000"})}}));
    Answers fine, failed, cancelled;
    for (int i = 0; i < 100; ++i) {
      const std::string id = std::to_string(i);
      good->call(envelope(id), fine.done());
      bad->call(envelope(id), failed.done());
      missing->call(envelope(id), failed.done());
      slow->call(envelope(id), cancelled.done());
      slow->cancel(id);
    }
    CHECK(threads() == running_threads);
    for (int i = 0; i < 100; ++i) CHECK(fine.take().has_value());
    for (int i = 0; i < 200; ++i) CHECK_FALSE(failed.take().has_value());
    for (int i = 0; i < 100; ++i) CHECK(cancelled.take().error().code == code::cancelled);
    slow->call(envelope("open"), cancelled.done());
  }
  // The loop reaps what the slow agent left as soon as KILL has ended it.
  CHECK(settles(open_fds, fds));
  CHECK(settles(zombies, 0));
  CHECK(threads() == running_threads);
}
