#include "agents/factory.h"

#include <doctest/doctest.h>

#include "support.h"

using namespace mapflow;
using namespace mapflow::agents;
using namespace mapflow::agents::test;

namespace {

Error refusal(std::string transport, Value settings) {
  const auto factory = make_agent_factory();
  const auto agent = factory->make(config("script", std::move(transport), std::move(settings)), {});
  REQUIRE_FALSE(agent.has_value());
  CHECK(agent.error().code == code::invalid_input);
  CHECK(agent.error().where == Location{"demo.yaml", 7, 3});
  return agent.error();
}

std::string exec_problem(Value settings) { return refusal("exec", std::move(settings)).message; }
std::string http_problem(Value settings) { return refusal("http", std::move(settings)).message; }

Value url() { return object({{"url", "http://127.0.0.1:1/"}}); }
Value http_with(const char* key, Value value) {
  Value settings = url();
  settings.set(key, std::move(value));
  return settings;
}

}  // namespace

TEST_CASE("the factory makes agents of every transport it names, and they outlive it") {
  auto factory = make_agent_factory();
  CHECK(factory->transports() == std::vector<std::string>{"exec", "http", "human"});
  auto script = factory->make(config("script", "exec", object({{"command", array({"cat"})}})), {});
  auto service = factory->make(config("service", "http", url()), {});
  REQUIRE(script);
  REQUIRE(service);
  factory.reset();
  CHECK(ask(**script).has_value());
}

TEST_CASE("an unknown transport is refused with the known ones") {
  const Error error = refusal("pigeon", object({}));
  CHECK(error.message == "agent 'script': unknown transport 'pigeon'");
  CHECK(error.hint == "known: exec, http, human");
}

TEST_CASE("wrong exec settings are refused by name") {
  CHECK(exec_problem({}) == "agent 'script': exec.command is missing");
  CHECK(exec_problem("cat") == "agent 'script': exec must be an object, not string");
  const std::string not_texts = "agent 'script': exec.command must be a list of texts";
  CHECK(exec_problem(object({{"command", "cat x"}})) == not_texts);
  CHECK(exec_problem(object({{"command", array({"cat", 1})}})) == not_texts);
  CHECK(exec_problem(object({{"command", array({})}})) == not_texts);
  CHECK(exec_problem(object({{"command", array({""})}})) ==
        "agent 'script': exec.command starts with an empty program name");

  const auto with = [](const char* key, Value value) {
    return object({{"command", array({"cat"})}, {key, std::move(value)}});
  };
  CHECK(exec_problem(with("env", array({}))) == "agent 'script': exec.env must be an object of texts");
  CHECK(exec_problem(with("env", object({{"PORT", 80}}))) == "agent 'script': exec.env.PORT must be a text");
  CHECK(exec_problem(with("env", object({{"A=B", "x"}}))) ==
        "agent 'script': exec.env has 'A=B', which is no name of an environment variable");
  CHECK(exec_problem(with("env", object({{"A", std::string("x\0y", 3)}}))) ==
        "agent 'script': exec.env.A has a zero byte");
  CHECK(exec_problem(with("cwd", 3)) == "agent 'script': exec.cwd must be a text");
  CHECK(exec_problem(with("comand", "x")) == "agent 'script': exec.comand is unknown");
  CHECK(refusal("exec", with("comand", "x")).hint == "known: command, cwd, env");
}

TEST_CASE("wrong http settings are refused by name") {
  CHECK(http_problem(object({})) == "agent 'script': http.url is missing");
  for (const char* bad : {"127.0.0.1:7001", "ftp://host/", "file:///etc/passwd", "http://", "/path", "http://a b/"}) {
    CAPTURE(bad);
    CHECK(http_problem(object({{"url", bad}})) == "agent 'script': http.url must be a http:// or https:// URL");
  }
  CHECK(http_problem(http_with("method", "GET")) == "agent 'script': http.method must be POST, PUT or PATCH");
  CHECK(http_problem(http_with("headers", "x")) == "agent 'script': http.headers must be an object of texts");
  CHECK(http_problem(http_with("headers", object({{"X Y", "1"}}))) ==
        "agent 'script': http.headers.X Y is no name of a header");
  CHECK(http_problem(http_with("headers", object({{"X", "1\r\nEvil: 2"}}))) ==
        "agent 'script': http.headers.X has a line break or another control character");
  CHECK(http_problem(http_with("headers", object({{"Idempotency-Key", "1"}}))) ==
        "agent 'script': http.headers.Idempotency-Key is set for every call and cannot be given");
  CHECK(http_problem(http_with("timeout", 3)) == "agent 'script': http.timeout is unknown");
}
