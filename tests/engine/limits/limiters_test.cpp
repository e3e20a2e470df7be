// The pure state machines behind an agent's limits, told the time by tables.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "engine/limits/gate.h"

using namespace mapflow;
using namespace mapflow::engine;
using namespace std::chrono_literals;

namespace {

Timestamp at(Duration since) { return from_micros(1'700'000'000'000'000) + since; }

using State = CircuitBreaker::State;

}  // namespace

TEST_CASE("rates are read in every spelling, and a burst is what the rate allows in its own span") {
  struct Row { const char* text; double per_second; std::uint32_t burst; };
  for (const Row& row : {Row{"50/s", 50, 50}, Row{"100/m", 100.0 / 60, 100}, Row{"0.5/m", 0.5 / 60, 1}, Row{"7200/h", 2, 7200}}) {
    CAPTURE(row.text);
    const auto rate = parse_rate(row.text);
    REQUIRE(rate);
    CHECK(rate->per_second == doctest::Approx(row.per_second));
    CHECK(rate->burst == row.burst);
  }
  for (const char* wrong : {"", "50", "/s", "-1/s", "0/s", "5/w", "nan/s", "inf/s"}) CHECK_FALSE(parse_rate(wrong));
  const auto read = read_agent_limits(object({{"rate_limit", object({{"rate", 30}, {"per", "1m"}, {"burst", 2}})}}));
  REQUIRE(read);
  CHECK(read->rate->per_second == doctest::Approx(0.5));
  CHECK(read->rate->burst == 2);
  CHECK_FALSE(read_agent_limits(object({{"max_concurrent", 0}})));
  CHECK_FALSE(read_agent_limits(object({{"circuit_breaker", object({{"window", "soon"}})}})));
}

TEST_CASE("a bucket gives its burst at once and then one token at a time") {
  TokenBucket bucket({10, 3});
  for (int i = 0; i < 3; ++i) CHECK(bucket.take(at(0s)));
  CHECK_FALSE(bucket.take(at(0s)));
  CHECK(bucket.next(at(0s)) == at(100ms));
  CHECK_FALSE(bucket.take(at(99'999us)));
  CHECK(bucket.take(at(100ms)));
  CHECK_FALSE(bucket.take(at(100ms)));
  CHECK_FALSE(bucket.take(at(50ms)));  // a clock that goes back gives nothing away
  CHECK(bucket.full(at(10s)));
  for (int i = 0; i < 3; ++i) CHECK(bucket.take(at(1h)));  // an hour of rest is worth no more than the burst
  CHECK_FALSE(bucket.take(at(1h)));
}

TEST_CASE("over any span a bucket gives no more than burst + rate · span") {
  for (const RateLimit limit : {RateLimit{3, 1}, RateLimit{7, 7}, RateLimit{0.3, 2}, RateLimit{1000, 5}}) {
    TokenBucket bucket(limit);
    std::vector<double> taken;
    Timestamp now = at(0s);
    for (int i = 0; i < 2000; ++i) {
      if (bucket.take(now)) taken.push_back(static_cast<double>((now - at(0s)).count()) / 1e6);
      else now = bucket.next(now);
    }
    CHECK(taken.size() > 900);  // waiting until next() is always long enough
    for (std::size_t first = 0; first < taken.size(); first += 17)
      for (std::size_t last = first; last < taken.size(); last += 13)
        CHECK(static_cast<double>(last - first + 1) <= limit.burst + limit.per_second * (taken[last] - taken[first]) + 1e-6);
  }
}

TEST_CASE("a circuit opens at the threshold within the window, and not by older failures") {
  CircuitBreaker breaker({3, 10s, 30s, 1});
  struct Row { Duration when; Verdict verdict; State after; };
  for (const Row& row : {Row{0s, Verdict::failure, State::closed}, Row{5s, Verdict::failure, State::closed},
                         Row{11s, Verdict::failure, State::closed},  // the first is out of the window by now
                         Row{12s, Verdict::success, State::closed}, Row{13s, Verdict::none, State::closed},
                         Row{14s, Verdict::failure, State::open}}) {
    CAPTURE(row.when.count());
    REQUIRE(breaker.admit(at(row.when)));
    breaker.ended(breaker.phase(), row.verdict, at(row.when));
    CHECK(breaker.state() == row.after);
  }
  CHECK_FALSE(breaker.admit(at(43s)));
  CHECK(breaker.open_until() == at(44s));
  CHECK(breaker.admit(at(44s)));
  CHECK(breaker.state() == State::half_open);
}

TEST_CASE("an open circuit lets through as many probes as it needs, and their outcomes decide") {
  CircuitBreaker breaker({1, 10s, 30s, 2});
  REQUIRE(breaker.admit(at(0s)));
  const auto before = breaker.phase();
  breaker.ended(before, Verdict::failure, at(0s));
  REQUIRE(breaker.state() == State::open);

  CHECK(breaker.admit(at(30s)));
  CHECK(breaker.admit(at(30s)));
  CHECK_FALSE(breaker.admit(at(30s)));
  const auto probing = breaker.phase();
  SUBCASE("one failure opens it again, for the full time") {
    breaker.ended(probing, Verdict::success, at(31s));
    breaker.ended(probing, Verdict::failure, at(32s));
    CHECK(breaker.state() == State::open);
    CHECK(breaker.open_until() == at(62s));
  }
  SUBCASE("all successes close it") {
    breaker.ended(probing, Verdict::success, at(31s));
    CHECK(breaker.state() == State::half_open);
    CHECK_FALSE(breaker.admit(at(31s)));  // one proven, one under way: two are enough
    breaker.ended(probing, Verdict::success, at(32s));
    CHECK(breaker.state() == State::closed);
    CHECK(breaker.fresh());
  }
  SUBCASE("a probe that says nothing gives its chance to another") {
    breaker.ended(probing, Verdict::none, at(31s));
    CHECK(breaker.admit(at(31s)));
  }
  SUBCASE("what was under way before it opened says nothing") {
    breaker.ended(before, Verdict::success, at(31s));
    breaker.ended(before, Verdict::failure, at(31s));
    CHECK(breaker.state() == State::half_open);
    CHECK_FALSE(breaker.admit(at(31s)));
  }
}

TEST_CASE("a line goes by priority, until waiting outweighs it") {
  WaitingLine<std::string> line(10s);
  line.join("low at 0", 0, at(0s));
  line.join("critical at 29", 3, at(29s));
  line.join("critical at 31", 3, at(31s));
  line.join("medium at 5", 1, at(5s));
  const auto left = line.join("gone", 3, at(0s));
  line.join("medium at 5, later", 1, at(5s));
  line.leave(left);
  std::vector<std::string> order;
  for (; line.first(); line.pop()) order.push_back(*line.first());
  CHECK(order == std::vector<std::string>{"medium at 5", "medium at 5, later", "critical at 29", "low at 0", "critical at 31"});
}

TEST_CASE("a gate lets so many go at once, the others wait and then are turned away") {
  AgentLimits limits;
  limits.max_concurrent = 2;
  limits.bulkhead = 2;
  Gate gate(limits);
  using enum Gate::Entry;
  CHECK(*gate.ask(1, Priority::medium, at(0s)) == goes);
  CHECK(*gate.ask(2, Priority::medium, at(0s)) == goes);
  CHECK(*gate.ask(3, Priority::low, at(0s)) == waits);
  CHECK(*gate.ask(4, Priority::high, at(1s)) == waits);
  const auto fifth = gate.ask(5, Priority::critical, at(1s));
  REQUIRE_FALSE(fifth);
  CHECK(fifth.error().is(code::resource_exhausted));
  CHECK(fifth.error().retryable == true);
  CHECK(gate.advance(at(2s)).go.empty());
  gate.end(1, at(2s));
  CHECK(gate.advance(at(2s)).go == std::vector<Ticket>{4});  // more urgent
  gate.leave(3, at(3s));
  gate.end(2, at(3s));
  CHECK(gate.advance(at(3s)).go.empty());
  CHECK(gate.going() == 1);
  CHECK(gate.waiting() == 0);
  gate.end(4, at(3s));
  CHECK(gate.at_rest(at(3s)));
}

TEST_CASE("a gate with a rate says when it wants to be looked at again") {
  AgentLimits limits;
  limits.rate = RateLimit{2, 1};
  limits.max_concurrent = 2;
  Gate gate(limits);
  REQUIRE(*gate.ask(1, Priority::medium, at(0s)) == Gate::Entry::goes);
  CHECK(gate.next(at(0s)) == kNever);  // nobody waits
  REQUIRE(*gate.ask(2, Priority::medium, at(0s)) == Gate::Entry::waits);
  REQUIRE(*gate.ask(3, Priority::medium, at(0s)) == Gate::Entry::waits);
  CHECK(gate.next(at(0s)) == at(500ms));
  CHECK(gate.advance(at(400ms)).go.empty());
  CHECK(gate.advance(at(500ms)).go == std::vector<Ticket>{2});
  CHECK(gate.next(at(500ms)) == kNever);  // both slots are taken: time alone does not help
  gate.end(1, at(2s));
  CHECK(gate.advance(at(2s)).go == std::vector<Ticket>{3});
}

TEST_CASE("a gate whose circuit opens turns away who waits") {
  AgentLimits limits;
  limits.max_concurrent = 1;
  limits.breaker = BreakerPolicy{1, 1min, 30s, 1};
  Gate gate(limits);
  REQUIRE(gate.ask(1, Priority::medium, at(0s)));
  REQUIRE(gate.ask(2, Priority::medium, at(0s)));
  gate.judge(1, Verdict::failure, at(1s));
  CHECK(gate.advance(at(1s)).turned_away == std::vector<Ticket>{2});
  const auto refused = gate.ask(3, Priority::critical, at(11s));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().is(code::circuit_open));
  CHECK(refused.error().retry_after_us == Duration(20s).count());
  // The call that failed still holds its slot: the probe waits for it.
  CHECK(*gate.ask(4, Priority::medium, at(31s)) == Gate::Entry::waits);
  CHECK_FALSE(gate.ask(5, Priority::medium, at(31s)));  // one probe is enough
  gate.end(1, at(32s));
  CHECK(gate.advance(at(32s)).go == std::vector<Ticket>{4});
  gate.judge(4, Verdict::success, at(33s));
  gate.end(4, at(33s));
  CHECK(gate.circuit() == State::closed);
}

TEST_CASE("a probe that gives up in line lets another one try") {
  AgentLimits limits;
  limits.rate = RateLimit{1, 1};
  limits.breaker = BreakerPolicy{1, 1min, 1s, 1};
  Gate gate(limits);
  REQUIRE(gate.ask(1, Priority::medium, at(0s)));
  gate.judge(1, Verdict::failure, at(0s));
  gate.end(1, at(0s));
  REQUIRE(*gate.ask(2, Priority::medium, at(1s)) == Gate::Entry::goes);
  gate.end(2, at(1s));  // without a word
  REQUIRE(*gate.ask(3, Priority::medium, at(1s)) == Gate::Entry::waits);
  CHECK_FALSE(gate.ask(4, Priority::medium, at(1s)));
  gate.leave(3, at(1s));
  CHECK(*gate.ask(5, Priority::medium, at(2s)) == Gate::Entry::goes);
}

namespace {

/// A crowd of random calls against one gate, and a plain account of what the limits allow.
class Account {
 public:
  Account(const AgentLimits& limits, std::uint64_t seed) : limits_(limits), gate_(limits), random_(seed) {}

  void run(int moves) {
    for (int i = 0; i < moves; ++i) {
      now_ += Duration(random_() % 400'000);
      switch (random_() % 4) {
        case 0:
        case 1: ask(); break;
        case 2: finish(); break;
        default: give_up(); break;
      }
      settle();
    }
    for (int rest = 0; !going_.empty() || !waiting_.empty(); ++rest) {  // everybody comes to an end
      REQUIRE(rest < 100'000);
      now_ = std::max(now_ + 1us, going_.empty() ? gate_.next(now_) : now_);
      if (!going_.empty()) finish();
      settle();
    }
    CHECK(asked_ == gone_ + turned_away_ + given_up_);
  }

 private:
  void ask() {
    const Ticket ticket = ++asked_;
    const auto state = gate_.circuit();
    const auto entry = gate_.ask(ticket, static_cast<Priority>(random_() % 4), now_);
    if (!entry) {
      ++turned_away_;
      if (entry.error().is(code::circuit_open)) CHECK(limits_.breaker);
      else CHECK(waiting_.size() >= limits_.bulkhead.value_or(0));
      return;
    }
    if (state == State::open) CHECK(now_ >= open_until_);  // it is a probe
    if (*entry == Gate::Entry::goes) go(ticket);
    else waiting_.push_back(ticket);
  }
  void go(Ticket ticket) {
    going_.push_back(ticket);
    ++gone_;
    if (limits_.max_concurrent) CHECK(going_.size() <= *limits_.max_concurrent);
    if (limits_.breaker && gate_.circuit() == State::half_open) CHECK(++probes_ <= limits_.breaker->probes + passed_);
    if (!limits_.rate) return;
    taken_.push_back(now_);
    for (std::size_t first = 0; first < taken_.size(); ++first)
      CHECK(static_cast<double>(taken_.size() - first) <=
            limits_.rate->burst + limits_.rate->per_second * static_cast<double>((now_ - taken_[first]).count()) / 1e6 + 1e-6);
  }
  void finish() {
    if (going_.empty()) return;
    const std::size_t which = random_() % going_.size();
    const Ticket ticket = going_[which];
    going_.erase(going_.begin() + static_cast<std::ptrdiff_t>(which));
    const auto verdict = static_cast<Verdict>(random_() % 3);
    const auto before = gate_.circuit();
    gate_.judge(ticket, verdict, now_);
    gate_.end(ticket, now_);
    if (before != State::open && gate_.circuit() == State::open) {
      open_until_ = now_ + limits_.breaker->open_for;
      probes_ = passed_ = 0;
    }
    if (before == State::half_open && gate_.circuit() == State::half_open) ++passed_;  // one more may be let through
  }
  void give_up() {
    if (waiting_.empty()) return;
    gate_.leave(waiting_.back(), now_);
    waiting_.pop_back();
    ++given_up_;
    if (gate_.circuit() == State::half_open) ++passed_;
  }
  void settle() {
    const auto moved = gate_.advance(now_);
    for (const Ticket ticket : moved.turned_away) {
      CHECK(gate_.circuit() == State::open);
      std::erase(waiting_, ticket);
      ++turned_away_;
    }
    for (const Ticket ticket : moved.go) {
      std::erase(waiting_, ticket);
      go(ticket);
    }
    CHECK(gate_.going() == going_.size());
    CHECK(gate_.waiting() == waiting_.size());
  }

  const AgentLimits limits_;
  Gate gate_;
  std::mt19937_64 random_;
  Timestamp now_ = at(0s);
  Timestamp open_until_{};
  std::vector<Ticket> going_, waiting_;
  std::vector<Timestamp> taken_;
  std::uint64_t asked_ = 0, gone_ = 0, turned_away_ = 0, given_up_ = 0, probes_ = 0, passed_ = 0;
};

}  // namespace

TEST_CASE("whatever a crowd does, a gate keeps every limit and lets everybody through in the end") {
  for (std::uint64_t seed = 1; seed <= 64; ++seed) {
    CAPTURE(seed);
    AgentLimits limits;
    if (seed & 1) limits.max_concurrent = static_cast<std::uint32_t>(1 + seed % 5);
    if (seed & 2) limits.rate = RateLimit{0.5 + static_cast<double>(seed % 7), static_cast<std::uint32_t>(1 + seed % 3)};
    if (seed & 4) limits.breaker = BreakerPolicy{static_cast<std::uint32_t>(1 + seed % 3), 10s, 3s, static_cast<std::uint32_t>(1 + seed % 2)};
    if (seed & 8) limits.bulkhead = static_cast<std::uint32_t>(seed % 6);
    Account(limits, seed).run(300);
  }
}
