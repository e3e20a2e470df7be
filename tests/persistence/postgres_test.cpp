// What the contract does not say: a real server that is killed, cut off, or set up in another way.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "persistence/helpers.h"
#include "persistence/store.h"
#include "support/postgres_server.h"
#include "support/tcp_proxy.h"

using namespace mapflow;
using namespace mapflow::persistence;
using namespace mapflow::persistence::testing;
using mapflow::testing::PostgresServer;
using mapflow::testing::shared_postgres;
using mapflow::testing::TcpProxy;

namespace {

std::unique_ptr<Store> open_or_fail(const std::string& url) {
  auto store = open(url);
  REQUIRE_MESSAGE(store, store.error().to_string());
  return *std::move(store);
}

/// The name of a schema that no other test uses.
std::string fresh_schema() {
  static int schemas = 0;
  return "special_" + std::to_string(++schemas);
}

template <class Condition>
void wait_until(const Condition& holds) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!holds() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  REQUIRE(holds());
}

/// A store behind a proxy, and what is in it as seen past the proxy.
struct Proxied {
  std::string schema = fresh_schema();
  TcpProxy proxy{shared_postgres().port()};
  std::unique_ptr<Store> store = open_or_fail(shared_postgres().url_through(proxy.port(), "schema=" + schema));
  std::unique_ptr<Store> direct = open_or_fail(shared_postgres().url("schema=" + schema));

  void wait_for_log(std::size_t entries) {
    wait_until([&] { return log_texts(*direct, Partition(0)).size() >= entries; });
  }
};

void check_refused(const std::string& url, std::string_view error, std::string_view said) {
  const auto refused = open(url);
  REQUIRE(error_code(refused) == error);
  INFO(refused.error().to_string());
  CHECK(refused.error().to_string().find(said) != std::string::npos);
  CHECK(refused.error().to_string().find("s3cret") == std::string::npos);
}

}  // namespace

TEST_CASE("a PostgreSQL server killed in the middle of commits loses nothing that was acknowledged") {
  PostgresServer server(PostgresServer::Durability::on);
  const auto store = open_or_fail(server.url());
  CHECK(store->durable());
  const Partition p0(0);
  std::atomic<std::size_t> acknowledged = 0;
  std::atomic<bool> stop = false;
  std::set<std::string> kept;  // the owner's, until it has stopped
  std::thread owner([&] {
    for (int number = 0; !stop;) {
      const auto lease = store->acquire(p0, "n1", kTtl, kNow);
      for (bool broken = !lease; !broken && !stop;) {
        Outcomes outcomes;
        const int first = number;
        for (; number < first + 10; ++number) {
          Commit commit = log_commit(*lease, std::to_string(number));
          commit.rows = {row("a", p0, static_cast<std::uint64_t>(number))};
          store->commit(std::move(commit), outcomes.done(number));
        }
        for (const auto& [which, outcome] : outcomes.wait(10)) {
          if (outcome) kept.insert(std::to_string(which));
          else broken = true;
        }
        acknowledged = kept.size();
      }
    }
  });
  for (int round = 0; round < 5; ++round) {
    const std::size_t before = acknowledged;
    wait_until([&] { return acknowledged >= before + 40 + 7 * static_cast<std::size_t>(round); });
    server.kill();
    server.start();
  }
  stop = true;
  owner.join();
  const auto texts = log_texts(*store, p0);
  const std::set<std::string> found(texts.begin(), texts.end());
  CHECK(found.size() == texts.size());  // nothing twice
  CHECK(std::ranges::includes(found, kept));
  CHECK(kept.size() > 200);
}

TEST_CASE("a commit whose answer is lost is found written, and is not written again") {
  Proxied at;
  const Lease lease = acquire(*at.store, Partition(0));
  REQUIRE(commit(*at.store, log_commit(lease, "before")));
  at.proxy.drop_answers(true);
  Outcomes outcomes;
  at.store->commit(log_commit(lease, "once"), outcomes.done(0));
  at.wait_for_log(2);
  at.proxy.drop_answers(false);
  at.proxy.cut_clients();
  const auto ends = outcomes.wait(1);
  REQUIRE_MESSAGE(ends.at(0), ends.at(0).error().to_string());
  CHECK(ends.at(0)->value == 2);
  CHECK(commit(*at.store, log_commit(lease, "after"))->value == 3);
  CHECK(log_texts(*at.direct, Partition(0)) == std::vector<std::string>{"before", "once", "after"});
}

