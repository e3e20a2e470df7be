// The engine as a program uses it: real threads, real stores.
#include "engine/engine.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "builder/reader.h"

using namespace mapflow;
using namespace std::chrono_literals;

namespace {

/// A folder that is gone when the test is over.
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/mapflow-engine-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string store(const std::string& name = "x.db") const { return "sqlite:" + (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

Definition read(const Engine& engine, std::string_view yaml) {
  auto read = builder::read_definitions(yaml, "test.yaml", engine.kinds());
  for (const Diagnostic& found : read.diagnostics) MESSAGE(found.message);
  REQUIRE(read.definitions.size() == 1);
  return std::move(read.definitions.front());
}

Result<Value> twice(const StepInput& in) { return Value(in.input().as_integer() * 2); }

constexpr std::string_view kDoubling = R"(
id: doubling
variables_schema: { type: object, required: [x], properties: { x: { type: integer } } }
steps:
  - { id: a, type: custom, handler: twice, input: "{{ x }}" }
  - { id: b, type: custom, handler: twice, input: "{{ results.a }}" }
)";

constexpr std::string_view kApproval = R"(
id: approval
steps:
  - { id: ask, type: wait, signal: approved }
)";

constexpr auto kSoon = std::chrono::seconds(60);

std::string text(const Value& document, std::string_view member) {
  return std::string(document.find_path(member)->as_text());
}

}  // namespace

TEST_CASE("a workflow runs to its end on every kind of store and in every mode") {
  Folder folder;
  for (const std::string& store : {std::string("memory:"), folder.store()})
    for (const HandlerMode mode : {HandlerMode::pooled, HandlerMode::immediate})
      for (const bool own : {false, true}) {
        CAPTURE(store);
        CAPTURE(own);
        Engine engine({.store = store, .private_partition = own});
        REQUIRE(engine.status());
        engine.handler("twice", twice, mode);
        REQUIRE(engine.add(read(engine, kDoubling)));
        const auto run = engine.start("doubling", {.input = object({{"x", 5}})});
        REQUIRE(run);
        CHECK_FALSE(run->existed());
        const auto outcome = run->wait(kSoon);
        REQUIRE(outcome);
        CHECK(text(*outcome, "state") == "completed");
        CHECK(*outcome->find_path("results.b") == Value(20));
        CHECK(text(*run->document(), "instance_id") == run->id());
      }
}

TEST_CASE("what cannot be started is refused with the reason") {
  Engine engine({.store = "memory:", .payload_bytes = 1000});
  engine.handler("twice", twice);
  REQUIRE(engine.add(read(engine, kDoubling)));
  CHECK(engine.start("nothing", {}).error().is(code::not_found));
  CHECK(engine.start("doubling", {}).error().is(code::invalid_input));
  CHECK(engine.start("doubling", {.input = object({{"x", "five"}})}).error().is(code::invalid_input));
  CHECK(engine.start("doubling", {.input = Value(5)}).error().is(code::invalid_input));
  const Value large = object({{"x", 1}, {"y", std::string(2000, 'y')}});
  CHECK(engine.start("doubling", {.input = large}).error().is(code::resource_exhausted));
  CHECK(engine.attach("ghost").error().is(code::not_found));
}

TEST_CASE("a store that cannot be opened is told by the status and by every call") {
  Engine engine({.store = "sqlite:/nowhere/at/all/x.db"});
  CHECK_FALSE(engine.status());
  CHECK_FALSE(engine.start("x", {}));
  CHECK_FALSE(engine.attach("x"));
}

TEST_CASE("people can pause, resume, signal, cancel and terminate") {
  Engine engine({.store = "memory:"});
  REQUIRE(engine.add(read(engine, kApproval)));
  const auto run = engine.start("approval", {.id = "i"});
  REQUIRE(run);
  CHECK(run->wait(1ms).error().is(code::timeout));
  CHECK(run->pause("lunch"));
  CHECK(run->pause("again"));
  CHECK(text(*run->document(), "state") == "paused");
  CHECK(run->resume());
  CHECK(run->signal("approved", object({{"by", "ann"}})));
  const auto outcome = run->wait(kSoon);
  REQUIRE(outcome);
  CHECK(text(*outcome, "results.ask.by") == "ann");
  CHECK(run->cancel().error().is(code::invalid_state));

  const auto cancelled = engine.start("approval", {});
  CHECK(cancelled->cancel("no more"));
  CHECK(text(*cancelled->wait(kSoon), "state") == "cancelled");
  const auto terminated = engine.start("approval", {});
  CHECK(terminated->terminate());
  CHECK(text(*terminated->wait(kSoon), "state") == "cancelled");
}

