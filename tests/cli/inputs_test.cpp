#include <doctest/doctest.h>

#include "cli/inputs.h"
#include "cli/secrets.h"
#include "value/json.h"

using namespace mapflow;
using namespace mapflow::cli;

namespace {
std::string after(const std::vector<std::string>& assignments, Value input = {}) {
  const auto added = add_inputs(input, assignments);
  return added ? to_json(input) : "error: " + added.error().message;
}
}  // namespace

TEST_CASE("an input is JSON where it parses as JSON, else text") {
  CHECK(after({"n=3", "t=hello world", "l=[1,2]", "q=\"3\"", "b=true", "e="}) ==
        R"({"n":3,"t":"hello world","l":[1,2],"q":"3","b":true,"e":""})");
}

TEST_CASE("a value keeps its equals signs") { CHECK(after({"query=a=b"}) == R"({"query":"a=b"})"); }

TEST_CASE("a dotted key reaches into objects, later ones win") {
  CHECK(after({"order.id=7", "order.id=8"}, object({{"order", object({{"who", "ann"}})}})) == R"({"order":{"who":"ann","id":8}})");
}

TEST_CASE("what is no assignment is refused") {
  CHECK(after({"oops"}).starts_with("error: '-i oops' is not KEY=VALUE"));
  CHECK(after({"=3"}).starts_with("error:"));
  CHECK(after({"a=1", "a.b=2"}).starts_with("error: '-i a.b="));
}

TEST_CASE("no input at all is null, not an empty object") {
  const auto input = read_input("", {}, 100);
  REQUIRE(input);
  CHECK(input->is_null());
}

TEST_CASE("an input that no store would take is refused before anything begins") {
  CHECK(read_input("", {"a=12345"}, 11));
  CHECK(read_input("", {"a=12345"}, 10).error().is(code::invalid_input));
}

TEST_CASE("secrets come from dotenv lines") {
  const auto secrets = parse_secrets("# comment\n\nTOKEN=abc\r\nexport MAPFLOW_SECRET_DB_PASSWORD = 'p # q'\n"
                                     "PEM=\"a\\nb\" # tail\nPLAIN=x y # tail\nEMPTY=\nHASH=a#b\n", "env");
  REQUIRE(secrets);
  CHECK(secrets->at("token") == "abc");
  CHECK(secrets->at("db_password") == "p # q");
  CHECK(secrets->at("pem") == "a\nb");
  CHECK(secrets->at("plain") == "x y");
  CHECK(secrets->at("empty").empty());
  CHECK(secrets->at("hash") == "a#b");
}

TEST_CASE("a broken line of secrets is told by its place and never shown") {
  const auto secrets = parse_secrets("A=1\nhunter2\n", ".env");
  REQUIRE_FALSE(secrets);
  CHECK(secrets.error().where.to_string() == ".env:2:1");
  CHECK(secrets.error().to_string().find("hunter2") == std::string::npos);
  CHECK_FALSE(parse_secrets("A='open\n", ".env"));
  CHECK_FALSE(parse_secrets("1A=x\n", ".env"));
}

TEST_CASE("secrets also come from the environment, and the file goes first") {
  setenv("MAPFLOW_SECRET_CLI_TEST", "from-env", 1);
  const auto secrets = load_secrets("");
  REQUIRE(secrets);
  CHECK(secrets->at("cli_test") == "from-env");
  unsetenv("MAPFLOW_SECRET_CLI_TEST");
  CHECK(load_secrets("/no/such/file").error().is(code::not_found));
}
