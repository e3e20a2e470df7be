// How the nodes of a store share the limits of an agent: the arithmetic by tables, the exchange under any order of
// events, and whole nodes under virtual time.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/limits/shared_limits.h"
#include "engine/world.h"
#include "persistence/memory.h"

using namespace mapflow;
using namespace mapflow::engine;
using namespace mapflow::testing;
using namespace std::chrono_literals;

namespace {

using Numbers = std::vector<std::uint32_t>;

Timestamp at(Duration since) { return from_micros(1'700'000'000'000'000) + since; }

class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  std::uint32_t operator()() { return static_cast<std::uint32_t>(engine_()); }

 private:
  std::mt19937 engine_;
};

std::uint32_t sum(const Numbers& numbers) { return std::accumulate(numbers.begin(), numbers.end(), 0u); }

}  // namespace

TEST_CASE("shares follow demand, nobody goes short of an equal part, and the idle rest is spread evenly") {
  struct Row { std::uint32_t limit; Numbers demands; std::uint64_t turn; Numbers shares; };
  for (const Row& row : {
           Row{8, {0}, 0, {8}},                       // alone: everything
           Row{8, {100}, 0, {8}},
           Row{9, {0, 0, 0}, 0, {3, 3, 3}},
           Row{8, {0, 0, 0}, 0, {3, 3, 2}},
           Row{9, {100, 100, 100}, 0, {3, 3, 3}},
           Row{10, {100, 2, 100}, 0, {4, 2, 4}},      // who wants less than a part leaves the rest to the others
           Row{12, {1, 2, 3}, 0, {3, 4, 5}},          // all are served, and what is left is for whoever comes
           Row{8, {100, 0, 0}, 0, {6, 1, 1}},         // each can begin at once
           Row{5, {100, 0, 0}, 0, {5, 0, 0}},         // but not at the price of more than half
           Row{2, {0, 0, 0}, 0, {1, 1, 0}},
           Row{2, {0, 0, 7}, 0, {0, 0, 2}},           // few slots go to those with demand
           Row{1, {5, 0, 5}, 0, {0, 0, 1}},           // and round, where they do not suffice
           Row{1, {5, 0, 5}, 1, {1, 0, 0}},
           Row{0, {5, 5}, 0, {0, 0}},
       }) {
    CAPTURE(row.limit);
    CAPTURE(row.turn);
    CHECK(fair_shares(row.limit, row.demands, row.turn) == row.shares);
  }
}

TEST_CASE("shares give away the limit, neither more nor less, and everybody's turn comes") {
  Dice chance(7);
  for (int round = 0; round < 3000; ++round) {
    const std::uint32_t limit = chance() % 40;
    Numbers demands(1 + chance() % 7);
    for (auto& demand : demands) demand = chance() % 3 == 0 ? 0 : chance() % 30;
    std::set<std::size_t> served;
    for (std::uint64_t turn = 0; turn < 60; ++turn) {
      const Numbers shares = fair_shares(limit, demands, turn);
      REQUIRE(sum(shares) == limit);
      for (std::size_t node = 0; node < shares.size(); ++node)
        if (shares[node] > 0) served.insert(node);
    }
    if (limit > 0)
      for (std::size_t node = 0; node < demands.size(); ++node) REQUIRE((demands[node] == 0 || served.contains(node)));
  }
}

TEST_CASE("a notice reads back, stays within its bounds, and claims everything when it does not read") {
  Notice notice{.rank = 1, .nodes = 3, .gates = {{42, {{8, 100}, {3, 40}, {7, 0}, at(30s), true}}, {UINT64_MAX, {}}}};
  CHECK(Notice::decode(notice.encode()) == notice);
  std::map<GateId, GateWord> many;
  constexpr std::uint32_t kMost = UINT32_MAX;
  for (GateId id = 0; id < 3000; ++id) many[UINT64_MAX - id] = {{kMost, kMost}, {}, {kMost, kMost}, kNever, true};
  const Notice full = plan("a", many, {{"b", {}}}, 0);
  CHECK(full.gates.size() == kMostGates);
  CHECK(full.encode().size() <= persistence::kLongestNotice);
  for (const std::string& wrong : {std::string("\x07"), std::string("nonsense"), notice.encode() + "x", notice.encode().substr(0, 9)})
    CHECK(Notice::decode(wrong).claim(1, {8, 100}) == Amounts{8, 100});
}

TEST_CASE("whoever is turned away by a gate that has no token at all is not told when to come back") {
  AgentLimits limits;
  limits.rate = RateLimit{1, 1};
  limits.bulkhead = 1;
  Gate gate(limits);
  gate.set_share({0, 0}, at(1h), at(0s));
  CHECK(gate.ask(1, Priority{}, at(0s)).value() == Gate::Entry::waits);
  CHECK(gate.next(at(0s)) == kNever);
  const auto refused = gate.ask(2, Priority{}, at(0s));
  REQUIRE(!refused);
  CHECK(refused.error().code == code::resource_exhausted);
  CHECK_FALSE(refused.error().retry_after_us.has_value());
  gate.set_share({0, 1}, at(1h), at(1s));
  CHECK(gate.advance(at(1s)).go.empty());  // what it is given begins as taken
  CHECK(gate.next(at(1s)) == at(2s));
  CHECK(gate.advance(at(2s)).go == std::vector<Ticket>{1});
}

// --- the exchange -----------------------------------------------------------------------------------------------------

namespace {

constexpr Duration kTtl = 3s;

/// A node that is no more than its lease and a gate, whose rounds happen piece by piece.
class Sharer {
 public:
  Sharer(std::string name, persistence::Store& store, ManualWorld& time, AgentLimits limits)
      : name_(std::move(name)), store_(store), time_(time), limits_(limits),
        shared_(name_, kTtl, time.make_executor(), time.clock(), nullptr) {
    lease_ = store_.acquire(store_.create_private_partition().value(), name_, kTtl, time_.now()).value();
    use();
  }

