// Several nodes on one PostgreSQL, on one Redis, and on a cluster of them: they join, share the work, leave, and die.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>

#include "engine/engine.h"
#include "engine/world.h"
#include "support/child_process.h"
#include "support/postgres_server.h"
#include "support/redis_server.h"

using namespace mapflow;
using namespace std::chrono_literals;
using mapflow::testing::ChildProcess;
using mapflow::testing::shared_postgres;
using mapflow::testing::shared_redis;
using mapflow::testing::shared_redis_cluster;

namespace {

constexpr auto kDeadline = 60s;
constexpr Duration kLease = 1500ms;

constexpr std::string_view kApproval = R"(
id: approval
steps:
  - { id: ask, type: wait, signal: approved }
)";

std::string fresh_name() {
  static int names = 0;
  return "nodes_" + std::to_string(++names);
}

/// A store in it, which no other test uses.
struct Postgres {
  std::string schema = fresh_name(), url = shared_postgres().url("schema=" + schema);

  void check_steps(std::string_view expected) const {
    CHECK(shared_postgres().sql("SELECT count(*), count(DISTINCT instance) FROM " + schema + ".mapflow_steps"
                                " WHERE workflow = 'approval' AND path = 'ask' AND state = 'completed'") == expected);
  }
};
struct Redis {
  std::string url = shared_redis().url("prefix=" + fresh_name());
  void check_steps(std::string_view) const {}  // there is no asking for steps
};
struct Cluster {
  std::string url = shared_redis_cluster().url("prefix=" + fresh_name());
  void check_steps(std::string_view) const {}
};

std::unique_ptr<Engine> node(const std::string& store, const std::string& name) {
  auto engine = std::make_unique<Engine>(EngineOptions{.store = store, .node = name, .shards = 1, .lease = kLease});
  REQUIRE(engine->add(mapflow::testing::definition(kApproval)));
  REQUIRE(engine->serve());
  return engine;
}

/// How many shared partitions the node has now.
std::ptrdiff_t share(Engine& seen_by, std::string_view name) {
  const auto leases = seen_by.store().leases();
  REQUIRE(leases);
  const Timestamp now = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  return std::ranges::count_if(*leases, [&](const persistence::Lease& lease) {
    return lease.node == name && lease.expires > now && lease.partition.value < seen_by.store().shared_partitions();
  });
}

template <class Condition>
Duration wait_until(const Condition& holds) {
  const auto start = std::chrono::steady_clock::now();
  while (!holds()) REQUIRE(std::chrono::steady_clock::now() - start < kDeadline);
  return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - start);
}

/// Signals every instance through the engine, wherever it runs, and waits for all ends.
void approve_all(Engine& engine, const std::vector<std::string>& ids) {
  for (const std::string& id : ids) {
    Result<Run> run = fail(code::unavailable, "not tried yet");
    wait_until([&] {
      run = engine.attach(id);
      return run.has_value();
    });
    const auto told = run->signal("approved", Value("yes"));
    REQUIRE_MESSAGE(told, told.error().to_string());
  }
  for (const std::string& id : ids) {
    const auto outcome = engine.attach(id)->wait(kDeadline);
    REQUIRE_MESSAGE(outcome, outcome.error().to_string());
    CHECK(outcome->find("state")->as_text() == "completed");
  }
}

}  // namespace

TEST_CASE_TEMPLATE("nodes that join get their share of the partitions, and give it back within a second when they leave", Place, Postgres, Redis, Cluster) {
  const Place place;
  const auto one = node(place.url, "one");
  wait_until([&] { return share(*one, "one") == 8; });
  auto two = node(place.url, "two");
  wait_until([&] { return share(*one, "one") == 4 && share(*one, "two") == 4; });
  auto three = node(place.url, "three");
  wait_until([&] { return share(*one, "three") >= 2 && share(*one, "one") <= 3; });
  std::vector<std::string> ids;
  for (int number = 0; number < 24; ++number) {
    ids.push_back("i" + std::to_string(number));
    REQUIRE(two->start("approval", {.id = ids.back()}));
  }
  const auto start = std::chrono::steady_clock::now();
  two.reset();
  CHECK(share(*one, "two") == 0);
  CHECK(std::chrono::steady_clock::now() - start < 1s);
  three.reset();
  wait_until([&] { return share(*one, "one") == 8; });
  approve_all(*one, ids);
}

TEST_CASE_TEMPLATE("a signal reaches an instance that another node runs, and its end comes back", Place, Postgres, Redis, Cluster) {
  const Place place;
  const auto one = node(place.url, "one"), two = node(place.url, "two");
  wait_until([&] { return share(*one, "one") == 4 && share(*one, "two") == 4; });
  std::vector<std::string> ids;
  for (int number = 0; number < 16; ++number) {  // on eight partitions, so both nodes run some
    ids.push_back("i" + std::to_string(number));
    REQUIRE(one->start("approval", {.id = ids.back()}));
  }
  approve_all(*two, ids);
  place.check_steps("16|16");
}

TEST_CASE_TEMPLATE("what a killed node ran goes on elsewhere within the lease time, with everything it had promised", Place, Postgres, Redis, Cluster) {
  const Place place;
  ChildProcess victim([&](const ChildProcess::Report& report) {
    const auto engine = node(place.url, "victim");
    for (int number = 0;; ++number) {
      const std::string id = "i" + std::to_string(number);
      if (engine->start("approval", {.id = id})) report(id);
    }
  });
  std::vector<std::string> ids;
  for (std::string id; ids.size() < 40 && victim.next_line(id);) ids.push_back(id);
  const auto two = node(place.url, "two"), three = node(place.url, "three");
  wait_until([&] { return share(*two, "two") >= 2 && share(*two, "three") >= 2; });
  victim.kill();
  const Duration takeover = wait_until([&] { return share(*two, "two") + share(*two, "three") == 8; });
  CHECK(takeover < kLease + kLease / 3 + 1s);  // it expires, and is seen to have in the next round
  for (std::string id; victim.next_line(id);) ids.push_back(id);
  CHECK(victim.wait() == -9);
  ids.erase(ids.begin() + 40, ids.end() - std::min<std::ptrdiff_t>(40, std::ssize(ids) - 40));  // the first and the last
  approve_all(*three, ids);
}
