// Workflows that run others: started, waited for, held, cancelled and undone with their parent, whatever crashes.
#include <doctest/doctest.h>

#include <algorithm>

#include "engine/world.h"
#include "value/json.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kChild = R"(
id: child
agents: { desk: { queue: q } }
steps:
  - id: book
    type: message
    destination: desk
    action: book
    data: "{{ n }}"
    compensate: { type: message, destination: desk, action: unbook, data: "{{ original.result }}" }
  - { id: rest, type: message, destination: desk, action: rest }
)";

std::string parent(std::string_view fields, std::string_view after = "") {
  return "id: parent\nagents: { desk: { queue: q } }\nsteps:\n  - { id: call, type: subworkflow, workflow_id: child, input: { n: 5 }" + std::string(fields) + " }\n" +
         std::string(after);
}

/// A world with both workflows, whose desk books at once and rests only when told.
struct Office : World {
  explicit Office(const std::string& parent_text) {
    add(definition(kChild));
    add(definition(parent_text));
    agents->script = [this](const Envelope& in) -> std::optional<Result<Value>> {
      if (in.action == "fail") return fail(code::agent_error, "no");
      if (in.action == "rest" && !resting) return std::nullopt;
      return Value(in.action + ":" + to_json(in.data));
    };
    node();
  }
  bool resting = true;
  std::string outcome(const std::string& id) const { return std::string(to_string(state(id))); }
};

}  // namespace

TEST_CASE("a sub-workflow's results are the step's, and parent and child know each other") {
  Office office(parent(""));
  office.start("p", "parent");
  REQUIRE(office.until_state("p", WorkflowState::completed));
  CHECK(to_json(*office.stored("p")->state.results.find("call")) == R"({"book":"book:5","rest":"rest:null"})");
  const auto child = office.stored("p:call");
  REQUIRE(child);
  CHECK(child->state.state == WorkflowState::completed);
  CHECK(child->state.parent_id == "p");
  CHECK(office.store->instance("p:call")->parent == "p");
}

TEST_CASE("output maps what the child came to into the parent's variables") {
  Office office(parent(", output: { booked: \"{{ child.results.book }}\", who: \"{{ child.instance_id }}\" }"));
  office.start("p", "parent");
  REQUIRE(office.until_state("p", WorkflowState::completed));
  CHECK(to_json(*office.stored("p")->state.variables.find("booked")) == R"("book:5")");
  CHECK(to_json(*office.stored("p")->state.results.find("call")) == R"({"booked":"book:5","who":"p:call"})");
}

TEST_CASE("a failing child fails the step with its code and its error as cause, and a retry is a new child") {
  World world;
  world.add(definition("id: child\nagents: { desk: { queue: q } }\nsteps:\n  - { id: a, type: message, destination: desk, action: x }\n"));
  world.add(definition(parent(", retry: { strategy: immediate, max_attempts: 2 }")));
  world.agents->script = [](const Envelope& in) -> std::optional<Result<Value>> {
    if (in.instance_id == "p:call") return fail(code::unavailable, "gone");
    return Value("well");
  };
  world.node();
  world.start("p", "parent");
  REQUIRE(world.until_state("p", WorkflowState::completed));
  CHECK(world.stored("p:call")->state.state == WorkflowState::failed);
  CHECK(world.stored("p:call~2")->state.state == WorkflowState::completed);
  CHECK(to_json(*world.stored("p")->state.results.find("call")) == R"({"a":"well"})");

  world.agents->script = [](const Envelope&) -> std::optional<Result<Value>> { return fail(code::agent_error, "gone"); };
  world.start("q", "parent");
  REQUIRE(world.until_state("q", WorkflowState::failed));
  const Error error = world.stored("q")->state.errors.front();
  CHECK(error.is(code::agent_error));
  REQUIRE(error.cause);
  CHECK(error.cause->path == "a");
}

TEST_CASE("a workflow that is not there, has another version, or does not take the input fails the step") {
  struct Case {
    std::string fields, code;
  };
  const Case cases[] = {{", version: \"7\"", "not_found"}, {"", "invalid_input"}};
  for (const Case& each : cases) {
    World world;
    world.add(definition("id: child\nvariables_schema: { type: object, properties: { n: { type: string } } }\n"
                         "steps:\n  - { id: a, type: wait, duration: 1s }\n"));
    world.add(definition(parent(each.fields)));
    world.node();
    world.start("p", "parent");
    REQUIRE(world.until_state("p", WorkflowState::failed));
    CHECK(world.stored("p")->state.errors.front().code == each.code);
  }
}

TEST_CASE("a workflow that calls itself without end is stopped by max_depth") {
  World world;
  world.add(definition("id: me\nmax_depth: 3\nsteps:\n  - { id: call, type: subworkflow, workflow_id: \"{{ 'me' }}\" }\n"));
  world.node();
  world.start("p", "me");
  REQUIRE(world.until_state("p", WorkflowState::failed));
  CHECK(world.stored("p")->state.errors.front().is(code::resource_exhausted));
  CHECK(world.stored("p:call:call:call"));
  CHECK(!world.stored("p:call:call:call:call"));
}

