// The log and what is written beside it: bounded whatever runs, complete whatever is asked, and honest when damaged.
#include <doctest/doctest.h>

#include <algorithm>

#include "engine/batch.h"
#include "engine/checksum.h"
#include "engine/log_ledger.h"
#include "engine/snapshot.h"
#include "engine/world.h"

using namespace mapflow;
using namespace mapflow::testing;
using namespace std::chrono_literals;
using persistence::LogPosition;
using persistence::Partition;

namespace {

constexpr std::string_view kLoop = R"(
id: looper
steps:
  - id: each
    type: loop
    items: "{{ times }}"
    collect: none
    body: [{ id: work, type: message, destination: agent, action: work, data: "{{ item_index }}" }]
    loop_var: item
)";

std::vector<persistence::LogEntry> log_of(World& world, Partition partition) {
  return *world.store->read_log(partition, LogPosition(1), SIZE_MAX);
}

std::size_t log_bytes(World& world) {
  std::size_t bytes = 0;
  for (std::uint32_t partition = 0; partition < world.store->shared_partitions(); ++partition)
    for (const auto& entry : log_of(world, Partition(partition))) bytes += entry.bytes.size();
  return bytes;
}

void small_log(World& world) {
  world.options.checkpoint_log_bytes = 16u << 10;
  world.options.checkpoint_instance_bytes = 4u << 10;
  world.options.truncate_bytes = 1u << 10;
}

std::vector<std::uint64_t> seqs(const std::vector<kernel::Event>& events) {
  std::vector<std::uint64_t> out;
  for (const kernel::Event& event : events) out.push_back(event.seq);
  return out;
}

bool dense(const std::vector<std::uint64_t>& seqs) {
  return std::ranges::adjacent_find(seqs, [](std::uint64_t a, std::uint64_t b) { return b != a + 1; }) == seqs.end();
}

}  // namespace

TEST_CASE("a long loop keeps the log short and its history whole") {
  World world(1);
  small_log(world);
  world.add(definition(kLoop));
  world.agents->script = [](const Envelope&) { return Result<Value>(Value(1)); };
  world.node();
  world.start("i", "looper", object({{"times", 2000}}));
  std::size_t longest = 0;
  REQUIRE(world.until([&] {
    longest = std::max(longest, log_bytes(world));
    return world.agents->seen.size() == 2000 && world.store->instance("i")->finished;
  }));
  CHECK(longest < (40u << 10));
  const auto stored = world.stored("i", true);
  CHECK(stored->state.state == WorkflowState::completed);
  const auto all = seqs(stored->events);
  CHECK(all.front() == 1);
  CHECK(all.back() == stored->state.seq);
  CHECK(dense(all));
  CHECK(std::ranges::count(stored->events, "step.completed", &kernel::Event::type) == 2001);
}

TEST_CASE("sleeping instances do not hold the log back for ever") {
  World world(1);
  small_log(world);
  world.add(definition(kLoop));
  world.add(definition("id: sleepy\nsteps: [{ id: nap, type: wait, duration: 1h }]"));
  world.agents->script = [](const Envelope&) { return Result<Value>(Value(1)); };
  world.node();
  for (int i = 0; i < 50; ++i) world.start("s" + std::to_string(i), "sleepy");
  for (int i = 0; i < 10; ++i) world.start("l" + std::to_string(i), "looper", object({{"times", 200}}));
  REQUIRE(world.until([&] { return world.agents->seen.size() >= 2000; }));
  world.time.advance(1s);
  CHECK(log_bytes(world) < (40u << 10));
  // And the sleepers are as they were, also for the next owner.
  world.crash();
  world.node();
  world.time.advance(1h);
  for (int i = 0; i < 50; ++i) CHECK(world.state("s" + std::to_string(i)) == WorkflowState::completed);
}

TEST_CASE("an instance goes on from its snapshot after a crash, at any moment of its checkpoints") {
  for (int crash_at = 50; crash_at < 1000; crash_at += 93) {
    CAPTURE(crash_at);
    World world(1);
    small_log(world);
    world.add(definition(kLoop));
    world.agents->script = [](const Envelope&) { return Result<Value>(Value(1)); };
    world.node();
    world.start("i", "looper", object({{"times", 300}}));
    for (int step = 0; step < crash_at; ++step) world.time.step();
    world.crash();
    world.node();
    world.start("i", "looper", object({{"times", 300}}));
    REQUIRE(world.until_state("i", WorkflowState::completed));
    const auto stored = world.stored("i", true);
    CHECK(std::ranges::count(stored->events, "step.completed", &kernel::Event::type) == 301);
    CHECK(dense(seqs(stored->events)));
  }
}

