// A workflow put together in C++: its problems are told by the compiler and by build(), not by customers.
#include <mapflow/mapflow.h>

#include <filesystem>
#include <iostream>

using namespace std::chrono_literals;

int main(int argc, char** argv) {
  const std::string store = argc > 1 ? argv[1] : (std::filesystem::temp_directory_path() / "mapflow-example-orders.db").string();

  mapflow::Engine engine({.store = "sqlite:" + store});
  engine.handler("reserve", [](const mapflow::StepInput& in) -> mapflow::Value {
    return mapflow::object({{"available", true}, {"items", in.input().find("items")->size()}});
  });
  engine.handler("price", [](const mapflow::StepInput& in) -> mapflow::Value { return 25 * in.input().find("count")->as_integer(); });
  engine.handler("pack", [](const mapflow::StepInput&) -> mapflow::Value { return "box 7"; });
  engine.handler("label", [](const mapflow::StepInput& in) -> mapflow::Value { return in.input().find("to")->as_text(); });

  const auto definition = mapflow::workflow("order_processing").with_timeout(30min).with_compensation_strategy(mapflow::Compensation::backward)
      .custom("reserve", {{"items", "{{ items }}"}}).with_id("check").with_retry(3)
      .custom("price", {{"count", "{{ results.check.items }}"}}).with_id("total")
      .if_condition("results.total > 40", mapflow::branch().wait_for_signal("approval").with_timeout(24h)).with_id("gate")
      .parallel("fulfil", mapflow::branch("pack").custom("pack"), mapflow::branch("label").custom("label", {{"to", "{{ to }}"}}))
      .build();
  if (!definition) {
    std::cerr << definition.error().message << '\n';
    return 2;
  }
  if (const auto added = engine.add(definition.value()); !added) {
    std::cerr << added.error().to_string() << '\n';
    return 2;
  }

  const mapflow::Value input = mapflow::object({{"items", mapflow::array({"tea", "cup"})}, {"to", "Ann, Hill 3"}});
  const auto run = engine.start("order_processing", input);
  if (!run) {
    std::cerr << run.error().to_string() << '\n';
    return 1;
  }
  std::cout << "pause:  " << (run->pause("lunch") ? "paused" : "too late") << '\n';
  std::cout << "resume: " << (run->resume() ? "goes on" : "cannot") << '\n';
  if (const auto signalled = run->signal("approval", "ann"); !signalled) std::cerr << signalled.error().to_string() << '\n';

  const auto end = run->wait(1min);
  if (!end) {
    std::cerr << end.error().to_string() << '\n';
    return 1;
  }
  std::cout << "state:  " << end->find("state")->as_text() << '\n';
  std::cout << "result: " << mapflow::to_json(*end->find_path("results.fulfil")) << '\n';
  const auto progress = run->progress();
  std::cout << "steps:  " << (progress ? progress->completed : 0) << '\n';
  return end->find("state")->as_text() == "completed" ? 0 : 1;
}
