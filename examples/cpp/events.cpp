// Following what happens: the events of one instance, and those of every instance of the engine.
#include <mapflow/mapflow.h>

#include <atomic>
#include <future>
#include <iostream>

int main() {
  std::atomic<int> completed = 0;
  std::promise<void> last;

  mapflow::Engine engine({.store = "memory:"});
  engine.on_event([&](const std::string&, const mapflow::kernel::Event& event) {
    if (event.type == "workflow.completed" && ++completed == 2) last.set_value();
  });
  const auto definition = mapflow::workflow("door").wait_for_signal("bell").with_id("listen").transform({{"open", true}}).with_id("open").build();
  if (const auto added = engine.add(definition.value()); !added) return 2;

  const auto front = engine.start("door");
  const auto back = engine.start("door");
  std::promise<void> told;
  front->on_event([&](const mapflow::kernel::Event& event) {
    std::cout << event.type << (event.path.empty() ? "" : " ") << event.path << '\n';
    if (event.type == "workflow.completed") told.set_value();
  });
  if (const auto rung = front->signal("bell"); !rung) return 1;
  if (const auto rung = back->signal("bell"); !rung) return 1;

  told.get_future().wait();
  last.get_future().wait();
  std::cout << completed << " doors are open\n";
}
