// A workflow in YAML, run to its end by a program that brings a handler of its own.
#include <mapflow/mapflow.h>

#include <iostream>

constexpr const char* kWorkflow = R"(
id: invoice
variables_schema:
  type: object
  required: [lines]
steps:
  - id: total
    type: custom
    handler: add_up
    input: "{{ lines }}"
  - id: note
    type: transform
    transformations:
      text: "Please pay {{ results.total }} euros."
)";

int main() {
  const auto definitions = mapflow::read_definition_text(kWorkflow);
  if (!definitions) {
    std::cerr << definitions.error().message;
    return 2;
  }

  mapflow::Engine engine({.store = "memory:"});
  engine.handler("add_up", [](const mapflow::StepInput& in) -> mapflow::Result<mapflow::Value> {
    std::int64_t total = 0;
    for (const mapflow::Value& line : in.input().as_array()) {
      if (!line.is_integer()) return mapflow::fail(mapflow::code::invalid_input, "a line is no amount");
      total += line.as_integer();
    }
    return total;
  });
  if (const auto added = engine.add(definitions->front()); !added) {
    std::cerr << added.error().to_string() << '\n';
    return 2;
  }

  const auto run = engine.start("invoice", mapflow::object({{"lines", mapflow::array({20, 15, 7})}}));
  if (!run) {
    std::cerr << run.error().to_string() << '\n';
    return 1;
  }
  const auto end = run->wait();
  std::cout << end->find_path("variables.text")->as_text() << '\n';
}
