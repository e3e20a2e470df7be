// What the contract does not say: a real Redis server that is killed, cut off, or set up in another way.
#include <doctest/doctest.h>

#include "persistence/helpers.h"
#include "persistence/redis_connection.h"
#include "persistence/server_checks.h"
#include "persistence/store.h"
#include "support/redis_server.h"

using namespace mapflow;
using namespace mapflow::persistence;
using namespace mapflow::persistence::testing;
using mapflow::testing::RedisServer;
using mapflow::testing::shared_redis;

namespace {

/// A beginning for keys that no other test uses.
std::string fresh_name() {
  static int names = 0;
  return "special_" + std::to_string(++names);
}
std::string fresh_prefix() { return "prefix=" + fresh_name(); }

}  // namespace

TEST_CASE("a Redis server killed in the middle of commits loses nothing that was acknowledged") {
  RedisServer server;
  check_killed_server(server);
}

TEST_CASE("Redis: a commit whose answer is lost is found written, and is not written again") {
  check_lost_answer(Proxied(shared_redis(), fresh_prefix()));
}

TEST_CASE("Redis: a commit that never arrived is sent again, and what the old connection says late is refused") {
  check_late_request(Proxied(shared_redis(), fresh_prefix()));
}

TEST_CASE("Redis: the outcome is reported as unknown when another node took the partition meanwhile") {
  check_taken_meanwhile(Proxied(shared_redis(), fresh_prefix()));
}

TEST_CASE("Redis: a server that stays away makes commits unavailable, and the store works again once it is back") {
  RedisServer server;
  check_absent_server(server);
}

TEST_CASE("Redis: calls wait for a server that comes back within the patience") {
  RedisServer server;
  check_patience(server);
}

TEST_CASE("commits that wait for Redis share a call") { check_shared_transactions(shared_redis().url(fresh_prefix())); }
TEST_CASE("what is posted to Redis is hinted at, also by another process") { check_hints(shared_redis().url(fresh_prefix())); }
TEST_CASE("several processes may make one store in Redis at once") { check_made_at_once(shared_redis().url(fresh_prefix())); }
TEST_CASE("the number of shared partitions is chosen when the store in Redis is made") {
  check_partition_count(shared_redis().url(fresh_prefix()));
}

TEST_CASE("a Redis server that may forget makes the store say so") {
  const auto risk = [](const std::string& url) {
    const auto store = open_or_fail(url);
    CHECK(store->durable() == store->durability_risk().empty());
    return store->durability_risk();
  };
  CHECK(risk(shared_redis().url(fresh_prefix())) == "");
  CHECK(risk(RedisServer({"appendfsync everysec"}).url()) == "appendfsync is 'everysec': set it to always");
  CHECK(risk(RedisServer({"appendonly no", "maxmemory-policy allkeys-lru"}).url()) ==
        "appendonly is 'no': set it to yes; maxmemory-policy is 'allkeys-lru': set it to noeviction");
  const RedisServer forgetful;  // it would not read back what it has in its log
  forgetful.command("ACL SETUSER default resetkeys");
  CHECK(risk(forgetful.url()).starts_with("what the default user may touch is '': allow it everything"));
  const RedisServer silent({"rename-command CONFIG \"\""});
  CHECK(risk(silent.url()).find("does not tell its settings") != std::string::npos);
}

TEST_CASE("a Redis server without memory refuses commits, and loses nothing of what it has") {
  RedisServer server;
  const auto store = open_or_fail(server.url());
  const Lease lease = acquire(*store, Partition(0));
  REQUIRE(commit(*store, log_commit(lease, "before")));
  server.command("CONFIG SET maxmemory 1");
  CHECK(error_code(commit(*store, log_commit(lease, "too much"))) == code::resource_exhausted);
  CHECK(error_code(commit(*store, log_commit(lease, "late"))) == code::fenced);
  server.command("CONFIG SET maxmemory 0");
  const Lease anew = acquire(*store, Partition(0));
  CHECK(commit(*store, log_commit(anew, "after")));
  CHECK(log_texts(*store, Partition(0)) == std::vector<std::string>{"before", "after"});
}

