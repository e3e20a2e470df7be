// What the contract does not say: a real server that is killed, cut off, or set up in another way.
#include <doctest/doctest.h>

#include <algorithm>

#include "persistence/helpers.h"
#include "persistence/server_checks.h"
#include "persistence/store.h"
#include "support/postgres_server.h"

using namespace mapflow;
using namespace mapflow::persistence;
using namespace mapflow::persistence::testing;
using mapflow::testing::PostgresServer;
using mapflow::testing::shared_postgres;

namespace {

/// The name of a schema that no other test uses.
std::string fresh_name() {
  static int schemas = 0;
  return "special_" + std::to_string(++schemas);
}
std::string fresh_schema() { return "schema=" + fresh_name(); }

}  // namespace

TEST_CASE("a PostgreSQL server killed in the middle of commits loses nothing that was acknowledged") {
  PostgresServer server(PostgresServer::Durability::on);
  check_killed_server(server);
}

TEST_CASE("PostgreSQL: a commit whose answer is lost is found written, and is not written again") {
  check_lost_answer(Proxied(shared_postgres(), fresh_schema()));
}

TEST_CASE("PostgreSQL: a commit that never arrived is sent again, and what the old connection says late is refused") {
  check_late_request(Proxied(shared_postgres(), fresh_schema()));
}

TEST_CASE("PostgreSQL: the outcome is reported as unknown when another node took the partition meanwhile") {
  check_taken_meanwhile(Proxied(shared_postgres(), fresh_schema()));
}

TEST_CASE("PostgreSQL: a server that stays away makes commits unavailable, and the store works again once it is back") {
  PostgresServer server(PostgresServer::Durability::on);
  check_absent_server(server);
}

TEST_CASE("PostgreSQL: calls wait for a server that comes back within the patience") {
  PostgresServer server(PostgresServer::Durability::on);
  check_patience(server);
}

TEST_CASE("a server that does not sync makes the store say so") {
  const auto store = open_or_fail(shared_postgres().url(fresh_schema()));
  CHECK_FALSE(store->durable());
  CHECK(store->durability_risk().find("fsync is 'off': set it to on") != std::string::npos);
}

TEST_CASE("commits that wait for PostgreSQL share a transaction") { check_shared_transactions(shared_postgres().url(fresh_schema())); }

TEST_CASE("texts are kept as they are, also those that PostgreSQL cannot keep") {
  const auto store = open_or_fail(shared_postgres().url(fresh_schema()));
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

TEST_CASE("what is posted to PostgreSQL is hinted at, also by another process") { check_hints(shared_postgres().url(fresh_schema())); }

TEST_CASE("several processes may make one schema at once") { check_made_at_once(shared_postgres().url(fresh_schema())); }

TEST_CASE("the number of shared partitions is chosen when the schema is made") {
  check_partition_count(shared_postgres().url(fresh_schema()));
}

TEST_CASE("a schema from before leases had notices gets them, and keeps what it has") {
  const std::string old = fresh_name();
  Lease lease = acquire(*open_or_fail(shared_postgres().url("schema=" + old)), Partition(0));
  shared_postgres().sql("ALTER TABLE " + old + ".partitions DROP COLUMN notice; DELETE FROM " + old + ".migrations WHERE number = 3");
  const auto store = open_or_fail(shared_postgres().url("schema=" + old));
  lease.notice = "well";
  REQUIRE(store->renew(lease, kTtl, kNow));
  CHECK(store->leases()->front().epoch == lease.epoch);
  CHECK(store->leases()->front().notice == "well");
}

TEST_CASE("a schema of a newer program, or of another one, is refused and left as it is") {
  const std::string newer = fresh_name(), foreign = fresh_name();
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
  const std::string schema = fresh_name();
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
  const std::string schema = fresh_name();
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
  const auto store = open_or_fail(shared_postgres().url(fresh_schema()));
  CHECK(store->name().find("mapflow@127.0.0.1") != std::string::npos);
  CHECK(store->name().find("s3cret") == std::string::npos);
}
