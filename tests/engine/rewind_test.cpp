// Going back, through the store: what is looked up in memory and in the history, and instances that are over.
#include <doctest/doctest.h>

#include <algorithm>

#include "engine/engine.h"
#include "engine/world.h"
#include "value/json.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kThree = R"(
id: three
agents: { desk: { queue: q } }
steps:
  - { id: a, type: message, destination: desk, action: a, checkpoint: begun }
  - { id: b, type: message, destination: desk, action: b }
  - { id: c, type: message, destination: desk, action: c }
)";

/// A world whose desk does everything at once, except what is in `held` and what is in `broken`.
struct Office : World {
  std::string held, broken;
  explicit Office(std::string_view text = kThree) {
    add(definition(text));
    agents->script = [this](const Envelope& in) -> std::optional<Result<Value>> {
      if (in.action == held) return std::nullopt;
      if (in.action == broken) return fail(code::agent_error, "no");
      return Value(in.action);
    };
  }
  std::vector<std::string> keys() const {
    std::vector<std::string> found;
    for (const Envelope& each : agents->seen) found.push_back(each.idempotency_key);
    return found;
  }
  bool reaches(const std::string& id, WorkflowState wanted) { return until_state(id, wanted); }
};

kernel::Rewind to(std::string checkpoint) { return {{std::move(checkpoint), {}}, false, nullptr}; }
kernel::Rewind before(std::string step) { return {{{}, std::move(step)}, false, nullptr}; }

}  // namespace

TEST_CASE("a finished instance is brought back by a rewind and ends again, with all of it in its history") {
  Office office;
  office.node();
  office.start("i", "three");
  REQUIRE(office.reaches("i", WorkflowState::completed));
  office.held = "c";
  const auto heard = office.ask("i", to("begun"));
  REQUIRE(office.until([&] { return heard->answered(); }));
  CHECK(heard->ok());
  REQUIRE(office.reaches("i", WorkflowState::running));
  office.held.clear();
  REQUIRE(office.until([&] { return !office.agents->calls.empty(); }));
  office.agents->answer(Value("c"));
  REQUIRE(office.reaches("i", WorkflowState::completed));
  CHECK(office.keys() == std::vector<std::string>{"i/a#1", "i/b#1", "i/c#1", "i/b#2", "i/c#2"});
  const auto stored = office.stored("i", true);
  REQUIRE(stored);
  std::vector<std::string> types;
  for (const auto& event : stored->events)
    if (event.type.starts_with("workflow.") || event.type.starts_with("checkpoint.")) types.push_back(event.type);
  CHECK(types == std::vector<std::string>{"workflow.started", "checkpoint.created", "workflow.completed", "workflow.rewound", "workflow.completed"});
}

TEST_CASE("a rewind is not forgotten when the node crashes behind it") {
  Office office;
  office.node();
  office.start("i", "three");
  REQUIRE(office.reaches("i", WorkflowState::completed));
  office.held = "b";
  const auto heard = office.ask("i", before("b"));
  REQUIRE(office.until([&] { return heard->answered(); }));
  office.crash();
  office.held.clear();
  office.node();
  REQUIRE(office.reaches("i", WorkflowState::completed));
  CHECK(std::ranges::count(office.keys(), "i/a#1") == 1);
}

TEST_CASE("a refused rewind leaves a finished instance as it is") {
  Office office;
  office.node();
  office.start("i", "three");
  REQUIRE(office.reaches("i", WorkflowState::completed));
  const std::string row = office.store->instance("i")->snapshot;
  const auto heard = office.ask("i", to("begunn"));
  REQUIRE(office.until([&] { return heard->answered(); }));
  CHECK(heard->code() == code::not_found);
  CHECK(heard->result->error().hint.find("begun") != std::string::npos);
  const auto pause = office.ask("i", kernel::Pause{});
  REQUIRE(office.until([&] { return pause->answered(); }));
  CHECK(pause->code() == code::invalid_state);
  CHECK(office.store->instance("i")->snapshot == row);
}

TEST_CASE("a failed instance's step is tried again, and what it had done before is kept") {
  Office office;
  office.broken = "b";
  office.node();
  office.start("i", "three");
  REQUIRE(office.reaches("i", WorkflowState::failed));
  office.broken.clear();
  const auto heard = office.ask("i", kernel::Retry{});
  REQUIRE(office.until([&] { return heard->answered(); }));
  CHECK(heard->ok());
  REQUIRE(office.reaches("i", WorkflowState::completed));
  CHECK(office.keys() == std::vector<std::string>{"i/a#1", "i/b#1", "i/b#1", "i/c#1"});
}

