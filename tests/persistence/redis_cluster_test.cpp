// A store on a real Redis Cluster whose servers die, and whose slots move; and on servers that a sentinel watches.
#include <doctest/doctest.h>

#include "persistence/helpers.h"
#include "persistence/server_checks.h"
#include "persistence/store.h"
#include "support/redis_server.h"

using namespace mapflow;
using namespace mapflow::persistence;
using namespace mapflow::persistence::testing;
using mapflow::testing::RedisCluster;
using mapflow::testing::RedisSentinel;
using mapflow::testing::RedisServer;
using mapflow::testing::shared_redis;
using mapflow::testing::shared_redis_cluster;

namespace {

/// A beginning for keys that no other test uses.
std::string fresh_name() {
  static int names = 0;
  return "cluster_" + std::to_string(++names);
}

void write_everywhere(Store& store, const std::string& text) {
  for (std::uint32_t partition = 0; partition < 8; ++partition) {
    const Lease lease = acquire(store, Partition(partition));
    const auto position = commit(store, log_commit(lease, text));
    REQUIRE_MESSAGE(position, position.error().to_string());
  }
}

}  // namespace

TEST_CASE("commits that wait for a Redis Cluster share calls, and what is posted to it is hinted at") {
  check_shared_transactions(shared_redis_cluster().url("prefix=" + fresh_name()));
  check_hints(shared_redis_cluster().url("prefix=" + fresh_name()));
  check_made_at_once(shared_redis_cluster().url("prefix=" + fresh_name()));
}

TEST_CASE("a partition whose slot moves to another server of the cluster is written on, whole and in order") {
  RedisCluster& cluster = shared_redis_cluster();
  const std::string name = fresh_name();
  Outcomes outcomes;  // outlives the store
  const auto store = open_or_fail(cluster.url("patience=60&prefix=" + name));
  const Lease lease = acquire(*store, Partition(0));
  int number = 0;
  std::vector<std::string> expected;
  const auto write_some = [&] {
    for (int end = number + 5; number < end; ++number) {
      Commit commit = log_commit(lease, std::to_string(number));
      commit.rows = {row("i" + std::to_string(number % 7), Partition(0), static_cast<std::uint64_t>(number))};
      commit.rows.front().state = number % 2 ? "running" : "waiting";
      commit.history = {{"i" + std::to_string(number), 1, 1, "records"}};
      store->commit(std::move(commit), outcomes.done(number));
      expected.push_back(std::to_string(number));
    }
  };
  write_some();
  outcomes.wait(5);
  cluster.move_slot_of(name + ":{p0}", write_some);
  for (const auto& [which, outcome] : outcomes.wait(static_cast<std::size_t>(number))) {
    REQUIRE_MESSAGE(outcome, outcome.error().to_string());
    CHECK(outcome->value == static_cast<std::uint64_t>(which) + 1);
  }
  CHECK(log_texts(*store, Partition(0)) == expected);
  const auto stranger = open_or_fail(cluster.url("prefix=" + name));
  CHECK(log_texts(*stranger, Partition(0)) == expected);
  CHECK(stranger->list({})->rows.size() == 7);
  CHECK(stranger->list({.state = "running"})->rows.size() + stranger->list({.state = "waiting"})->rows.size() == 7);
}

TEST_CASE("when a primary of the cluster dies its replica goes on, with everything that was to be on it") {
  RedisCluster cluster;
  const auto store = open_or_fail(cluster.url("patience=60&replicas=1"));
  CHECK(store->durable());
  write_everywhere(*store, "before");
  const std::size_t victim = cluster.server_of("mapflow:{p0}");
  cluster.server(victim).kill();
  for (std::uint32_t partition = 0; partition < 8; ++partition)
    CHECK(log_texts(*store, Partition(partition)) == std::vector<std::string>{"before"});
  cluster.server(victim).start();  // now a replica: without one nothing counts as written
  cluster.wait_until_whole();
  write_everywhere(*store, "after");
  for (std::uint32_t partition = 0; partition < 8; ++partition)
    CHECK(log_texts(*store, Partition(partition)) == std::vector<std::string>{"before", "after"});
}

TEST_CASE("when a primary dies that a sentinel watches, its replica goes on") {
  RedisSentinel watched;
  CHECK(open_or_fail(watched.url("replicas=1"))->durable());
  const auto store = open_or_fail(watched.url("patience=60"));
  CHECK_FALSE(store->durable());
  CHECK(store->durability_risk().find("replicas=1") != std::string::npos);
  write_everywhere(*store, "before");
  watched.primary().command("WAIT 1 10000");
  watched.primary().kill();
  write_everywhere(*store, "after");
  for (std::uint32_t partition = 0; partition < 8; ++partition)
    CHECK(log_texts(*store, Partition(partition)) == std::vector<std::string>{"before", "after"});
  check_refused("redis+sentinel://127.0.0.1", code::invalid_input, "/NAME");
}

