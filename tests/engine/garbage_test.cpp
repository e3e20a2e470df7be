// What is over for long enough is dropped for good, and never comes back; what somebody may still need stays.
#include <doctest/doctest.h>

#include "engine/garbage.h"
#include "engine/world.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;
using engine::GarbageCollector;
using persistence::LogPosition;
using persistence::Partition;

namespace {

constexpr std::string_view kAsks = R"(
id: asks
steps:
  - { id: ask, type: message, destination: agent, action: work }
)";
constexpr std::string_view kWaits = R"(
id: waits
steps:
  - { id: until, type: wait, signal: go }
)";
constexpr std::string_view kCalls = R"(
id: calls
steps:
  - { id: call, type: subworkflow, workflow_id: asks }
  - { id: until, type: wait, signal: go }
)";

/// One shared partition, agents that answer at once, and rows that are not late.
struct Yard : World {
  Yard() : World(1) {
    options.rows_at_once = true;
    for (const std::string_view text : {kAsks, kWaits, kCalls}) add(definition(text));
    agents->script = [](const Envelope&) { return Value("done"); };
    node();
  }
  void ended(const std::string& id) {
    start(id, "asks");
    REQUIRE(until_state(id, WorkflowState::completed));
  }
  engine::GarbageReport collect(Duration older_than, const std::string& node = {}) {
    const auto report = GarbageCollector(store, time.clock(), node).collect_all(time.now() - older_than);
    REQUIRE_MESSAGE(report, report.error().to_string());
    return *report;
  }
  void does(const std::string& id, engine::Demand demand) {
    const auto heard = ask(id, std::move(demand));
    time.advance(1s);
    CHECK(heard->ok());
  }
  bool there(const std::string& id) { return store->instance(id).has_value(); }
  std::size_t log_entries() { return store->read_log(Partition(0), LogPosition(1), SIZE_MAX)->size(); }
};

}  // namespace

TEST_CASE("what is over is dropped when it is old enough, with the log that would bring it back") {
  Yard yard;
  yard.ended("old");
  yard.time.advance(2h);
  yard.ended("new");
  REQUIRE(yard.stop());
  REQUIRE(yard.log_entries() > 0);
  const auto report = yard.collect(1h);
  CHECK(report.instances == 1);
  CHECK(report.log_entries > 0);
  CHECK(yard.log_entries() == 0);
  CHECK_FALSE(yard.there("old"));
  CHECK(yard.store->history("old")->empty());
  CHECK(yard.there("new"));
  yard.node();
  yard.time.advance(10s);
  CHECK_FALSE(yard.there("old"));
  yard.ended("old");  // its id is free again
}

TEST_CASE("what the log still names stays, for a recovery would miss its first part") {
  Yard yard;
  yard.start("waits", "waits");  // its records are in no snapshot, and hold the log from there on
  REQUIRE(yard.until_state("waits", WorkflowState::running));
  yard.ended("behind");
  REQUIRE(yard.stop());
  const auto report = yard.collect(0s);
  CHECK(report.instances == 0);
  CHECK(report.kept == 1);
  CHECK(yard.there("behind"));
  yard.node();
  yard.time.advance(10s);
  yard.does("waits", kernel::Signal{"go", Value()});
  CHECK(yard.until_state("waits", WorkflowState::completed));
  REQUIRE(yard.stop());
  CHECK(yard.collect(0s).instances == 2);
}

TEST_CASE("a child stays as long as its parent runs") {
  Yard yard;
  yard.start("p", "calls");
  REQUIRE(yard.until_state("p:call", WorkflowState::completed));
  yard.time.advance(1h);
  yard.does("p", kernel::MakeCheckpoint{"here"});
  REQUIRE(yard.stop());
  yard.collect(0s);
  CHECK(yard.there("p:call"));
  yard.node();
  yard.time.advance(10s);
  yard.does("p", kernel::Signal{"go", Value()});
  REQUIRE(yard.until_state("p", WorkflowState::completed));
  REQUIRE(yard.stop());
  CHECK(yard.collect(0s).instances == 2);
}

TEST_CASE("a partition that another node runs is left to it, and one's own keeps its log") {
  Yard yard;
  yard.options.truncate_bytes = 1;
  yard.ended("one");
  const std::size_t entries = yard.log_entries();
  CHECK(yard.collect(0s, "b").kept == 1);
  CHECK(yard.collect(0s).kept == 1);  // whoever is not a node runs nothing
  CHECK(yard.there("one"));
  CHECK(yard.log_entries() == entries);
  for (int more = 0; more < 20; ++more) yard.ended("more" + std::to_string(more));
  const auto report = yard.collect(0s, "a");
  CHECK(report.instances + report.kept == 21);
  CHECK(report.log_entries == 0);
  yard.crash();
  yard.node("b");
  yard.time.advance(30s);
  CHECK(yard.collect(0s, "b").kept <= 21);
  yard.start("last", "asks", {}, "b");
  CHECK(yard.until_state("last", WorkflowState::completed));
}