TEST_CASE("a commit that never arrived is sent again, and what the old connection says late is refused") {
  Proxied at;
  const Lease lease = acquire(*at.store, Partition(0));
  REQUIRE(commit(*at.store, log_commit(lease, "before")));
  at.proxy.hold_requests(true);
  Outcomes outcomes;
  at.store->commit(log_commit(lease, "once"), outcomes.done(0));
  at.proxy.wait_for_held();
  at.proxy.hold_requests(false);
  at.proxy.cut_clients();
  const auto ends = outcomes.wait(1);
  REQUIRE_MESSAGE(ends.at(0), ends.at(0).error().to_string());
  CHECK(ends.at(0)->value == 2);
  at.proxy.deliver_held();
  CHECK(commit(*at.store, log_commit(lease, "after"))->value == 3);
  CHECK(log_texts(*at.direct, Partition(0)) == std::vector<std::string>{"before", "once", "after"});
}

TEST_CASE("the outcome is reported as unknown when another node took the partition meanwhile") {
  Proxied at;
  const Lease lease = acquire(*at.store, Partition(0));
  REQUIRE(commit(*at.store, log_commit(lease, "before")));
  at.proxy.drop_answers(true);
  Outcomes outcomes;
  at.store->commit(log_commit(lease, "perhaps"), outcomes.done(0));
  at.wait_for_log(2);
  const Lease taken = acquire(*at.direct, Partition(0), "n2", kNow + 1h);
  at.proxy.drop_answers(false);
  at.proxy.cut_clients();
  CHECK(error_code(outcomes.wait(1).at(0)) == code::unavailable);
  CHECK(error_code(commit(*at.store, log_commit(lease, "late"))) == code::fenced);
  CHECK(commit(*at.direct, log_commit(taken, "theirs"))->value == 3);
}

TEST_CASE("a server that stays away makes commits unavailable, and the store works again once it is back") {
  PostgresServer server(PostgresServer::Durability::on);
  const auto store = open_or_fail(server.url("patience=0"));
  const Lease lease = acquire(*store, Partition(0));
  REQUIRE(commit(*store, log_commit(lease, "before")));
  server.kill();
  CHECK(error_code(commit(*store, log_commit(lease, "lost"))) == code::unavailable);
  CHECK(error_code(store->leases()) == code::unavailable);
  CHECK(error_code(commit(*store, log_commit(lease, "late"))) == code::fenced);
  server.start();
  const Lease anew = acquire(*store, Partition(0));
  CHECK(commit(*store, log_commit(anew, "after")));
  CHECK(log_texts(*store, Partition(0)).back() == "after");
}

TEST_CASE("calls wait for a server that comes back within the patience") {
  PostgresServer server(PostgresServer::Durability::on);
  const auto store = open_or_fail(server.url("patience=60"));
  const Lease lease = acquire(*store, Partition(0));
  REQUIRE(commit(*store, log_commit(lease, "1")));
  server.kill();
  Outcomes outcomes;
  for (int number = 2; number < 10; ++number) store->commit(log_commit(lease, std::to_string(number)), outcomes.done(number));
  server.start();
  for (const auto& [number, outcome] : outcomes.wait(8)) CHECK(outcome->value == static_cast<std::uint64_t>(number));
  CHECK(store->renew(lease, kTtl, kNow));
}

TEST_CASE("a server that does not sync makes the store say so") {
  CHECK_FALSE(open_or_fail(shared_postgres().url("schema=" + fresh_schema()))->durable());
}

