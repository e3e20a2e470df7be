// The schema for editors says what the reader says.
#include "builder/json_schema.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "builder/catalog.h"
#include "builder/document.h"
#include "builder/printer.h"
#include "builder/random_definition.h"
#include "builder/reader.h"
#include "builder/reading.h"
#include "steps/registry.h"
#include "value/schema.h"

using namespace mapflow;

namespace {

Schema compiled(const KindCatalog& kinds) {
  auto schema = Schema::compile(builder::json_schema(kinds));
  INFO((schema ? "" : schema.error().to_string()));
  REQUIRE(schema);
  return *std::move(schema);
}

}  // namespace

TEST_CASE("the schema takes what the printer writes") {
  const Schema schema = compiled(test::catalog());
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    const auto found = schema.check(builder::to_document(test::random_definition(seed)));
    CHECK_MESSAGE(found.empty(), schema_error("the definition", found).message);
  }
}

TEST_CASE("the schema takes every example") {
  const auto kinds = steps::make_registry();
  const Schema schema = compiled(*kinds);
  std::size_t examples = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(MAPFLOW_SOURCE_DIR "/examples")) {
    const bool definition = entry.path().filename() == "workflow.yaml" || entry.path().parent_path().filename() == "patterns";
    if (!definition || entry.path().extension() != ".yaml") continue;
    ++examples;
    INFO(entry.path().string());
    for (const builder::Document& document : builder::parse_documents(test::file_text(entry.path()), "x").documents) {
      const auto found = schema.check(document.root().to_value());
      CHECK_MESSAGE(found.empty(), schema_error("the example", found).message);
    }
  }
  CHECK(examples >= 2);
}

TEST_CASE("the schema refuses what the reader refuses") {
  const Schema schema = compiled(test::catalog());
  for (const char* text : {"id: f", "id: f\nsteps: [ { type: nothing } ]", "id: f\nsteps: [ { type: wait, colour: red } ]", "id: f\ncolour: red\nsteps: [ { type: wait, duration: 1s } ]",
                           "id: f\nsteps: [ { type: message } ]", "id: f\nsteps: [ { type: message, destination: a, priority: urgent } ]",
                           "id: f\nsteps: [ { type: wait, duration: 1s, retry: { tries: 3 } } ]"}) {
    INFO(text);
    CHECK(!schema.check(builder::parse_documents(text, "x").documents.at(0).root().to_value()).empty());
  }
}

TEST_CASE("schema and reader know the same keys") {
  const Value schema = builder::json_schema(test::catalog());
  const auto has_all = [](const Value& properties, std::span<const std::string_view> keys) {
    for (const std::string_view key : keys) CHECK_MESSAGE(properties.find(key) != nullptr, key);
  };
  const Value& head = *schema.find("properties");
  has_all(head, builder::workflow_keys());
  CHECK(head.size() == builder::workflow_keys().size() + 1);  // and $schema
  const Value& sequence = *schema.find("$defs")->find("kind_sequence")->find("properties");
  has_all(sequence, builder::step_keys());
  CHECK(sequence.size() == builder::step_keys().size() + 1);  // and its own `steps`
}