TEST_CASE("history beyond its bound loses its oldest part; what is left still reads") {
  World world(1);
  small_log(world);
  world.options.history_bytes = 160u << 10;  // a few chunks, each with the state before it
  world.add(definition(kLoop));
  world.agents->script = [](const Envelope&) { return Result<Value>(Value(1)); };
  world.node();
  world.start("i", "looper", object({{"times", 2000}}));
  REQUIRE(world.until([&] { return world.agents->seen.size() >= 1000; }));
  world.crash();  // the bound holds across restarts
  world.node();
  REQUIRE(world.until_state("i", WorkflowState::completed));
  std::size_t bytes = 0;
  const auto chunks = world.store->history("i");
  for (const auto& chunk : *chunks) bytes += chunk.records.size();
  CHECK(bytes < (161u << 10));
  const auto stored = world.stored("i", true);
  const auto all = seqs(stored->events);
  REQUIRE(all.size() > 100);
  CHECK(all.front() > 1);
  CHECK(all.back() == stored->state.seq);
  CHECK(dense(all));
  CHECK(stored->events.back().type == "workflow.completed");
}

TEST_CASE("a damaged log entry is corrupt, and its partition is not run on guesses") {
  World world(1);
  world.add(definition("id: one\nsteps: [{ id: ask, type: message, destination: agent, action: work }]"));
  world.node();
  world.start("i", "one");
  world.time.advance(100ms);
  world.crash();
  const auto entry = log_of(world, Partition(0)).front();
  std::string damaged = entry.bytes;
  damaged[damaged.size() / 2] ^= 1;
  CHECK_FALSE(engine::read_batch(damaged, [](const engine::RecordGroup&) { return Status{}; }));

  // The same partition in another store, with the damaged entry in place of the good one.
  World other(1);
  const auto lease = other.store->acquire(Partition(0), "x", 1s, other.time.now());
  other.store->commit({*lease, damaged, {}, {}, {}, {}, {}}, [](Result<LogPosition> done) { REQUIRE(done); });
  REQUIRE(other.store->release(*lease));
  other.node();
  other.time.advance(1s);
  CHECK(std::ranges::any_of(other.log, [](const std::string& line) { return line.contains("corrupt"); }));
  CHECK(other.stored("i").error().is(code::corrupt));
  CHECK(other.agents->seen.empty());
}

TEST_CASE("an instance that does not read back stands still, alone, and loses nothing") {
  World world(1);
  small_log(world);
  world.add(definition("id: one\nsteps: [{ id: ask, type: message, destination: agent, action: work }]"));
  world.add(definition(kLoop));
  world.node();
  world.start("good", "one");
  world.start("bad", "one");
  world.time.advance(100ms);
  world.crash();
  // Its snapshot is damaged, as on a failing disk.
  auto row = *world.store->instance("bad");
  row.snapshot = "\x01" "damaged";
  row.seq = 1;
  const auto lease = world.store->acquire(Partition(0), "a", 1s, world.time.now());
  world.store->commit({*lease, {}, {row}, {}, {}, {}, {}}, [](Result<LogPosition> done) { REQUIRE(done); });
  world.agents->seen.clear();
  world.agents->calls.clear();

  world.node();
  world.time.advance(100ms);
  CHECK(world.agents->seen.size() == 1);
  CHECK(world.agents->seen[0].instance_id == "good");
  const auto pause = world.ask("bad", kernel::Pause{});
  const auto again = world.start("bad", "one");
  world.time.advance(100ms);
  CHECK(pause->code() == std::string(code::corrupt));
  CHECK(again->code() == std::string(code::corrupt));
  CHECK(std::ranges::any_of(world.log, [](const std::string& line) { return line.contains("bad"); }));

  // Whatever else runs, its records stay in the log for whoever repairs it.
  world.agents->script = [](const Envelope&) { return Result<Value>(Value(1)); };
  world.start("l", "looper", object({{"times", 500}}));
  REQUIRE(world.until_state("l", WorkflowState::completed));
  bool found = false;
  for (const auto& entry : log_of(world, Partition(0)))
    REQUIRE(engine::read_batch(entry.bytes, [&](const engine::RecordGroup& group) {
      found |= group.instance == "bad";
      return Status{};
    }));
  CHECK(found);
}

