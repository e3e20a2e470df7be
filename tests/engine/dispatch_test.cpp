// Calls: to agents, to handlers, with secrets, within limits, and those that wait for no answer.
#include <doctest/doctest.h>

#include <deque>
#include <stdexcept>

#include "engine/program_cache.h"
#include "engine/world.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;

namespace {

/// Runs the one-step workflow and gives the error it failed with.
Error failure_of(World& world, std::string_view step, Value input = {}) {
  world.add(definition("id: it\nsteps:\n  - " + std::string(step)));
  world.node();
  world.start("i", "it", std::move(input));
  REQUIRE(world.until_state("i", WorkflowState::failed));
  return world.stored("i")->state.errors.front();
}

void handler(World& world, std::string name, Handler function, HandlerMode mode = HandlerMode::pooled) {
  world.handlers->set(std::move(name), std::move(function), mode);
}

constexpr std::string_view kCustom = "{ id: h, type: custom, handler: h, input: \"{{ x }}\" }";

}  // namespace

TEST_CASE("an agent that nobody declares is not_found, and is not asked again") {
  World world;
  const Error error = failure_of(world, "{ id: a, type: message, destination: nobody, action: x, retry: 3 }");
  CHECK(error.is(code::not_found));
  CHECK(error.message.find("nobody") != std::string::npos);
}

TEST_CASE("a handler that nobody registered is not_found") {
  World world;
  CHECK(failure_of(world, kCustom, object({{"x", 1}})).is(code::not_found));
}

TEST_CASE("handlers of both modes give their result, their error, or what they threw") {
  for (const HandlerMode mode : {HandlerMode::pooled, HandlerMode::immediate}) {
    CAPTURE(static_cast<int>(mode));
    World world;
    SUBCASE("a result") {
      handler(world, "h", [](const StepInput& in) { return Result<Value>(Value(in.input().as_integer() * 2)); }, mode);
      world.add(definition("id: it\nsteps:\n  - " + std::string(kCustom)));
      world.node();
      world.start("i", "it", object({{"x", 21}}));
      REQUIRE(world.until_state("i", WorkflowState::completed));
      CHECK(*world.stored("i")->state.results.find("h") == Value(42));
    }
    SUBCASE("an error") {
      handler(world, "h", [](const StepInput&) -> Result<Value> { return fail("odd", "it is odd"); }, mode);
      CHECK(failure_of(world, kCustom, object({{"x", 1}})).is("odd"));
    }
    SUBCASE("an exception") {
      handler(world, "h", [](const StepInput&) -> Result<Value> { throw std::runtime_error("boom"); }, mode);
      const Error error = failure_of(world, kCustom, object({{"x", 1}}));
      CHECK(error.is(code::handler_error));
      CHECK(error.message == "boom");
    }
    SUBCASE("too large an answer") {
      world.options.payload_bytes = 1000;
      handler(world, "h", [](const StepInput&) { return Result<Value>(Value(std::string(2000, 'x'))); }, mode);
      CHECK(failure_of(world, kCustom, object({{"x", 1}})).is(code::resource_exhausted));
    }
  }
}

TEST_CASE("a handler stands in for an agent of its name, declared as such or not at all") {
  World world;
  handler(world, "helper", [](const StepInput& in) { return Result<Value>(Value(in.envelope.action)); });
  Definition it = definition(R"(
id: it
steps:
  - { id: a, type: message, destination: helper, action: one }
  - { id: b, type: message, destination: alias, action: two }
)");
  it.agents.push_back({"alias", "handler", Value("helper"), {}, {}});
  world.add(std::move(it));
  world.node();
  world.start("i", "it");
  REQUIRE(world.until_state("i", WorkflowState::completed));
  CHECK(*world.stored("i")->state.results.find("a") == Value("one"));
  CHECK(*world.stored("i")->state.results.find("b") == Value("two"));
}

