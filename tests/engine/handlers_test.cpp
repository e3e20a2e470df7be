// Handlers in all their forms, and kinds and policies of the embedding program.
#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <mutex>

#include "engine/async.h"
#include "engine/engine.h"
#include "engine/world.h"
#include "value/json.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto kSoon = 60s;

std::string custom(std::string_view fields) {
  return "id: w\nsteps:\n  - { id: a, type: custom, handler: h, " + std::string(fields) + " }\n";
}

/// Runs the one-step workflow to its end.
Value outcome(Engine& engine, std::string_view fields, Value input = {}) {
  REQUIRE(engine.add(definition(custom(fields))));
  const auto run = engine.start("w", {.input = std::move(input)});
  REQUIRE(run);
  const auto ended = run->wait(kSoon);
  REQUIRE(ended);
  return *ended;
}

Async<int> twice(AsyncInput in, int n) {
  co_await in.sleep(1ms);
  if (n < 0) throw std::runtime_error("below zero");
  co_return 2 * n;
}

/// A kind of the embedding program: completes with the length of its text.
class LengthKind final : public kernel::StepKind {
 public:
  struct Spec final : kernel::StepSpec {
    kernel::ValueTemplate text;
  };
  const KindSchema& schema() const override {
    static const KindSchema kSchema = [] {
      KindSchema schema;
      schema.name = "length";
      schema.doc = "How long a text is.";
      schema.fields.push_back(FieldSpec("text", FieldType::text, "The text.").needed());
      return schema;
    }();
    return kSchema;
  }
  Result<std::unique_ptr<const kernel::StepSpec>> compile(const kernel::SpecCompiler& compiler) const override {
    auto spec = std::make_unique<Spec>();
    MAPFLOW_ASSIGN(spec->text, compiler.value("text"));
    return spec;
  }
  void enter(kernel::StepScope& scope) const override {
    const auto text = scope.render(scope.spec<Spec>().text);
    text ? scope.finish(static_cast<std::int64_t>(text->size())) : scope.fail(text.error());
  }
};

}  // namespace

TEST_CASE("a coroutine sleeps without a thread, awaits others and ends as any handler does") {
  Engine engine({.store = "memory:", .workers = 1});
  engine.coroutine("h", [](AsyncInput in) -> Async<Result<Value>> {
    int n = static_cast<int>(in.input().as_integer());
    for (int i = 0; i < 3; ++i) n = co_await twice(in, n);
    co_return Value(n);
  });
  REQUIRE(engine.add(definition("id: w\nsteps:\n  - { id: l, type: loop, items: 20, max_concurrent: 20, body: { id: a, type: custom, handler: h, input: \"{{ item }}\" } }\n")));
  const auto run = engine.start("w");
  REQUIRE(run);
  const auto ended = run->wait(kSoon);
  REQUIRE(ended);
  CHECK(ended->find_path("results.l.19")->as_integer() == 152);
}

TEST_CASE("what a coroutine throws is a handler_error, also from one that it awaits") {
  Engine engine({.store = "memory:"});
  engine.coroutine("h", [](AsyncInput in) -> Async<Result<Value>> { co_return Value(co_await twice(in, -1)); });
  const Value ended = outcome(engine, "input: 1");
  CHECK(ended.find_path("errors.0.code")->as_text() == code::handler_error);
  CHECK(ended.find_path("errors.0.message")->as_text() == "below zero");
}

TEST_CASE("a coroutine that sleeps when the engine ends is dropped with it") {
  std::promise<void> asleep;
  auto kept = std::make_shared<int>(1);
  {
    Engine engine({.store = "memory:"});
    engine.coroutine("h", [&, kept](AsyncInput in) -> Async<Result<Value>> {
      auto mine = kept;
      asleep.set_value();
      co_await in.sleep(24h);
      co_return Value(*mine);
    });
    REQUIRE(engine.add(definition(custom("input: 1"))));
    REQUIRE(engine.start("w"));
    asleep.get_future().get();
  }
  CHECK(kept.use_count() == 1);
}

TEST_CASE("a handler that falls silent is given up, told so, and tried again") {
  Engine engine({.store = "memory:"});
  std::atomic<int> calls = 0;
  std::promise<void> told;
  engine.handler("h", [&](const StepInput& in) -> Result<Value> {
    if (++calls > 1) return Value("second");
    while (!in.cancelled()) std::this_thread::yield();
    told.set_value();
    return Value("too late");
  });
  const Value ended = outcome(engine, "heartbeat: 50ms, retry: { strategy: immediate, max_attempts: 2 }");
  CHECK(ended.find_path("results.a")->as_text() == "second");
  CHECK(told.get_future().wait_for(kSoon) == std::future_status::ready);
}

TEST_CASE("a handler that is heard of may take as long as it likes, and its progress is told") {
  World world;
  world.add(definition(custom("heartbeat: 10s")));
  std::function<void(Value)> progress;
  std::promise<void> go_on;
  world.handlers->set("h", [&](const StepInput& in) -> Result<Value> {
    in.progress(object({{"percent", 50}}));
    return Value("done");
  }, HandlerMode::pooled);
  world.node();
  world.start("i", "w");
  REQUIRE(world.until_state("i", WorkflowState::completed));
  std::size_t told = 0;
  for (const auto& [instance, event] : world.events) {
    if (event.type != "step.progress") continue;
    ++told;
    CHECK(event.path == "a");
    CHECK(event.data.find_path("progress.percent")->as_integer() == 50);
  }
  CHECK(told == 1);
}

TEST_CASE("a program adds step kinds, retry policies and reducers of its own") {
  Engine engine({.store = "memory:"});
  REQUIRE(engine.add_kind(std::make_unique<LengthKind>()));
  CHECK(engine.add_kind(std::make_unique<LengthKind>()).error().is(code::conflict));
  REQUIRE(engine.retry_policy("twice_at_once", [](const RetryQuestion& question) -> std::optional<Duration> {
    return question.attempt < 3 ? std::optional(Duration(0)) : std::nullopt;
  }));
  std::atomic<int> calls = 0;
  engine.handler("flaky", [&](const StepInput&) -> Result<Value> {
    return ++calls < 3 ? Result<Value>(fail("busy", "no")) : Value("well");
  });
  engine.handler("longest", [](const StepInput& in) -> Result<Value> { return Value(to_json(in.input())); });
  REQUIRE(engine.add(definition(R"(
id: own
steps:
  - { id: n, type: custom, handler: flaky, retry: { strategy: custom, custom: twice_at_once, max_attempts: 9 } }
)")));
  const auto run = engine.start("own");
  REQUIRE(run);
  CHECK(run->wait(kSoon)->find_path("results.n")->as_text() == "well");

  const auto unknown = engine.add(definition("id: bad\nsteps:\n  - { id: n, type: custom, handler: flaky, retry: { custom: nobodys } }\n"));
  REQUIRE(!unknown);
  CHECK(unknown.error().message.find("nobodys") != std::string::npos);
  CHECK(unknown.error().where.line == 3);
}
