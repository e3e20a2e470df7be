// URLs of stores that are servers.
#include "persistence/url.h"

#include <doctest/doctest.h>

#include "persistence/helpers.h"

using namespace mapflow;
using namespace mapflow::persistence;
using namespace mapflow::persistence::testing;

TEST_CASE("a server's URL is taken apart and decoded") {
  const auto url = parse_store_url("db", "//me:s%40%3Acret@one:5432,[::1]:99,/na%20me?a=1&b=x%3Dy&a=2");
  REQUIRE_MESSAGE(url, url.error().to_string());
  CHECK(url->user == "me");
  CHECK(url->password == "s@:cret");
  REQUIRE(url->hosts.size() == 2);
  CHECK(url->hosts[0].name == "one");
  CHECK(url->hosts[0].port == 5432);
  CHECK(url->hosts[1].name == "::1");
  CHECK(url->hosts[1].port == 99);
  CHECK(url->path == "na me");
  CHECK(url->without_secrets() == "db://me@one:5432,[::1]:99/na me");
  StoreUrl copy = *url;
  CHECK(copy.take("a") == "2");
  CHECK_FALSE(copy.take("a"));
  CHECK(copy.take("b") == "x=y");
  CHECK(copy.options.empty());
}

TEST_CASE("every part of a server's URL may be left out") {
  const auto url = parse_store_url("db", "//");
  REQUIRE(url);
  CHECK(url->hosts.empty());
  CHECK(url->user.empty());
  CHECK_FALSE(url->password);
  CHECK(url->path.empty());
  CHECK(parse_store_url("db", "//host")->hosts.front().port == 0);
  CHECK(parse_store_url("db", "//me@host/x")->user == "me");
  CHECK_FALSE(parse_store_url("db", "//me@host/x")->password);
  CHECK(parse_store_url("db", "///x")->path == "x");
}

TEST_CASE("a URL is shown without its passwords") {
  CHECK(without_password("sqlite:a@b:c.db") == "sqlite:a@b:c.db");
  CHECK(without_password("db://host:12/x?a=1") == "db://host:12/x?a=1");
  CHECK(without_password("db://me:secret@host:12/x?a=1") == "db://me@host:12/x?a=1");
  CHECK(without_password("db://me:sec@ret@host/x") == "db://me@host/x");
  CHECK(without_password("db://me@host/x?password=secret&a=1&sslpassword=secret") == "db://me@host/x?password=&a=1&sslpassword=");
}

TEST_CASE("a URL that cannot be read is refused without showing its password") {
  for (const char* rest : {"me:secret@host", "//me:secret%4@host", "//me:secret@host:99999", "//me:secret@host:0",
                           "//me:secret@[::1", "//me:secret@host:1x", "//me:secret@host/x?=1", "//me:secret%00@host"}) {
    const auto refused = parse_store_url("db", rest);
    REQUIRE(error_code(refused) == code::invalid_input);
    CHECK(refused.error().to_string().find("secret") == std::string::npos);
  }
}