TEST_CASE("what reaches Redis after its sender was given up, or behind a gap, is refused") {
  for (const char* field : {"sender", "written"}) {
    INFO(field);
    const std::string name = fresh_name();
    const auto store = open_or_fail(shared_redis().url("prefix=" + name));
    const Lease lease = acquire(*store, Partition(0));
    REQUIRE(commit(*store, log_commit(lease, "before")));
    shared_redis().command("HINCRBY " + name + ":{p0} " + field + " 1");
    CHECK(error_code(commit(*store, log_commit(lease, "late"))) == code::fenced);
    CHECK(log_texts(*store, Partition(0)) == std::vector<std::string>{"before"});
  }
}

TEST_CASE("functions that the Redis server has forgotten are given to it again") {
  RedisServer server;
  const auto store = open_or_fail(server.url());
  const Lease lease = acquire(*store, Partition(0));
  for (const char* text : {"1", "2", "3"}) {
    server.command("SCRIPT FLUSH");
    CHECK(commit(*store, log_commit(lease, text)));
    server.command("SCRIPT FLUSH");
    CHECK(store->post(Partition(0), text));
  }
  CHECK(log_texts(*store, Partition(0)) == std::vector<std::string>{"1", "2", "3"});
}

TEST_CASE("a store in Redis of a newer program, or keys of another one, are refused and left as they are") {
  const std::string newer = fresh_name(), foreign = fresh_name();
  (void)open_or_fail(shared_redis().url("prefix=" + newer));
  shared_redis().command("HSET " + newer + ":store format 99");
  check_refused(shared_redis().url("prefix=" + newer), code::invalid_state, "99");
  check_refused(shared_redis().url("prefix=" + newer), code::invalid_state, "newer program");
  shared_redis().command("SET " + foreign + ":store bookmarks");
  check_refused(shared_redis().url("prefix=" + foreign), code::invalid_state, "another program");
  CHECK(shared_redis().command("GET " + foreign + ":store") == "bookmarks");
}

TEST_CASE("an ordinary user of Redis needs no more than docs/persistence.md says") {
  const std::string name = fresh_name();
  shared_redis().command("ACL SETUSER worker on >pw resetkeys resetchannels ~" + name + ":* &" + name +
                         ":* +@read +@write +@scripting +@pubsub +@connection +config|get +acl|getuser");
  const auto store = open_or_fail(shared_redis().url_of("worker", "pw", "prefix=" + name));
  CHECK(store->durable());
  const Lease lease = acquire(*store, Partition(0));
  CHECK(commit(*store, {.lease = lease, .log = "x", .rows = {row("a", Partition(0))}, .history = {{"a", 1, 1, "r"}}}));
  CHECK(store->post(Partition(0), "command"));
  CHECK(store->create_private_partition());
  CHECK(store->list({})->rows.size() == 1);
  CHECK(error_code(open(shared_redis().url_of("worker", "pw", "prefix=elsewhere"))) == code::unavailable);
}

TEST_CASE("a store in Redis lies in the database that the URL names") {
  RedisServer server;
  std::string url = server.url();
  const auto store = open_or_fail(url + "/3");
  CHECK(commit(*store, log_commit(acquire(*store, Partition(0)), "x")));
  CHECK(server.command("-n 0 DBSIZE") == "0");
  CHECK(server.command("-n 3 XLEN mapflow:{p0}:log") == "1");
}