  /// The next piece of a round: what LeaseKeeper does in one go may be cut by other nodes' pieces at each call of the store.
  void piece() {
    switch (piece_++ % 6) {
      case 0: renew(); break;
      case 1: case 4: seen_ = store_.leases().value(); break;
      case 2: case 5: shared_.hear(seen_, lease_.partition); break;
      case 3: {
        const std::string notice = shared_.say();
        lease_.notice = notice;
        renew();
        break;
      }
    }
  }
  void call() {
    const auto entry = gate_->enter(Priority{}, [this](Ticket ticket, Status answer) {
      if (answer) going_.push_back(ticket);
      --waiting_;
    });
    if (!entry.answer) ++waiting_;
    if (entry.answer && *entry.answer) going_.push_back(entry.ticket);
  }
  void end_one() {
    if (going_.empty()) return;
    const Ticket ended = going_.back();
    going_.pop_back();
    gate_->end(ended);
  }
  /// Its calls end with its lease: nobody waits for a node that is not heard of.
  void expire() {
    if (time_.now() < lease_.expires) return;
    while (!going_.empty()) end_one();
  }
  std::size_t going() const { return going_.size(); }
  std::size_t waiting() const { return waiting_; }
  bool has_gate() const { return gate_ != nullptr; }

 private:
  void use() { gate_ = shared_.make({"agent", "", 1}, limits_); }
  void renew() {
    if (const auto renewed = store_.renew(lease_, kTtl, time_.now())) lease_.expires = renewed->expires;
  }

