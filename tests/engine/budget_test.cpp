// Budgets over families of instances: children live by what their parents have.
#include <doctest/doctest.h>

#include "engine/command.h"
#include "engine/world.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kChild = R"(
id: child
steps:
  - { id: write, type: message, destination: agent, action: write, budget: { tokens: 400 } }
)";

/// Starts five children at once.
std::string parent(std::string_view budget) {
  return "id: parent\nbudget: { " + std::string(budget) + " }\nsteps:\n"
         "  - { id: each, type: loop, items: 5, max_concurrent: 5, body: { id: sub, type: subworkflow, workflow_id: child } }\n";
}

Result<Value> used(int tokens) { return object({{"usage", object({{"input_tokens", tokens}})}}); }

struct Family {
  explicit Family(std::string_view budget) {
    world.add(definition(kChild));
    world.add(definition(parent(budget)));
    world.node();
    world.start("p", "parent");
    world.time.run_ready();
  }
  std::size_t under_way() const { return world.agents->calls.size(); }
  void answer(int tokens) {
    world.agents->answer(used(tokens));
    world.time.run_ready();
  }
  kernel::Ledger ledger() const { return world.stored("p")->state.ledger; }
  World world;
};

}  // namespace

TEST_CASE("children draw on their parent's budget, and wait for what others of the family give back") {
  Family family("tokens: 1000");
  CHECK(family.under_way() == 2);
  CHECK(family.ledger().reserved.tokens == 800);
  family.answer(100);
  CHECK(family.under_way() == 2);
  CHECK(family.ledger().used.tokens() == 100);
  for (int i = 0; i < 4; ++i) family.answer(100);
  CHECK(family.world.until_state("p", WorkflowState::completed));
  CHECK(family.ledger().used.tokens() == 500);
  CHECK(family.ledger().reserved.tokens == 0);
  CHECK(family.ledger().used.steps == 5);
}

TEST_CASE("what children use is the parent's in the same commit, so a crash loses nothing of it") {
  Family family("tokens: 1000");
  family.answer(300);
  family.world.crash();
  family.world.agents->calls.clear();
  family.world.node();
  family.world.time.run_ready();
  CHECK(family.ledger().used.tokens() == 300);
  CHECK(family.under_way() == 1);  // 300 + 400, and 400 more would be too much
  for (int i = 0; i < 4 && family.under_way() > 0; ++i) family.answer(100);
  CHECK(family.world.until_state("p", WorkflowState::completed));
}

TEST_CASE("a child that its parent's budget does not pay for fails, and so does its step") {
  Family family("tokens: 700");
  family.answer(350);
  family.world.agents->script = [](const Envelope&) { return std::optional<Result<Value>>(); };
  family.world.time.run_ready();
  REQUIRE(family.world.until_state("p", WorkflowState::failed));
  const auto failed = family.world.stored("p")->state.errors.front();
  CHECK(failed.is(code::resource_exhausted));
  CHECK(failed.cause);
  CHECK(failed.message.find("'p'") != std::string::npos);  // whose budget it was
  CHECK(family.ledger().used.tokens() <= 700);
}

TEST_CASE("a budget that suspends parks the child that asked, until the parent's is raised") {
  Family family("tokens: 400, on_exceeded: suspend");
  family.answer(400);
  const std::string child = "p:each[1]/sub";
  REQUIRE(family.world.until_state(child, WorkflowState::suspended));
  CHECK(family.under_way() == 0);
  CHECK(family.ledger().used.tokens() == 400);
}

TEST_CASE("a change of budget survives the inbox") {
  World world;
  Budget more;
  more.tokens = 7;
  more.cost_usd = 0.5;
  more.wall_time = 90s;
  const std::string bytes = engine::encode_command("i", kernel::Update{object({{"x", 1}}), more}, *world.store);
  const auto command = engine::decode_command(bytes, *world.programs);
  REQUIRE(command);
  const auto& update = std::get<kernel::Update>(command->demand);
  CHECK(update.budget == more);
  CHECK(update.variables == object({{"x", 1}}));
}