TEST_CASE("an instance goes on in the next process, shared or private") {
  for (const bool own : {false, true}) {
    CAPTURE(own);
    Folder folder;
    const EngineOptions options{.store = folder.store(), .private_partition = own};
    {
      Engine engine(options);
      REQUIRE(engine.add(read(engine, kApproval)));
      REQUIRE(engine.start("approval", {.input = object({{"n", 1}}), .id = "i"}));
    }
    Engine engine(options);
    REQUIRE(engine.add(read(engine, kApproval)));
    SUBCASE("attached") {
      const auto run = engine.attach("i");
      REQUIRE(run);
      REQUIRE(run->signal("approved"));
      CHECK(text(*run->wait(kSoon), "state") == "completed");
    }
    SUBCASE("started again") {
      CHECK(engine.start("approval", {.input = object({{"n", 2}}), .id = "i"}).error().is(code::conflict));
      const auto run = engine.start("approval", {.input = object({{"n", 1}}), .id = "i"});
      REQUIRE(run);
      CHECK(run->existed());
      REQUIRE(run->signal("approved"));
      CHECK(text(*run->wait(kSoon), "state") == "completed");
    }
  }
}

TEST_CASE("two engines on one store: commands and outcomes cross over") {
  Folder folder;
  Engine one({.store = folder.store(), .node = "one", .lease = 1s});
  Engine two({.store = folder.store(), .node = "two", .lease = 1s});
  for (Engine* engine : {&one, &two}) REQUIRE(engine->add(read(*engine, kApproval)));
  REQUIRE(one.serve());
  REQUIRE(two.serve());
  std::vector<Run> runs;
  for (int i = 0; i < 12; ++i) {
    auto run = one.start("approval", {.id = "i" + std::to_string(i)});
    REQUIRE(run);
    runs.push_back(*run);
  }
  for (const Run& run : runs) {
    const auto seen = two.attach(run.id());
    if (!seen && seen.error().is(code::not_found)) continue;  // still in the inbox of its owner
    REQUIRE(seen);
    CHECK(seen->signal("approved", Value(1)));
  }
  for (const Run& run : runs) {
    const auto at_once = run.wait(2s);
    if (!at_once) REQUIRE(run.signal("approved", Value(1)));
    const auto outcome = run.wait(kSoon);
    REQUIRE(outcome);
    CHECK(text(*outcome, "state") == "completed");
  }
}

TEST_CASE("a private process does not take what another one is running") {
  Folder folder;
  Engine one({.store = folder.store(), .private_partition = true});
  REQUIRE(one.add(read(one, kApproval)));
  const auto run = one.start("approval", {.id = "i"});
  REQUIRE(run);
  Engine two({.store = folder.store(), .private_partition = true});
  REQUIRE(two.add(read(two, kApproval)));
  // It can look, and it can speak to it; its owner hears.
  REQUIRE(two.start("approval", {.id = "j"}));
  const auto stored = read_instance(two.store(), "i", dynamic_cast<const kernel::KindRegistry&>(two.kinds()), true);
  REQUIRE(stored);
  CHECK(stored->state.state == WorkflowState::running);
  CHECK_FALSE(stored->events.empty());
}

TEST_CASE("many instances at once, started without waiting, all end") {
  Folder folder;
  for (const std::string& store : {std::string("memory:"), folder.store()}) {
    CAPTURE(store);
    Engine engine({.store = store, .shards = 2});
    engine.handler("twice", twice, HandlerMode::immediate);
    REQUIRE(engine.add(read(engine, kDoubling)));
    std::atomic<int> left = 500;
    std::atomic<int> good = 0;
    std::promise<void> all;
    for (int i = 0; i < 500; ++i)
      engine.start_async("doubling", {.input = object({{"x", i}})}, [&, i](Result<Run> run) {
        if (!run) return;
        run->on_end([&, i](Result<Value> outcome) {
          if (outcome && *outcome->find_path("results.b") == Value(4 * i)) ++good;
          if (--left == 0) all.set_value();
        });
      });
    REQUIRE(all.get_future().wait_for(kSoon) == std::future_status::ready);
    CHECK(good == 500);
  }
}

TEST_CASE("events arrive in order, for every instance") {
  Engine engine({.store = "memory:"});
  engine.handler("twice", twice);
  REQUIRE(engine.add(read(engine, kDoubling)));
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> types;
  std::vector<std::uint64_t> seqs;
  engine.on_event([&](const std::string& instance, const kernel::Event& event) {
    if (instance.empty()) return;  // of the node
    const std::lock_guard lock(mutex);
    types.push_back(event.type);
    seqs.push_back(event.seq);
    changed.notify_all();
  });
  REQUIRE(engine.start("doubling", {.input = object({{"x", 1}})}));
  std::unique_lock lock(mutex);
  REQUIRE(changed.wait_for(lock, kSoon, [&] { return std::ranges::count(types, "workflow.completed") == 1; }));
  CHECK(types.front() == "workflow.started");
  CHECK(std::ranges::is_sorted(seqs));
  CHECK(std::ranges::count(types, "step.completed") == 2);
}

TEST_CASE("a handler is told when nobody waits for it any more") {
  Engine engine({.store = "memory:"});
  std::promise<void> running;
  std::promise<bool> told;
  engine.handler("long", [&](const StepInput& in) -> Result<Value> {
    running.set_value();
    const auto end = std::chrono::steady_clock::now() + kSoon;
    while (!in.cancelled() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    told.set_value(in.cancelled());
    return Value();
  });
  REQUIRE(engine.add(read(engine, "id: it\nsteps: [{ id: a, type: custom, handler: long }]")));
  const auto run = engine.start("it", {});
  running.get_future().get();
  REQUIRE(run->cancel());
  CHECK(told.get_future().get());
}