  const std::string name_;
  persistence::Store& store_;
  ManualWorld& time_;
  const AgentLimits limits_;
  SharedLimits shared_;
  persistence::Lease lease_;
  std::vector<persistence::Lease> seen_;
  std::shared_ptr<AgentGate> gate_;
  std::vector<Ticket> going_;
  std::size_t waiting_ = 0;
  unsigned piece_ = 0;
};

}  // namespace

TEST_CASE("whatever the order of events, calls under way at all living nodes never exceed the limit") {
  for (unsigned seed = 1; seed <= 150; ++seed) {
    CAPTURE(seed);
    Dice chance(seed);
    ManualWorld time(at(0s));
    const auto store = persistence::make_memory_store({1});
    AgentLimits limits;
    limits.max_concurrent = 1 + chance() % 9;
    std::map<std::string, std::unique_ptr<Sharer>> nodes;
    std::map<std::string, Timestamp> frozen;
    std::size_t most = 0;
    for (int step = 0; step < 4000; ++step) {
      const std::string name(1, static_cast<char>('a' + chance() % 4));
      auto& node = nodes[name];
      const auto what = chance() % 1000;
      if (!node) {
        if (what < 50) node = std::make_unique<Sharer>(name, *store, time, limits);
      } else if (what < 3) {
        node.reset();
      } else if (what < 6) {
        frozen[name] = time.now() + Duration(chance() % 10'000'000);
      } else if (frozen[name] > time.now()) {
      } else if (what < 500) {
        node->piece();
      } else if (what < 800) {
        if (node->waiting() < 5) node->call();
      } else {
        node->end_one();
      }
      time.advance(Duration(chance() % 40'000));
      std::size_t going = 0;
      for (auto& [_, each] : nodes) {
        if (!each) continue;
        each->expire();
        going += each->going();
      }
      most = std::max(most, going);
      REQUIRE(going <= *limits.max_concurrent);
    }
    CHECK(most == *limits.max_concurrent);  // and it is made use of
  }
}

TEST_CASE("over any span, all nodes together make no more calls than burst + rate · span") {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    Dice chance(seed);
    ManualWorld time(at(0s));
    const auto store = persistence::make_memory_store({1});
    AgentLimits limits;
    limits.rate = RateLimit{3.0 + chance() % 5, static_cast<std::uint32_t>(1 + chance() % 12)};
    std::map<std::string, std::unique_ptr<Sharer>> nodes;
    for (const char* name : {"a", "b", "c"}) nodes[name] = std::make_unique<Sharer>(name, *store, time, limits);
    std::vector<Timestamp> made;
    for (int step = 0; step < 3000; ++step) {
      Sharer& node = *nodes[std::string(1, static_cast<char>('a' + chance() % 3))];
      if (chance() % 2 == 0) node.piece();
      else if (node.waiting() < 3 && chance() % 3 == 0) node.call();
      time.advance(Duration(chance() % 40'000));
      for (auto& [_, each] : nodes)
        for (; each->going() > 0; each->end_one()) made.push_back(time.now());
    }
    for (std::size_t first = 0; first < made.size(); ++first)
      for (std::size_t last = first; last < made.size(); ++last) {
        const double seconds = static_cast<double>((made[last] - made[first]).count()) / 1e6 + 0.04;  // seen at the end of a step
        REQUIRE(static_cast<double>(last - first + 1) <= limits.rate->burst + seconds * limits.rate->per_second + 1e-6);
      }
    const double whole = static_cast<double>((time.now() - at(0s)).count()) / 1e6 * limits.rate->per_second;
    CHECK(static_cast<double>(made.size()) > 0.25 * std::min(whole, 3000.0 / 6));
  }
}

// --- nodes ------------------------------------------------------------------------------------------------------------

namespace {

struct Nodes {
  explicit Nodes(std::string_view limits, const std::vector<std::string>& names = {"a", "b", "c"}) {
    world.add(definition("id: it\nagents: { a: { queue: work, " + std::string(limits) + " } }\nsteps:\n  - { id: s, type: message, "
                         "destination: a, action: go, data: { n: 1 } }"));
    for (const std::string& name : names) world.node(name);
    world.time.advance(20s);
  }
  /// Starts instances in partitions that the node has.
  void start(const std::string& node, int count) {
    const auto leases = world.store->leases().value();
    while (count > 0) {
      const std::string id = node + std::to_string(++last_);
      if (leases[world.partition_of(id).value].node != node) continue;
      world.start(id, "it", {}, node);
      --count;
    }
    world.time.run_ready();
  }
  std::size_t under_way(std::string_view node = {}) const {
    return static_cast<std::size_t>(std::ranges::count_if(world.agents->calls, [&](const ScriptedAgents::Call& call) {
      return call.envelope.instance_id.starts_with(node);
    }));
  }
  /// Lets time pass and answers nothing, looking all the time.
  bool never_more_than(std::size_t most, Duration span) {
    bool kept = true;
    for (Duration passed{}; passed < span; passed += 50ms) {
      world.time.advance(50ms);
      kept &= under_way() <= most;
    }
    return kept;
  }
  void answer_all_of(std::string_view node) {
    std::vector<AgentDone> dones;
    for (auto call = world.agents->calls.begin(); call != world.agents->calls.end();) {
      if (!call->envelope.instance_id.starts_with(node)) {
        ++call;
        continue;
      }
      dones.push_back(std::move(call->done));
      call = world.agents->calls.erase(call);
    }
    for (AgentDone& done : dones) done(mapflow::Reply{Value(1), std::nullopt});
    world.time.run_ready();
  }

  World world{12};

 private:
  int last_ = 0;
};

}  // namespace

TEST_CASE("three nodes together make no more calls than max_concurrent, each a part of it at once") {
  Nodes nodes("max_concurrent: 7");
  for (const char* name : {"a", "b", "c"}) nodes.start(name, 10);
  CHECK(nodes.under_way("a") == 3);
  CHECK(nodes.under_way("b") == 2);
  CHECK(nodes.under_way("c") == 2);
  CHECK(nodes.never_more_than(7, 60s));
  CHECK(nodes.under_way() == 7);
}

TEST_CASE("slots move to the node that has demand within the time of a lease, and back") {
  Nodes nodes("max_concurrent: 7");
  nodes.start("b", 20);
  CHECK(nodes.under_way() == 2);
  CHECK(nodes.never_more_than(7, 5s));
  CHECK(nodes.under_way() == 5);  // each of the others keeps one, to begin at once

  nodes.start("a", 5);
  CHECK(nodes.under_way("a") == 1);
  CHECK(nodes.never_more_than(7, 5s));
  CHECK(nodes.under_way("a") == 1);  // for what is under way counts where it is
  nodes.answer_all_of("b");
  CHECK(nodes.never_more_than(7, 5s));
  CHECK(nodes.under_way("a") == 3);
  CHECK(nodes.under_way() >= 6);
}

TEST_CASE("of fewer slots than nodes everybody gets a turn") {
  Nodes nodes("max_concurrent: 1");
  for (const char* name : {"a", "b", "c"}) nodes.start(name, 200);
  std::map<char, int> served;
  for (int i = 0; i < 1500; ++i) {
    REQUIRE(nodes.never_more_than(1, 100ms));
    if (nodes.under_way() == 0) continue;
    ++served[nodes.world.agents->calls.front().envelope.instance_id.front()];
    nodes.answer_all_of({});
  }
  CHECK(served.size() == 3);
  int all = 0;
  for (const auto& [_, count] : served) all += count;
  CHECK(all >= 450);  // the slot is on its way for a small part of the time only
}

TEST_CASE("what a dead node had comes back after its lease, and not before") {
  Nodes nodes("max_concurrent: 6", {"a", "b"});
  nodes.start("a", 3);
  nodes.start("b", 10);
  CHECK(nodes.under_way("a") == 3);
  nodes.world.crash("a");
  CHECK(nodes.never_more_than(6, 3s));
  CHECK(nodes.under_way("b") == 3);
  nodes.world.time.advance(9s);
  std::erase_if(nodes.world.agents->calls, [first = std::set<std::string>()](const ScriptedAgents::Call& call) mutable {
    return call.envelope.instance_id.starts_with("a") && first.insert(call.envelope.instance_id).second;
  });  // what the dead one was waiting for
  CHECK(nodes.under_way() == 6);
}

TEST_CASE("a node that joins has nothing until the others know of it") {
  Nodes nodes("max_concurrent: 4", {"a"});
  nodes.start("a", 10);
  CHECK(nodes.under_way() == 4);
  nodes.world.node("b");
  CHECK(nodes.never_more_than(4, 10s));
  nodes.start("b", 10);
  CHECK(nodes.never_more_than(4, 5s));
  CHECK(nodes.under_way("b") == 0);
  nodes.answer_all_of("a");
  CHECK(nodes.never_more_than(4, 10s));
  CHECK(nodes.under_way() == 4);
  for (int i = 0; i < 10; ++i) {
    nodes.answer_all_of({});
    CHECK(nodes.never_more_than(4, 3s));
  }
  CHECK(std::ranges::any_of(nodes.world.agents->seen, [](const Envelope& each) { return each.instance_id.starts_with("b"); }));
}

TEST_CASE("a node alone writes no more than its renewals, however busy its agents are") {
  Nodes nodes("max_concurrent: 4, rate_limit: 5/s", {"a"});
  int renewals = 0, looks = 0;
  nodes.world.faults = [&](const persistence::StoreOperation& operation) {
    if (operation.call == persistence::StoreCall::renew) ++renewals;
    if (operation.call == persistence::StoreCall::leases) ++looks;
    return persistence::StoreDecision{};
  };
  for (int i = 0; i < 40; ++i) {
    nodes.start("a", 1 + i % 3);
    nodes.world.time.advance(500ms);
    nodes.answer_all_of("a");
  }
  CHECK(looks >= 12);
  CHECK(looks <= 14);
  CHECK(renewals == looks * 13);  // twelve shared partitions and one of its own
}

TEST_CASE("without word from the store no more calls begin once the lease has run out") {
  Nodes nodes("max_concurrent: 4", {"a"});
  nodes.start("a", 10);
  nodes.world.faults = [](const persistence::StoreOperation& operation) {
    const bool down = operation.call == persistence::StoreCall::renew;
    return persistence::StoreDecision{down ? persistence::StoreFault::error_before : persistence::StoreFault::none};
  };
  nodes.world.time.advance(6s);
  nodes.answer_all_of("a");
  CHECK(nodes.under_way() == 0);
  nodes.world.faults = nullptr;
  nodes.world.time.advance(3s);
  CHECK(nodes.under_way() == 4);
}

TEST_CASE("a circuit that one node opened is open for all, until the same time, and each probes for itself") {
  Nodes nodes("circuit_breaker: { failure_threshold: 2, window: 1m, open_for: 30s, probes: 1 }", {"a", "b"});
  nodes.start("a", 2);
  for (int i = 0; i < 2; ++i) nodes.world.agents->answer(fail(code::unavailable, "no"));
  nodes.world.time.run_ready();
  nodes.start("b", 1);
  CHECK(nodes.under_way("b") == 1);  // it has not heard of it yet
  nodes.answer_all_of("b");
  nodes.world.time.advance(4s);
  nodes.start("b", 1);
  CHECK(nodes.under_way("b") == 0);
  nodes.world.time.advance(27s);
  nodes.start("b", 2);
  CHECK(nodes.under_way("b") == 1);
  nodes.answer_all_of("b");
  nodes.start("b", 2);
  CHECK(nodes.under_way("b") == 2);
}
