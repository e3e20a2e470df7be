// Instances of a workflow with `concurrency`: who runs, who waits, who is refused, who is replaced.
#include <doctest/doctest.h>

#include "engine/world.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;

namespace {

std::string flow(std::string_view concurrency, std::string_view head = {}) {
  return "id: it\nconcurrency: { " + std::string(concurrency) + " }\n" + std::string(head) +
         "steps:\n  - { id: s, type: message, destination: agent, action: go, data: { who: \"{{ instance.id }}\" } }\n";
}

struct Queue {
  explicit Queue(std::string_view yaml, std::uint32_t partitions = 4) : world(partitions) {
    world.add(definition(yaml));
    world.node();
  }
  std::shared_ptr<Heard> start(const std::string& id, Value input = {}) {
    auto heard = world.start(id, "it", std::move(input));
    world.time.run_ready();
    return heard;
  }
  void start_all(std::initializer_list<const char*> ids) {
    for (const char* id : ids) CHECK(start(id)->ok());
  }
  /// The ids of the instances whose call is under way, in the order of their calls.
  std::string running() const {
    std::string ids;
    for (const auto& call : world.agents->calls) ids += call.envelope.instance_id;
    return ids;
  }
  void finish() {
    world.agents->answer(Value(1));
    world.time.run_ready();
  }
  WorkflowState state(const std::string& id) const { return world.state(id); }
  World world;
};

}  // namespace

TEST_CASE("as many run as may run, in whatever order they are started; the others are pending") {
  Queue queue(flow("max_running: 2"));
  queue.start_all({"a", "b", "c", "d", "e"});
  CHECK(queue.running() == "ab");
  CHECK(queue.state("c") == WorkflowState::pending);
  CHECK(queue.world.stored("c")->state.workflow == "it");  // pending, but there
  queue.finish();
  CHECK(queue.running() == "bc");
  queue.finish();
  queue.finish();
  CHECK(queue.running() == "de");
  queue.finish();
  queue.finish();
  for (const char* id : {"a", "b", "c", "d", "e"}) CHECK(queue.world.until_state(id, WorkflowState::completed));
}

TEST_CASE("a key is worked on by one at a time, and the others are not held back by it") {
  Queue queue(flow("key: customer"));
  for (const char* id : {"a", "b", "c"}) queue.start(id, object({{"customer", "ann"}}));
  queue.start("d", object({{"customer", "bob"}}));
  CHECK(queue.running() == "ad");
  queue.finish();
  CHECK(queue.running() == "db");
  SUBCASE("and a key that does not come out refuses the start") {
    CHECK(queue.start("x")->code() == "template_error");
    CHECK_FALSE(queue.world.stored("x"));
  }
}

TEST_CASE("who is brought back by a rewind waits for a place like everybody") {
  Queue queue(flow("max_running: 1"));
  queue.start("a");
  queue.finish();
  REQUIRE(queue.world.until_state("a", WorkflowState::completed));
  queue.start("b");
  queue.world.time.advance(5s);
  const auto rewound = queue.world.ask("a", kernel::Rewind{{"", "s"}, false, nullptr});
  queue.world.time.advance(1s);
  REQUIRE(rewound->ok());
  CHECK(queue.state("a") == WorkflowState::pending);
  CHECK(queue.running() == "b");
  SUBCASE("and goes on when it is free") {
    queue.finish();
    CHECK(queue.running() == "a");
    queue.finish();
    CHECK(queue.world.until_state("a", WorkflowState::completed));
  }
  SUBCASE("or is cancelled, having done nothing") {
    queue.world.ask("a", kernel::Cancel{});
    CHECK(queue.world.until_state("a", WorkflowState::cancelled));
    CHECK(queue.running() == "b");
  }
  SUBCASE("also when the node dies meanwhile") {
    queue.world.crash();
    queue.world.agents->calls.clear();
    queue.world.node("second");
    REQUIRE(queue.world.until([&] { return queue.running() == "b"; }));
    queue.finish();
    REQUIRE(queue.world.until([&] { return queue.running() == "a"; }));
    queue.finish();
    CHECK(queue.world.until_state("a", WorkflowState::completed));
  }
}

TEST_CASE("who is brought back while nobody waits and a place is free goes on at once") {
  Queue queue(flow("max_running: 1"));
  queue.start("a");
  queue.finish();
  REQUIRE(queue.world.until_state("a", WorkflowState::completed));
  queue.world.time.advance(5s);
  queue.world.ask("a", kernel::Rewind{{"", "s"}, false, nullptr});
  queue.world.time.advance(1s);
  CHECK(queue.running() == "a");
}

TEST_CASE("a start that finds no place can be refused") {
  Queue queue(flow("max_running: 1, on_conflict: reject"));
  CHECK(queue.start("a")->ok());
  const auto refused = queue.start("b");
  CHECK(refused->code() == "resource_exhausted");
  CHECK(refused->result->error().retry_after_us);
  CHECK(queue.start("a")->ok());  // the same again is no new one
  queue.finish();
  CHECK(queue.start("b")->ok());
  CHECK(queue.running() == "b");
}

