#include "agents/in_process.h"

#include <doctest/doctest.h>

#include <stdexcept>
#include <thread>

#include "support.h"

using namespace mapflow;
using namespace mapflow::agents;
using namespace mapflow::agents::test;

namespace {

/// A runner whose tasks the test lets run.
struct Tasks {
  std::deque<std::move_only_function<void()>> waiting;
  TaskRunner runner() {
    return [this](std::move_only_function<void()> task) { waiting.push_back(std::move(task)); };
  }
  void run_one() {
    auto task = std::move(waiting.front());
    waiting.pop_front();
    task();
  }
};

const TaskRunner kAtOnce = [](std::move_only_function<void()> task) { task(); };

Result<Reply> echo(const Envelope& envelope, const CancellationToken&) {
  return Reply{.result = envelope.data, .usage = {}};
}

}  // namespace

TEST_CASE("in-process: a handler's answer, usage and error are the call's") {
  const auto agent = make_in_process_agent("price", echo, kAtOnce);
  CHECK(ask(*agent, envelope("a", 12))->result == Value(12));
  const auto picky = make_in_process_agent(
      "picky", [](const Envelope&, CancellationToken) -> Result<Reply> { return fail("no_stock", "none left"); },
      kAtOnce);
  CHECK(ask(*picky).error().code == "no_stock");
}

TEST_CASE("in-process: whatever a handler throws is handler_error") {
  const auto one = make_in_process_agent(
      "price", [](const Envelope&, CancellationToken) -> Result<Reply> { throw std::runtime_error("no price"); },
      kAtOnce);
  CHECK(ask(*one).error().code == code::handler_error);
  CHECK(ask(*one).error().message == "handler 'price' threw: no price");
  const auto two =
      make_in_process_agent("price", [](const Envelope&, CancellationToken) -> Result<Reply> { throw 7; }, kAtOnce);
  CHECK(ask(*two).error().code == code::handler_error);
}

TEST_CASE("in-process: a call waits for its task, and is not run when it was cancelled before") {
  Tasks tasks;
  int runs = 0;
  const auto agent = make_in_process_agent(
      "price",
      [&](const Envelope& e, CancellationToken token) {
        ++runs;
        return echo(e, token);
      },
      tasks.runner());
  Answers answers;
  agent->call(envelope("a"), answers.done());
  agent->call(envelope("b", 5), answers.done());
  CHECK(answers.size() == 0);
  agent->cancel("nobody");
  agent->cancel("a");
  CHECK(answers.take().error().code == code::cancelled);
  tasks.run_one();
  tasks.run_one();
  CHECK(answers.take()->result == Value(5));
  CHECK(runs == 1);
}

TEST_CASE("in-process: a task that is never run is refused, to be tried again") {
  Tasks tasks;
  const auto agent = make_in_process_agent("price", echo, tasks.runner());
  Answers answers;
  agent->call(envelope("a"), answers.done());
  tasks.waiting.clear();
  const auto answer = answers.take();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == code::unavailable);
}

TEST_CASE("in-process: a running handler sees the cancellation and decides what to answer") {
  Mailbox<int> started;
  std::jthread worker;
  const auto agent = make_in_process_agent(
      "price",
      [&](const Envelope&, const CancellationToken& token) -> Result<Reply> {
        Mailbox<int> stopped;
        const std::stop_callback stop(token, [&] { stopped.put(1); });
        started.put(1);
        stopped.take();
        return Reply{.result = "half", .usage = {}};
      },
      [&](std::move_only_function<void()> task) { worker = std::jthread(std::move(task)); });
  Answers answers;
  agent->call(envelope("a"), answers.done());
  started.take();
  agent->cancel("a");
  CHECK(answers.take()->result == Value("half"));
}

TEST_CASE("in-process: destroying the agent answers every call, and a late answer is dropped") {
  Mailbox<int> started, go;
  std::jthread worker;
  Tasks tasks;
  bool first = true;
  auto agent = make_in_process_agent(
      "price",
      [&](const Envelope& e, const CancellationToken& token) {
        started.put(1);
        go.take();
        CHECK(token.stop_requested());
        return echo(e, token);
      },
      [&](std::move_only_function<void()> task) {
        if (std::exchange(first, false))
          worker = std::jthread(std::move(task));
        else
          tasks.waiting.push_back(std::move(task));
      });
  Answers answers;
  agent->call(envelope("running"), answers.done());
  started.take();
  agent->call(envelope("waiting"), answers.done());
  agent.reset();
  CHECK(answers.take().error().code == code::cancelled);
  CHECK(answers.take().error().code == code::cancelled);
  go.put(1);
  worker.join();
  tasks.run_one();
  CHECK(answers.size() == 0);
}