TEST_CASE("a checkpoint outlives the bound of the history, other places do not") {
  Office office(R"(
id: long
agents: { desk: { queue: q } }
steps:
  - { id: a, type: message, destination: desk, action: a, checkpoint: begun }
  - { id: b, type: message, destination: desk, action: b }
  - { id: each, type: loop, items: 40, body: { id: x, type: message, destination: desk, action: "x{{ item }}" } }
)");
  office.options.checkpoint_instance_bytes = 400;
  office.options.history_bytes = 1'000;
  office.node();
  office.start("i", "long");
  REQUIRE(office.reaches("i", WorkflowState::completed));
  const auto chunks = office.store->history("i");
  REQUIRE(chunks->size() > 3);
  const auto gone = office.ask("i", before("each[12]/x"));
  REQUIRE(office.until([&] { return gone->answered(); }));
  CHECK(gone->code() == code::not_found);
  const auto kept = office.ask("i", to("begun"));
  REQUIRE(office.until([&] { return kept->answered(); }));
  CHECK(kept->ok());
  REQUIRE(office.reaches("i", WorkflowState::completed));
  CHECK(std::ranges::count(office.keys(), "i/a#1") == 1);
  CHECK(std::ranges::count(office.keys(), "i/each[39]/x#2") == 1);
}

TEST_CASE("a rewind that lies in the inbox is carried out by whoever owns the instance") {
  Office office;
  office.node();
  office.start("i", "three");
  REQUIRE(office.reaches("i", WorkflowState::completed));
  REQUIRE(office.store->post(office.partition_of("i"), R"({"command":"rewind","instance":"i","before":"c"})"));
  REQUIRE(office.until([&] { return office.agents->seen_of("c") == 2; }));
  REQUIRE(office.reaches("i", WorkflowState::completed));
}

TEST_CASE("a child that is over is rewound with its parent only, and runs again as another child") {
  Office office("id: child\nagents: { desk: { queue: q } }\nsteps: [{ id: x, type: message, destination: desk, action: x }]");
  office.add(definition("id: parent\nsteps: [{ id: call, type: subworkflow, workflow_id: child }]"));
  office.node();
  office.start("p", "parent");
  REQUIRE(office.reaches("p", WorkflowState::completed));
  const auto child = office.ask("p:call", before("x"));
  REQUIRE(office.until([&] { return child->answered(); }));
  CHECK(child->code() == code::invalid_state);
  CHECK(child->result->error().hint.find("'p'") != std::string::npos);
  const auto parent = office.ask("p", before("call"));
  REQUIRE(office.until([&] { return parent->answered(); }));
  CHECK(parent->ok());
  REQUIRE(office.until([&] { return office.agents->seen.size() == 2; }));
  REQUIRE(office.reaches("p", WorkflowState::completed));
  CHECK(office.keys() == std::vector<std::string>{"p:call/x#1", "p:call#2@1/x#1"});
}

TEST_CASE("a program rewinds what is over and reruns it, and finds the rerun by its tag") {
  Engine engine({.store = "memory:", .private_partition = true});
  engine.handler("echo", [](const StepInput& in) -> Result<Value> { return in.input(); });
  REQUIRE(engine.add(definition("id: w\ntags: [own]\nsteps: [{ id: a, type: custom, handler: echo, input: \"{{ n }}\", checkpoint: done }]")));
  const auto run = engine.start("w", {.input = object({{"n", 5}}), .correlation_id = "c", .tags = {"mine"}});
  REQUIRE(run);
  REQUIRE(run->wait(1min));
  REQUIRE(run->rewind({{}, "a"}));
  REQUIRE(run->wait(1min));
  CHECK(run->document()->find_path("metrics.calls")->as_integer() == 2);
  CHECK(run->rewind({"gone", {}}).error().is(code::not_found));

  const auto again = run->rerun();
  REQUIRE(again);
  CHECK(again->id() != run->id());
  const auto ended = again->wait(1min);
  REQUIRE(ended);
  CHECK(ended->find_path("results.a")->as_integer() == 5);
  const auto document = again->document();
  CHECK(document->find("rerun_of")->as_text() == run->id());
  CHECK(document->find("correlation_id")->as_text() == "c");
  CHECK(to_json(*document->find("tags")) == R"(["own","mine","rerun-of:)" + run->id() + "\"]");
  const auto found = engine.store().list({.tag = "rerun-of:" + run->id()});
  REQUIRE(found);
  REQUIRE(found->rows.size() == 1);
  CHECK(found->rows.front().id == again->id());
}