TEST_CASE("a start can replace who is in its way") {
  Queue queue(flow("key: customer, on_conflict: replace"));
  queue.start("a", object({{"customer", "ann"}}));
  queue.start("x", object({{"customer", "bob"}}));
  queue.start("b", object({{"customer", "ann"}}));
  CHECK(queue.state("a") == WorkflowState::cancelled);
  CHECK(queue.world.stored("a")->state.errors.front().message == "replaced by b");
  CHECK(queue.state("x") == WorkflowState::running);
  CHECK(queue.world.agents->seen.back().instance_id == "b");
}

TEST_CASE("who replaces waits until what was replaced is undone") {
  Queue queue(R"(
id: it
concurrency: { max_running: 1, on_conflict: replace }
steps:
  - { id: s, type: message, destination: agent, action: do, compensate: { type: message, destination: agent, action: undo } }
  - { id: t, type: message, destination: agent, action: more }
)");
  queue.start("a");
  queue.finish();
  queue.start("b");
  CHECK(queue.state("b") == WorkflowState::pending);
  queue.start("c");  // and is replaced itself before it has begun
  CHECK(queue.state("b") == WorkflowState::cancelled);
  queue.finish();  // `more` was given up
  queue.finish();  // the undoing
  CHECK(queue.state("a") == WorkflowState::compensated);
  CHECK(queue.world.until_state("c", WorkflowState::running));
}

TEST_CASE("no more wait than may wait") {
  Queue queue(flow("max_running: 1, max_waiting: 1"));
  queue.start_all({"a", "b"});
  CHECK(queue.start("c")->code() == "resource_exhausted");
}

TEST_CASE("the urgent go first, whatever version they are of") {
  Queue queue(flow("max_running: 1", "priority: 2\n"));
  queue.start_all({"a", "b"});
  queue.world.add(definition(flow("max_running: 1", "priority: 8\nversion: 2\n")));
  queue.start("c");
  queue.finish();
  CHECK(queue.running() == "c");
  queue.finish();
  CHECK(queue.running() == "b");
}

TEST_CASE("who is cancelled while it waits never runs, and a signal finds it there") {
  Queue queue(flow("max_running: 1"));
  queue.start_all({"a", "b", "c"});
  queue.world.ask("b", kernel::Cancel{""});
  queue.world.time.run_ready();
  CHECK(queue.state("b") == WorkflowState::cancelled);
  const auto paused = queue.world.ask("c", kernel::Pause{});
  const auto signalled = queue.world.ask("c", kernel::Signal{"go", Value(1)});
  queue.world.time.run_ready();
  CHECK(paused->code() == "invalid_state");
  CHECK(signalled->ok());
  queue.finish();
  CHECK(queue.running() == "c");
}

TEST_CASE("a workflow's timeout begins with its turn") {
  Queue queue(flow("max_running: 1", "timeout: 10s\n"));
  queue.start("a");
  queue.world.time.advance(8s);
  queue.start("b");
  queue.world.time.advance(5s);
  CHECK(queue.state("a") == WorkflowState::timed_out);
  CHECK(queue.state("b") == WorkflowState::running);
  queue.world.time.advance(6s);
  CHECK(queue.state("b") == WorkflowState::running);
  queue.world.time.advance(2s);
  CHECK(queue.state("b") == WorkflowState::timed_out);
}

TEST_CASE("after a crash who ran runs, who waited waits, and no place is given twice") {
  Queue queue(flow("max_running: 2"));
  queue.start_all({"a", "b", "c", "d"});
  queue.world.crash();
  queue.world.agents->calls.clear();
  queue.world.node("second");
  CHECK(queue.world.until([&] { return queue.running().size() == 2; }));
  CHECK(queue.state("c") == WorkflowState::pending);
  for (int i = 0; i < 4; ++i) {
    CHECK(queue.running().size() <= 2);
    queue.finish();
  }
  for (const char* id : {"a", "b", "c", "d"}) CHECK(queue.world.until_state(id, WorkflowState::completed));
}

TEST_CASE("the limit holds over all nodes of a store") {
  Queue queue(flow("max_running: 1"), 8);
  queue.world.node("other");
  queue.world.time.advance(30s);  // the nodes share the partitions out
  for (const char* id : {"a", "b", "c", "d", "e", "f"}) {
    auto heard = queue.world.start(id, "it", {}, "a");
    queue.world.time.run_ready();
    if (!heard->ok()) heard = queue.world.start(id, "it", {}, "other");
    queue.world.time.run_ready();
    CHECK(heard->ok());
  }
  CHECK(queue.running().size() == 1);
}

TEST_CASE("children are part of their parent and take no turns of their own") {
  World world;
  world.add(definition("id: child\nconcurrency: { max_running: 1 }\nsteps:\n  - { id: s, type: message, destination: agent }"));
  world.add(definition("id: it\nsteps:\n  - { id: each, type: loop, items: 3, max_concurrent: 3, body: { id: sub, type: subworkflow, workflow_id: child } }"));
  world.node();
  world.start("p", "it");
  world.time.run_ready();
  CHECK(world.agents->calls.size() == 3);
}