TEST_CASE("a store in Redis under TLS is read and written, and only a server that is trusted") {
  const mapflow::testing::ServerFolder folder;
  const std::string key = folder.file("key.pem"), certificate = folder.file("certificate.pem");
  mapflow::testing::run_program({mapflow::testing::find_program("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                                 "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate},
                                folder);
  const std::uint16_t port = mapflow::testing::free_port();
  const RedisServer server({"tls-port " + std::to_string(port), "tls-cert-file " + certificate, "tls-key-file " + key,
                            "tls-ca-cert-file " + certificate, "tls-auth-clients yes"});
  const auto url = [&](const std::string& options) { return "rediss" + server.url_through(port, options).substr(5); };
  const std::string trusting = "cafile=" + certificate, known = "&certfile=" + certificate + "&keyfile=" + key;
  const auto store = open_or_fail(url(trusting + known));
  const Lease lease = acquire(*store, Partition(0));
  const std::string large(6 << 20, 'x');  // more than goes out, or comes, at once
  for (const std::string& text : {std::string("small"), large}) REQUIRE(commit(*store, log_commit(lease, text)));
  CHECK(log_texts(*store, Partition(0)) == std::vector<std::string>{"small", large});
  check_refused(url(known.substr(1)), code::unavailable, "not trusted");
  check_refused(url(trusting), code::unavailable, "the connection broke");  // the server does not know us
  check_refused(url("cafile=/nowhere"), code::unavailable, "/nowhere");
  std::string named = url(trusting + known);
  named.replace(named.find("127.0.0.1"), 9, "localhost");
  check_refused(named, code::unavailable, "not trusted");  // the certificate is another host's
  check_refused(server.url_through(port), code::unavailable, "the connection broke");
}

TEST_CASE("a Redis server that cannot be reached, or does not let us in, is unavailable and says so without the password") {
  const std::uint16_t nobody = mapflow::testing::free_port();
  check_refused("redis://me:s3cret@127.0.0.1:" + std::to_string(nobody), code::unavailable, "refused");
  check_refused(shared_redis().url_of("mapflow", "s3cret-but-wrong"), code::unavailable, "WRONGPASS");
  check_refused("redis://127.0.0.1:" + std::to_string(shared_redis().port()), code::unavailable, "NOAUTH");
  check_refused("redis://me:s3cret@127.0.0.1:1x", code::invalid_input, "port");
  check_refused("redis://me:x?s3cret@127.0.0.1", code::invalid_input, "a host or its port");
  check_refused("redis://me:s3cret@127.0.0.1,127.0.0.2", code::invalid_input, "several hosts");
  check_refused("redis://me:s3cret@127.0.0.1/orders", code::invalid_input, "database");
  check_refused(shared_redis().url("prefix={}"), code::invalid_input, "prefix");
  check_refused(shared_redis().url("nonsense=1"), code::invalid_input, "option");
  check_refused(shared_redis().url("cafile=x"), code::invalid_input, "write rediss");
  const auto store = open_or_fail(shared_redis().url(fresh_prefix()));
  CHECK(store->name().find("mapflow@127.0.0.1") != std::string::npos);
  CHECK(store->name().find("s3cret") == std::string::npos);
}

TEST_CASE("an answer on one connection to Redis arrives also while another one is lost and has not been asked") {
  using redis::Command;
  using redis::Connection;
  RedisServer dies, lives;
  const auto connect = [](const RedisServer& server) {
    return *Connection::open({"127.0.0.1", server.port()}, {.name = "r", .user = "mapflow", .password = RedisServer::kPassword, .scripts = false});
  };
  const auto lost = connect(dies), alive = connect(lives);
  REQUIRE(lost->send(Command{"BLPOP", "nothing", "0"}));
  dies.kill();
  lost->wait(-1);  // it notices, and its caller does not look
  REQUIRE(alive->send(Command{"PING"}));
  Connection* const both[] = {lost.get(), alive.get()};
  std::optional<Result<redis::Reply>> answer;
  for (int round = 0; round < 100 && !answer; ++round) {
    Connection::wait(both, -1);
    answer = alive->receive();
  }
  REQUIRE(answer);
  CHECK(answer->has_value());
}