TEST_CASE("cancelling the parent cancels the child, which undoes its steps before the parent ends") {
  Office office(parent(""));
  office.resting = false;
  office.start("p", "parent");
  REQUIRE(office.until([&] { return office.agents->seen_of("rest") == 1; }));
  office.ask("p", kernel::Cancel{"enough"});
  REQUIRE(office.until_state("p", WorkflowState::cancelled));
  CHECK(office.outcome("p:call") == "compensated");
  CHECK(office.agents->seen_of("unbook") == 1);
}

TEST_CASE("a child that completed is undone, by its own stack, when its parent fails later") {
  Office office(parent("", "  - { id: bad, type: message, destination: desk, action: fail }\n"));
  office.start("p", "parent");
  REQUIRE(office.until_state("p", WorkflowState::compensated));
  CHECK(office.outcome("p:call") == "compensated");
  CHECK(office.agents->seen_of("unbook") == 1);
  const auto state = office.stored("p")->state;
  REQUIRE(!state.errors.empty());
  CHECK(state.errors.front().is(code::agent_error));
}

TEST_CASE("terminating the parent terminates the child, and nothing is undone") {
  Office office(parent(""));
  office.resting = false;
  office.start("p", "parent");
  REQUIRE(office.until([&] { return office.agents->seen_of("rest") == 1; }));
  office.ask("p", kernel::Terminate{});
  REQUIRE(office.until_state("p:call", WorkflowState::cancelled));
  CHECK(office.agents->seen_of("unbook") == 0);
}

TEST_CASE("children pause and go on with their parent") {
  Office office(parent(""));
  office.resting = false;
  office.start("p", "parent");
  REQUIRE(office.until([&] { return office.agents->seen_of("rest") == 1; }));
  office.ask("p", kernel::Pause{});
  REQUIRE(office.until_state("p:call", WorkflowState::paused));
  office.crash();
  office.resting = true;
  office.node();
  office.ask("p", kernel::Resume{});
  REQUIRE(office.until_state("p", WorkflowState::completed));
}

TEST_CASE("on_parent_close says what becomes of a child whose step was given up") {
  for (const std::string_view policy : {"abandon", "wait"}) {
    Office office(parent(", timeout: 10s, on_error: continue, on_parent_close: " + std::string(policy)));
    office.resting = false;
    office.start("p", "parent");
    office.time.advance(11s);
    if (policy == "abandon") REQUIRE(office.until_state("p", WorkflowState::completed));
    else CHECK(office.outcome("p") == "running");
    CHECK(office.outcome("p:call") == "running");
    office.agents->answer(Value());
    REQUIRE(office.until_state("p", WorkflowState::completed));
    REQUIRE(office.until_state("p:call", WorkflowState::completed));
  }
}

TEST_CASE("a child that is not waited for goes its own way") {
  Office office(parent(", wait: false"));
  office.resting = false;
  office.start("p", "parent");
  REQUIRE(office.until_state("p", WorkflowState::completed));
  CHECK(to_json(*office.stored("p")->state.results.find("call")) == R"({"instance_id":"p:call"})");
  office.crash();
  office.resting = true;
  office.node();
  REQUIRE(office.until_state("p:call", WorkflowState::completed));
}

TEST_CASE("with on_parent_close: cancel a child that is not waited for ends with its parent") {
  Office office(parent(", wait: false, on_parent_close: cancel"));
  office.resting = false;
  office.start("p", "parent");
  REQUIRE(office.until_state("p", WorkflowState::completed));
  REQUIRE(office.until([&] { return is_terminal(office.stored("p:call")->state.state); }));
}

TEST_CASE("a child that completed before it heard that it is cancelled is undone all the same, whenever its parent crashes") {
  for (int moment = -1; moment < 30; ++moment) {
    Office office(parent(""));
    office.resting = false;
    office.start("p", "parent");
    REQUIRE(office.until([&] { return office.agents->seen_of("rest") == 1; }));
    office.agents->answer(Value("rested"));  // the child completes with this
    office.ask("p", kernel::Cancel{"enough"});
    if (moment >= 0) {
      for (int i = 0; i < moment && office.time.step(); ++i) {}
      office.resting = true;
      office.crash();
      office.node();
      office.ask("p", kernel::Cancel{"enough"});
    }
    CAPTURE(moment);
    REQUIRE(office.until([&] { return is_terminal(office.state("p")); }));
    const bool completed = office.outcome("p") == "completed";  // the request was lost, and its like came too late
    CHECK(office.outcome("p:call") == (completed ? "completed" : "compensated"));
    if (moment < 0) CHECK(office.outcome("p") == "cancelled");
    if (moment < 0) CHECK(office.agents->seen_of("unbook") == 1);
  }
}

TEST_CASE("a crash at any moment leaves one child, one booking and the same end") {
  for (int moment = 0; moment < 40; ++moment) {
    Office office(parent("", "  - { id: bad, type: message, destination: desk, action: fail }\n"));
    const auto accepted = office.start("p", "parent");
    while (!accepted->answered()) REQUIRE(office.time.step());
    for (int i = 0; i < moment && office.time.step(); ++i) {}
    office.crash();
    office.node();
    CAPTURE(moment);
    REQUIRE(office.until_state("p", WorkflowState::compensated));
    std::vector<std::string> keys;
    for (const Envelope& each : office.agents->seen)
      if (each.action == "book" || each.action == "unbook") keys.push_back(each.idempotency_key);
    std::ranges::sort(keys);
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    CHECK(keys == std::vector<std::string>{"p:call/book#1", "p:call/book/compensate#1"});
  }
}