TEST_CASE("nothing acknowledged is lost when a replica takes over in the middle of commits that wait for it") {
  RedisSentinel watched;
  const auto store = open_or_fail(watched.url("patience=60&replicas=1"));
  RestlessOwner owner(*store);
  owner.wait_for_more(100);
  watched.take_over();
  owner.wait_for_more(60);
  for (RedisServer* server : {&watched.primary(), &watched.replica()}) {
    server->kill();
    server->start();
    owner.wait_for_more(60);
  }
  owner.check_kept();
}

TEST_CASE("Redis: what too few replicas have is not acknowledged") {
  const auto store = open_or_fail(shared_redis().url("patience=0&prefix=" + fresh_name()));
  const Lease lease = acquire(*store, Partition(0));
  const auto strict = open(shared_redis().url("patience=0&replicas=1&prefix=" + fresh_name()));
  REQUIRE(error_code(strict) == code::unavailable);
  CHECK(strict.error().message.find("0 of 1 replicas") != std::string::npos);
  CHECK(commit(*store, log_commit(lease, "here")));
}

TEST_CASE("Redis: a commit that its replica has not got waits until it has it") {
  RedisSentinel watched;
  Outcomes outcomes;  // outlives the store
  const auto store = open_or_fail(watched.url("patience=60&replicas=1"));
  const Lease lease = acquire(*store, Partition(0));
  watched.replica().kill();
  store->commit(log_commit(lease, "once"), outcomes.done(0));
  wait_until([&] { return watched.primary().command("XLEN mapflow:{p0}:log") == "1"; });
  watched.replica().start();
  const auto ends = outcomes.wait(1);
  REQUIRE_MESSAGE(ends.at(0), ends.at(0).error().to_string());
  CHECK(log_texts(*store, Partition(0)) == std::vector<std::string>{"once"});
}

TEST_CASE("in a cluster a claim of an instance that came to nothing passes to who needs it") {
  const auto store = open_or_fail(shared_redis_cluster().url("prefix=" + fresh_name()));
  const Partition p0(0), p1(1);
  const Lease lost = acquire(*store, p0);
  const Lease taken = acquire(*store, p0, "n2", kNow + 1h);
  CHECK(error_code(commit(*store, {.lease = lost, .rows = {row("a", p0)}})) == code::fenced);  // claimed, and not written
  const Lease other = acquire(*store, p1);
  REQUIRE(commit(*store, {.lease = other, .rows = {row("a", p1)}}));
  CHECK(store->instance("a")->partition == p1);
  CHECK(error_code(commit(*store, {.lease = taken, .rows = {row("a", p0)}})) == code::conflict);
}

TEST_CASE("in a cluster the id of a dropped instance is free again once its partition has a new owner") {
  const auto store = open_or_fail(shared_redis_cluster().url("prefix=" + fresh_name()));
  const Partition p0(0), p1(1);
  const auto write = [&](const Lease& lease) {
    InstanceRow ended = row("a", lease.partition, 1);
    ended.finished = true;
    return commit(*store, {.lease = lease, .rows = {ended}});
  };
  const auto drop = [&](Partition partition) {
    InstanceRow known = row("a", partition, 1);
    known.finished = true;
    return *store->erase({known});
  };
  const Lease first = acquire(*store, p0);
  const Lease other = acquire(*store, p1);
  REQUIRE(write(first));
  CHECK(drop(p0) == 1);
  REQUIRE(write(first));  // its owner may give the id again at once, and it is found
  CHECK(store->instance("a")->partition == p0);
  acquire(*store, p0, "n2", kNow + 1h);
  CHECK(drop(p0) == 1);
  REQUIRE(write(other));
  CHECK(store->instance("a")->partition == p1);
}

TEST_CASE("a Redis Cluster and a single server are told apart") {
  const std::string port = std::to_string(shared_redis_cluster().server(0).port());
  std::string url = shared_redis_cluster().server(0).url();
  check_refused(url, code::unavailable, "redis+cluster://");
  url = shared_redis().url();
  url.replace(0, 5, "redis+cluster");
  check_refused(url, code::unavailable, "write redis://");
  check_refused("redis+cluster://127.0.0.1:" + port + "/3", code::invalid_input, "no database");
}