TEST_CASE("commits that wait for the server share a transaction") {
  const auto store = open_or_fail(shared_postgres().url("schema=" + fresh_schema()));
  const Lease lease = acquire(*store, Partition(0)), other = acquire(*store, Partition(1));
  Outcomes outcomes;
  for (int number = 0; number < 1000; ++number)
    store->commit(log_commit(number % 2 ? lease : other, "x"), outcomes.done(number));
  for (const auto& [number, outcome] : outcomes.wait(1000)) CHECK(outcome);
  CHECK(store->commit_transactions() < 300);
}

TEST_CASE("texts are kept as they are, also those that PostgreSQL cannot keep") {
  const auto store = open_or_fail(shared_postgres().url("schema=" + fresh_schema()));
  const Lease lease = acquire(*store, Partition(0));
  for (const std::string& text : {std::string("zero\0byte", 9), std::string("\xff\xfe broken"), std::string("\xF4\x8F\xBC\x80 stand-in"),
                                  std::string("\xED\xA0\x80 surrogate"), std::string("\xF4\x8F\xBC"), std::string("käse 🧀")}) {
    InstanceRow one = row(text, Partition(0));
    one.tags = {text, "\"quoted\" {\\,}"};
    one.correlation_id = text;
    one.details = "{\"steps\": [], \"errors\": [{\"code\": \"x\", \"message\": \"a\\u0000b \\\\u0000\"}]}";
    REQUIRE(commit(*store, {.lease = lease, .rows = {one}}));
    const auto found = store->instance(text);
    REQUIRE(found);
    CHECK(found->id == text);
    CHECK(found->tags == one.tags);
    CHECK(store->list({.tag = text})->rows.size() == 1);
    CHECK(std::ranges::count(ids(store->list({.text = text})->rows), text) == 1);
  }
}

TEST_CASE("what is posted is hinted at, also by another process") {
  const std::string url = shared_postgres().url("schema=" + fresh_schema());
  const auto store = open_or_fail(url), other = open_or_fail(url);
  std::atomic<bool> once = false;
  const auto hints = store->on_post([&](Partition partition) {
    if (partition == Partition(3)) once = true;
  });
  // The listening begins some time after the call; a hint may be missed, so what is posted is posted again.
  wait_until([&] {
    REQUIRE(other->post(Partition(3), "command"));
    return once.load();
  });
}

