// Definitions in code and in the store are the same.
#include <doctest/doctest.h>

#include "engine/program_cache.h"
#include "engine/world.h"
#include "persistence/memory.h"
#include "steps/registry.h"

using namespace mapflow;
using namespace mapflow::testing;

TEST_CASE("what was put together in code in other words than the store's is found again by its hash") {
  const auto kinds = steps::make_registry();
  const auto store = persistence::make_memory_store({});
  Definition made = definition("id: it\nsteps: [{ id: c, type: conditional, condition: x > 1, if_true: [{ id: t, type: transform, transformations: { a: 1 } }] }]");
  made.steps.front().fields.set("condition", "{{ x > 1 }}");  // a reader would have taken the braces off

  engine::ProgramCache first(*kinds, *store);
  const auto program = first.add(made);
  REQUIRE(program.has_value());

  engine::ProgramCache second(*kinds, *store);
  const auto found = second.find_or_read((*program)->hash(), engine::definition_row(**program).document);
  REQUIRE(found.has_value());
  CHECK((*found)->hash() == (*program)->hash());
}

TEST_CASE("what would not be read back is not taken") {
  const auto kinds = steps::make_registry();
  const auto store = persistence::make_memory_store({});
  Definition made = definition("id: it\nsteps: [{ id: t, type: transform, transformations: { a: 1 } }]");
  made.steps.push_back(made.steps.front());  // two steps of one id
  engine::ProgramCache programs(*kinds, *store);
  const auto refused = programs.add(made);
  REQUIRE(!refused.has_value());
  CHECK(refused.error().code == code::invalid_input);
  CHECK(refused.error().message.find("'it'") != std::string::npos);
}