TEST_CASE("secrets are put in when the message is sent, and stand nowhere else") {
  World world;
  world.add(definition(R"(
id: it
steps:
  - { id: a, type: message, destination: agent, action: x, data: { auth: "Bearer {{ secrets.token }}", deep: [["{{ secrets.token }}"]] },
      headers: { key: "{{ secrets.token }}" } }
)"));
  world.node();
  world.start("i", "it");
  world.time.run_ready();
  REQUIRE(world.agents->seen.size() == 1);
  const Envelope& sent = world.agents->seen[0];
  CHECK(*sent.data.find("auth") == Value("Bearer s3cret"));
  CHECK(*sent.data.find_path("deep.0.0") == Value("s3cret"));
  CHECK(*sent.headers.find("key") == Value("s3cret"));
  for (std::uint32_t partition = 0; partition < 2; ++partition) {
    const auto log = world.store->read_log(persistence::Partition(partition), persistence::LogPosition(1), SIZE_MAX);
    for (const auto& entry : *log) CHECK(entry.bytes.find("s3cret") == std::string::npos);
  }
}

TEST_CASE("an unknown secret fails the step with its name") {
  World world;
  const Error error = failure_of(world, "{ id: a, type: message, destination: agent, action: x, data: \"{{ secrets.other }}\" }");
  CHECK(error.is(code::invalid_input));
  CHECK(error.message.find("other") != std::string::npos);
  CHECK(world.agents->seen.empty());
}

TEST_CASE("a message larger than the limit is not sent") {
  World world;
  world.options.payload_bytes = 1000;
  const Error error = failure_of(world, "{ id: a, type: message, destination: agent, action: x, data: \"{{ x }}\" }",
                                 object({{"x", std::string(2000, 'x')}}));
  CHECK(error.is(code::resource_exhausted));
  CHECK(world.agents->seen.empty());
}

TEST_CASE("a message that waits for no answer is done once it is taken") {
  World world;
  world.add(definition(R"(
id: it
steps: [{ id: a, type: message, destination: agent, action: x, wait_for_response: false }]
)"));
  world.node();
  world.start("i", "it");
  SUBCASE("by an agent that takes its time") {
    world.time.advance(200ms);
    CHECK(world.state("i") == WorkflowState::running);
    world.time.advance(100ms);
    CHECK(world.state("i") == WorkflowState::completed);
    CHECK(world.agents->cancelled.empty());
    SUBCASE("and ending well later") { world.agents->answer(Value("ignored")); }
    SUBCASE("and ending badly later") { world.agents->answer(fail(code::agent_error, "too late to matter")); }
    CHECK(world.stop());
  }
  SUBCASE("at once") {
    world.time.run_ready();
    world.agents->answer(Value("ignored"));
    REQUIRE(world.until_state("i", WorkflowState::completed));
    CHECK(*world.stored("i")->state.results.find("a") == Value());
  }
  SUBCASE("not at all") {
    world.time.run_ready();
    world.agents->answer(fail(code::invalid_input, "no such thing"));
    REQUIRE(world.until_state("i", WorkflowState::failed));
  }
}

TEST_CASE("a node that stops lets messages on their way arrive") {
  World world;
  world.add(definition(R"(
id: it
steps: [{ id: a, type: message, destination: agent, action: x, wait_for_response: false }]
)"));
  engine::Member& member = world.node();
  world.start("i", "it");
  REQUIRE(world.until_state("i", WorkflowState::completed));
  const auto stopped = std::make_shared<bool>(false);
  member.stop([stopped] { *stopped = true; });
  world.time.advance(1min);
  CHECK_FALSE(*stopped);
  world.agents->answer(Value(1));
  world.time.advance(1s);
  CHECK(*stopped);
}

TEST_CASE("a cancelled instance's calls are given up") {
  World world;
  world.add(definition("id: it\nsteps: [{ id: a, type: message, destination: agent, action: x }]"));
  world.node();
  world.start("i", "it");
  world.time.run_ready();
  world.ask("i", kernel::Cancel{"enough"});
  REQUIRE(world.until_state("i", WorkflowState::cancelled));
  CHECK(world.agents->cancelled.size() == 1);
}

TEST_CASE("what the workers have no room for waits its turn, and nothing is lost") {
  struct Narrow final : engine::Workers {
    std::deque<engine::Task> tasks;
    bool try_post(engine::Task& task) override {
      if (tasks.size() == 2) return false;
      tasks.push_back(std::move(task));
      return true;
    }
  };
  engine::ManualWorld time(from_micros(1'000'000));
  const auto workers = std::make_shared<Narrow>();
  const auto handlers = std::make_shared<engine::HandlerTable>();
  handlers->set("h", [](const StepInput& in) { return Result<Value>(in.input()); }, HandlerMode::pooled);
  const auto mailbox = std::make_shared<engine::Mailbox>(time.make_executor());
  engine::Dispatcher dispatcher({handlers, nullptr, workers, nullptr}, time.clock(), mailbox, {});

  World world;
  const auto kinds = steps::make_registry();
  engine::ProgramCache programs(*kinds, *world.store);
  engine::Instance instance;
  instance.program = programs.add(definition("id: it\nsteps:\n  - " + std::string(kCustom))).value();
  std::vector<engine::Work> ready;
  for (int i = 0; i < 5; ++i) {
    kernel::PlaceCall call;
    call.target = {kernel::Target::Kind::handler, "h"};
    call.envelope.id = std::to_string(i);
    dispatcher.place(1, instance, std::move(call), ready);
  }
  CHECK(workers->tasks.size() == 2);
  dispatcher.drop({kernel::RunId(1), "3"});  // one of those that wait is not wanted any more
  std::vector<std::string> done;
  while (!workers->tasks.empty()) {
    workers->tasks.front()();
    workers->tasks.pop_front();
    std::vector<engine::Letter> letters;
    mailbox->take(letters);
    for (const engine::Letter& letter : letters) {
      const auto& outcome = std::get<engine::CallOutcome>(letter);
      CHECK(dispatcher.arrived(outcome));
      done.push_back(outcome.envelope_id);
    }
    dispatcher.retry_waiting();
  }
  CHECK(done == std::vector<std::string>{"0", "1", "2", "4"});
  CHECK(dispatcher.retry_waiting() == kNever);
}