TEST_CASE("several processes may make one schema at once") {
  const std::string url = shared_postgres().url("schema=" + fresh_schema());
  std::vector<std::thread> threads;
  std::atomic<int> opened = 0;
  for (int number = 0; number < 6; ++number)
    threads.emplace_back([&] {
      const auto store = open(url);
      if (store && (*store)->shared_partitions() == 8) ++opened;
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(opened == 6);
}

TEST_CASE("the number of shared partitions is chosen when the schema is made") {
  const std::string schema = "schema=" + fresh_schema();
  CHECK(open_or_fail(shared_postgres().url(schema + "&partitions=3"))->shared_partitions() == 3);
  CHECK(open_or_fail(shared_postgres().url(schema + "&partitions=5"))->shared_partitions() == 3);
}

TEST_CASE("a schema of a newer program, or of another one, is refused and left as it is") {
  const std::string newer = fresh_schema(), foreign = fresh_schema();
  (void)open_or_fail(shared_postgres().url("schema=" + newer));
  shared_postgres().sql("INSERT INTO " + newer + ".migrations VALUES (99, 'from the future')");
  check_refused(shared_postgres().url("schema=" + newer), code::invalid_state, "99");
  check_refused(shared_postgres().url("schema=" + newer), code::invalid_state, "newer program");
  shared_postgres().sql("CREATE SCHEMA " + foreign + "; CREATE TABLE " + foreign + ".bookmarks (url text)");
  check_refused(shared_postgres().url("schema=" + foreign), code::invalid_state, "another program");
  CHECK(shared_postgres().sql("SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
                              " WHERE nspname = '" + foreign + "'") == "1");
}

TEST_CASE("an ordinary role needs no more than to use the tables") {
  const std::string schema = fresh_schema();
  (void)open_or_fail(shared_postgres().url("schema=" + schema));
  shared_postgres().sql("CREATE ROLE worker LOGIN PASSWORD 'pw'; REVOKE CREATE ON DATABASE postgres FROM PUBLIC;"
                        "GRANT USAGE ON SCHEMA " + schema + " TO worker;"
                        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA " + schema + " TO worker");
  const auto store = open_or_fail(shared_postgres().url_of("worker", "pw", "schema=" + schema));
  const Lease lease = acquire(*store, Partition(0));
  CHECK(commit(*store, {.lease = lease, .log = "x", .rows = {row("a", Partition(0))}, .history = {{"a", 1, 1, "r"}}}));
  CHECK(store->post(Partition(0), "command"));
  CHECK(store->create_private_partition());
  CHECK(error_code(open(shared_postgres().url_of("worker", "pw", "schema=nowhere"))) == code::unavailable);
}

TEST_CASE("people can ask about instances in PostgreSQL with SQL") {
  const std::string schema = fresh_schema();
  const auto store = open_or_fail(shared_postgres().url("schema=" + schema));
  const auto ask = [&](const std::string& query) { return shared_postgres().sql("SET search_path = " + schema + "; SET timezone = 'UTC'; " + query); };
  InstanceRow one = row("a-1", Partition(0));
  one.tags = {"urgent"};
  one.wake_at = from_micros(1'800'000'000'250'000);
  one.details = R"({"steps": [{"path": "fan/pack", "id": "pack", "type": "message", "state": "failed", "attempt": 2,)"
                R"( "started_at": "2027-01-15T08:00:00Z", "ended_at": null, "error": {"code": "timeout", "message": "no answer"}}],)"
                R"( "errors": [{"code": "timeout", "message": "no answer", "path": "fan/pack", "attempt": 2}]})";
  const Lease lease = *store->acquire(Partition(0), "n1", Duration::max(), kNow);
  REQUIRE(commit(*store, {.lease = lease, .rows = {one, row("a-2", Partition(0))}}));
  CHECK(ask("SELECT id, state, created, wake_at FROM mapflow_instances WHERE 'urgent' = ANY (tags)") ==
        "a-1|running|2027-01-15 08:00:00+00|2027-01-15 08:00:00.25+00");
  CHECK(ask("SELECT instance, path, step, type, state, attempt, started_at, error_code FROM mapflow_steps") ==
        "a-1|fan/pack|pack|message|failed|2|2027-01-15 08:00:00+00|timeout");
  CHECK(ask("SELECT instance, workflow, code, message, path, attempt FROM mapflow_errors") == "a-1|orders|timeout|no answer|fan/pack|2");
  CHECK(ask("SELECT node, expires IS NULL FROM mapflow_partitions WHERE epoch > 0") == "n1|t");
  CHECK(ask("SELECT count(*) FROM mapflow_definitions") == "0");
}

TEST_CASE("a server that cannot be reached, or does not let us in, is unavailable and says so without the password") {
  const std::uint16_t nobody = mapflow::testing::free_port();
  check_refused("postgres://me:s3cret@127.0.0.1:" + std::to_string(nobody) + "/db", code::unavailable, "refused");
  check_refused(shared_postgres().url_of("mapflow", "s3cret-but-wrong"), code::unavailable, "authentication failed");
  check_refused("postgres://me:s3cret@127.0.0.1:1x/db", code::invalid_input, "port");
  check_refused("postgres://me:x?s3cret@127.0.0.1/db", code::invalid_input, "a host or its port");
  check_refused(shared_postgres().url("schema=Bad-Name"), code::invalid_input, "schema");
  check_refused(shared_postgres().url("nonsense=1"), code::invalid_input, "option");
  check_refused(shared_postgres().url("sslmode=require"), code::unavailable, "SSL");
  const auto store = open_or_fail(shared_postgres().url("schema=" + fresh_schema()));
  CHECK(store->name().find("mapflow@127.0.0.1") != std::string::npos);
  CHECK(store->name().find("s3cret") == std::string::npos);
}