// --- the formats ------------------------------------------------------------------------------------------------------

TEST_CASE("CRC-32C gives the values of RFC 3720") {
  CHECK(engine::crc32c("123456789") == 0xE3069283u);
  CHECK(engine::crc32c(std::string(32, '\0')) == 0x8A9136AAu);
  CHECK(engine::crc32c(std::string(32, '\xFF')) == 0x62A8AB43u);
  CHECK(engine::crc32c("") == 0u);
}

TEST_CASE("a log entry reads back, and no single damaged byte passes for good") {
  engine::BatchWriter writer;
  const std::vector<kernel::Record> records{{from_micros(5), kernel::SignalReceived{"go", object({{"a", 1}})}},
                                            {from_micros(6), kernel::StateChanged{}}};
  CHECK(writer.empty());
  writer.add("first", 1, records);
  writer.add("second", 17, records);
  const std::string entry = writer.take();
  CHECK(writer.empty());
  std::vector<std::string> seen;
  REQUIRE(engine::read_batch(entry, [&](const engine::RecordGroup& group) {
    seen.push_back(std::string(group.instance) + std::to_string(group.first_seq) + "+" + std::to_string(group.count));
    return Status{};
  }));
  CHECK(seen == std::vector<std::string>{"first1+2", "second17+2"});
  const auto nothing = [](const engine::RecordGroup&) { return Status{}; };
  for (std::size_t at = 0; at < entry.size(); ++at) {
    std::string damaged = entry;
    damaged[at] ^= 0x40;
    CHECK_FALSE(engine::read_batch(damaged, nothing));
  }
  for (std::size_t length = 0; length < entry.size(); ++length)
    CHECK_FALSE(engine::read_batch(entry.substr(0, length), nothing));
  std::string newer = entry;
  newer[0] = 2;
  CHECK(engine::read_batch(newer, nothing).error().is(code::invalid_state));
}

TEST_CASE("the ledger drops what nobody needs, whole entries only, and never past a pin") {
  engine::LogLedger ledger;
  CHECK(ledger.found(LogPosition(5), 100) == 0);
  CHECK(ledger.found(LogPosition(6), 100) == 100);
  ledger.append(100);
  CHECK(ledger.end() == 300);
  CHECK(ledger.drop_before(99, 1) == LogPosition(0));     // ends in the middle of an entry
  CHECK(ledger.drop_before(100, 101) == LogPosition(0));  // not worth it yet
  CHECK(ledger.drop_before(100, 100) == LogPosition(6));
  CHECK(ledger.drop_before(300, 1) == LogPosition(7));    // the last is not durable yet
  ledger.durable(LogPosition(7));
  ledger.append(50);
  ledger.durable(LogPosition(8));
  ledger.pin(320);
  CHECK(ledger.drop_before(350, 1) == LogPosition(8));
  CHECK(ledger.drop_before(350, 1) == LogPosition(0));
}

TEST_CASE("snapshots and chunks read back, and damage shows") {
  kernel::State state;
  state.id = "i";
  state.seq = 9;
  const std::vector<engine::ChunkInfo> chunks{{1, 4, 100}, {5, 9, 50}};
  const std::string bytes = engine::encode_snapshot(state, chunks);
  const auto read = engine::decode_snapshot(bytes);
  REQUIRE(read);
  CHECK(read->state.id == "i");
  CHECK(read->chunks == chunks);
  CHECK(engine::decode_snapshot(bytes.substr(0, bytes.size() - 1)).error().is(code::corrupt));
  CHECK(engine::decode_snapshot("").error().is(code::corrupt));
  const std::string chunk = engine::encode_chunk("before", "records");
  CHECK(engine::decode_chunk(chunk)->base == "before");
  CHECK(engine::decode_chunk(chunk)->records == "records");
  CHECK(engine::decode_chunk(engine::dropped_chunk())->dropped);
  CHECK(engine::decode_chunk(chunk.substr(0, 9)).error().is(code::corrupt));
}
