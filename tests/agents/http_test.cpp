#include "agents/http.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <array>
#include <set>

#include "agents/process.h"
#include "support.h"
#include "value/json.h"

using namespace mapflow;
using namespace mapflow::agents;
using namespace mapflow::agents::test;

namespace {

/// tests/agents/http_server.py, running.
class Server {
 public:
  Server() {
    const std::string script = std::string(MAPFLOW_SOURCE_DIR) + "/tests/agents/http_server.py";
    auto process = spawn({.command = {"python3", script}, .environment = child_environment({}), .folder = {}});
    if (!process) throw std::runtime_error(process.error().to_string());
    process_ = *std::move(process);
    port_ = line();
  }
  ~Server() {
    process_.input.reset();  // it ends by itself
    pollfd ended{.fd = process_.watch.get(), .events = POLLIN, .revents = 0};
    ::poll(&ended, 1, 10'000);
    signal_group(process_, SIGKILL);
    reap(process_);
  }

  std::string url(std::string_view path) const { return "http://127.0.0.1:" + port_ + "/" + std::string(path); }
  /// The next line it prints.
  std::string line() {
    std::string text;
    for (char c = 0; c != '\n'; text += c) {
      pollfd readable{.fd = process_.output.get(), .events = POLLIN, .revents = 0};
      if (::poll(&readable, 1, 30'000) != 1 || ::read(process_.output.get(), &c, 1) != 1)
        throw std::runtime_error("the test server said nothing");
    }
    text.pop_back();
    return text;
  }

 private:
  Process process_;
  std::string port_;
};

/// One for all tests: starting Python takes longer than they do.
Server& server() {
  static Server running;
  return running;
}

/// A port on which nobody listens, and nobody will while this lives.
class DeadPort {
 public:
  DeadPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size);
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    number_ = ntohs(address.sin_port);
  }
  /// Listens after all, but takes nobody in: once its queue is full, connecting takes for ever.
  void ignore_callers() {
    ::listen(socket_.get(), 0);
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    for (UniqueFd& caller : queue_) {
      caller.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      ::connect(caller.get(), reinterpret_cast<sockaddr*>(&address), size);
    }
  }
  std::string url(std::string_view user = "") const {
    return "http://" + std::string(user) + "127.0.0.1:" + std::to_string(number_) + "/score?key=hidden";
  }

 private:
  UniqueFd socket_;
  std::array<UniqueFd, 4> queue_;
  int number_ = 0;
};

Value to(std::string_view path) { return object({{"url", server().url(path)}}); }

Result<Reply> post(std::string_view path, Value data = {}, const engine::AgentContext& context = {}) {
  const auto transport = make_http_transport();
  return ask(*make(*transport, to(path), context), envelope("m-1", std::move(data)));
}

Result<Reply> told(int status, const char* body = "", Value headers = object({})) {
  return post("as_told", object({{"status", status}, {"body", body}, {"headers", std::move(headers)}}));
}

Error failure(const Result<Reply>& answer) {
  REQUIRE_FALSE(answer.has_value());
  return answer.error();
}

std::string json(const Result<Reply>& answer) { return answer ? to_json(answer->result) : answer.error().to_string(); }

}  // namespace

TEST_CASE("http: the envelope is posted as JSON with its idempotency key and trace") {
  Envelope message = envelope("m-9", object({{"text", "grüße"}}));
  message.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const auto transport = make_http_transport();
  const auto answer = ask(*make(*transport, to("echo")), message);
  REQUIRE(answer);
  const auto at = [&](const char* path) { return to_json(*answer->result.find_path(path)); };
  CHECK(*answer->result.find("body") == to_value(message));
  CHECK(at("method") == "\"POST\"");
  CHECK(at("headers.content-type") == "\"application/json\"");
  CHECK(at("headers.idempotency-key") == "\"i-1/review#1\"");
  CHECK(at("headers.traceparent") == to_json(message.traceparent));
}

TEST_CASE("http: headers and method of the settings are sent; a key cannot break out of its header") {
  Value settings = to("echo");
  settings.set("method", "PUT");
  settings.set("headers",
               object({{"X-Team", "orders"}, {"content-type", "application/vnd.demo+json"}, {"X-Empty", ""}}));
  const auto transport = make_http_transport();
  Envelope message = envelope("m");
  message.idempotency_key = "bad id\r\nEvil: 1/ä%";
  const auto answer = ask(*make(*transport, settings), message);
  REQUIRE(answer);
  const Value& headers = *answer->result.find("headers");
  CHECK(*answer->result.find("method") == Value("PUT"));
  CHECK(*headers.find("x-team") == Value("orders"));
  CHECK(*headers.find("x-empty") == Value(""));
  CHECK(*headers.find("content-type") == Value("application/vnd.demo+json"));
  CHECK(*headers.find("idempotency-key") == Value("bad%20id%0D%0AEvil:%201/%C3%A4%25"));
  CHECK_FALSE(headers.find("evil"));
  CHECK_FALSE(headers.find("traceparent"));
}

TEST_CASE("http: connections are kept: many calls one after the other use one, also from different agents") {
  const auto transport = make_http_transport();
  const auto one = make(*transport, to("echo")), other = make(*transport, to("echo"));
  std::set<std::int64_t> connections;
  for (int i = 0; i < 50; ++i) {
    const auto answer = ask(i % 2 ? *one : *other, envelope(std::to_string(i)));
    REQUIRE(answer);
    connections.insert(answer->result.find("connection")->as_integer());
  }
  CHECK(connections.size() == 1);
}

TEST_CASE("http: calls run side by side on one thread, no more at once than allowed") {
  const auto transport = make_http_transport({.max_running = 4});
  const auto agent = make(*transport, to("echo"));
  const std::size_t running_threads = threads();
  Answers answers;
  for (int i = 0; i < 100; ++i) agent->call(envelope(std::to_string(i)), answers.done());
  CHECK(threads() == running_threads);
  std::set<std::int64_t> connections;
  for (int i = 0; i < 100; ++i) {
    const auto answer = answers.take();
    REQUIRE(answer);
    connections.insert(answer->result.find("connection")->as_integer());
  }
  CHECK(connections.size() <= 4);
}

TEST_CASE("http: a 2xx answer is the result, nothing at all is null, anything but JSON is invalid_output") {
  CHECK(json(told(200, "[1, 2]")) == "[1,2]");
  CHECK(json(told(201, R"({"error": {"code": "x"}})")) == R"({"error":{"code":"x"}})");
  CHECK(json(told(200)) == "null");
  CHECK(json(told(204)) == "null");
  CHECK(failure(told(200, "<html>")).code == code::invalid_output);
  const auto answer = told(200, R"({"usage": {"input_tokens": 4, "output_tokens": 2, "cost_usd": 0.25}})");
  REQUIRE(answer);
  CHECK(answer->usage->input_tokens == 4);
  CHECK(answer->usage->cost_usd == 0.25);
}

TEST_CASE("http: statuses become typed errors") {
  const auto outcome = [](int status) {
    const Error error = failure(told(status, "sorry"));
    CHECK(error.message == "agent 'script' answered HTTP " + std::to_string(status) + ": sorry");
    REQUIRE(error.retryable.has_value());
    return error.code + (*error.retryable ? ", retryable" : ", final");
  };
  CHECK(outcome(408) == "timeout, retryable");
  CHECK(outcome(429) == "rate_limited, retryable");
  for (const int status : {500, 502, 503, 504, 599}) CHECK(outcome(status) == "unavailable, retryable");
  for (const int status : {302, 307, 400, 401, 404, 409, 422}) CHECK(outcome(status) == "agent_error, final");
}

TEST_CASE("http: an error in the body counts more than the status") {
  const char* typed =
      R"({"error":{"code":"out_of_paper","message":"m","retryable":true,"retry_after":"1m","details":[1]}})";
  const Error error = failure(told(400, typed, object({{"Retry-After", "7"}})));
  CHECK(error.code == "out_of_paper");
  CHECK(error.message == "m");
  CHECK(error.retryable == true);
  CHECK(error.retry_after_us == 60'000'000);
  CHECK(error.details == "[1]");
  const Error nameless = failure(told(429, R"({"error":{"message":"slow down"}})", object({{"Retry-After", "7"}})));
  CHECK(nameless.code == code::rate_limited);
  CHECK(nameless.message == "slow down");
  CHECK(nameless.retryable == true);
  CHECK(nameless.retry_after_us == 7'000'000);
  CHECK(failure(told(404, R"({"error":{"message":"who?"}})")).retryable == false);
}

TEST_CASE("http: Retry-After is honoured as seconds and as a date; what does not read is ignored") {
  CHECK(failure(told(503, "", object({{"Retry-After", "120"}}))).retry_after_us == 120'000'000);
  const auto later = failure(post("later")).retry_after_us;
  REQUIRE(later);
  CHECK(*later > 60'000'000);
  CHECK(*later <= 121'000'000);  // its clock and ours may round differently
  for (const char* odd : {"soon", "-5", "Thu, 01 Jan 1998 00:00:00 GMT", "0"})
    CHECK_FALSE(failure(told(503, "", object({{"Retry-After", odd}}))).retry_after_us);
  CHECK(*failure(told(503, "", object({{"Retry-After", "99999999999"}}))).retry_after_us == 366LL * 86'400 * 1'000'000);
}

TEST_CASE("http: redirects are not followed") {
  CHECK(failure(told(307, "", object({{"Location", server().url("echo")}}))).code == code::agent_error);
}

TEST_CASE("http: an agent may say that it answers later") {
  const Result<Reply> later = told(202, R"({"pending": true})");
  REQUIRE(later);
  CHECK(later->pending);
  CHECK(json(told(202, R"({"pending": false})")) == R"({"pending":false})");
  CHECK(json(told(200, R"({"pending": true})")) == R"({"pending":true})");
}

TEST_CASE("http: an agent that is not there is unavailable, and the message keeps secrets out") {
  const DeadPort nobody;
  const auto transport = make_http_transport();
  const Error error = failure(ask(*make(*transport, object({{"url", nobody.url("user:password@")}}))));
  CHECK(error.code == code::unavailable);
  CHECK(error.retryable.value_or(retryable_by_default(error.code)));
  CHECK(error.message.find("127.0.0.1") != std::string::npos);
  CHECK(error.message.find("password") == std::string::npos);
  CHECK(error.message.find("hidden") == std::string::npos);
}

TEST_CASE("http: an agent that takes no connection is unavailable after a while") {
  DeadPort deaf;
  deaf.ignore_callers();
  const auto transport = make_http_transport({.connect_timeout_ms = 100});
  const Error error = failure(ask(*make(*transport, object({{"url", deaf.url()}}))));
  CHECK(error.code == code::unavailable);
  CHECK(error.message.find("cannot be reached") != std::string::npos);
}

TEST_CASE("http: a connection that breaks is unavailable; one that does not speak HTTP is invalid_output") {
  CHECK(failure(post("drop")).code == code::unavailable);
  CHECK(failure(post("cut")).code == code::unavailable);
  CHECK(failure(post("garbage")).code == code::invalid_output);
  std::string secure = server().url("echo");
  secure.insert(4, "s");  // TLS to a server that has none
  const auto transport = make_http_transport();
  CHECK(failure(ask(*make(*transport, object({{"url", secure}})))).code == code::unavailable);
}

TEST_CASE("http: an answer past the limit is cut off and not retried") {
  const Error error = failure(post("endless", {}, {.max_reply_bytes = 100'000, .log = {}}));
  CHECK(error.code == code::resource_exhausted);
  CHECK(error.retryable == false);
  CHECK(error.message.find("100000 bytes") != std::string::npos);
}

TEST_CASE("http: large envelopes are sent whole") {
  const auto answer = post("echo", std::string(3'000'000, 'x'), {.max_reply_bytes = 8u << 20, .log = {}});
  REQUIRE(answer);
  CHECK(answer->result.find_path("body.data")->size() == 3'000'000);
}

TEST_CASE("http: cancel closes the connection, and waiting calls have their turn") {
  const auto transport = make_http_transport({.max_running = 1});
  const auto agent = make(*transport, to("hang"));
  Answers answers;
  agent->call(envelope("a"), answers.done());
  CHECK(server().line() == "called");
  agent->call(envelope("b"), answers.done());
  agent->call(envelope("c"), answers.done());
  agent->cancel("unknown");
  agent->cancel("b");
  CHECK(failure(answers.take()).code == code::cancelled);
  agent->cancel("a");
  CHECK(failure(answers.take()).code == code::cancelled);
  // "left" of the first and "called" of the third come in any order.
  CHECK(std::set{server().line(), server().line()} == std::set<std::string>{"left", "called"});
  agent->cancel("c");
  CHECK(failure(answers.take()).code == code::cancelled);
  CHECK(server().line() == "left");
}

TEST_CASE("http: destroying an agent answers every call, and leaves no descriptor behind") {
  const std::size_t fds = open_fds();
  Answers answers;
  {
    const auto transport = make_http_transport();
    auto agent = make(*transport, to("hang"));
    const auto other = make(*transport, to("echo"));
    for (const char* id : {"a", "b", "c"}) agent->call(envelope(id), answers.done());
    for (int i = 0; i < 3; ++i) CHECK(server().line() == "called");
    agent.reset();
    CHECK(answers.size() == 3);
    for (int i = 0; i < 3; ++i) CHECK(failure(answers.take()).code == code::cancelled);
    for (int i = 0; i < 3; ++i) CHECK(server().line() == "left");
    CHECK(ask(*other).has_value());
  }
  CHECK(open_fds() == fds);
}

TEST_CASE("http: the last agent may be destroyed inside its own `done`") {
  const std::size_t running_threads = threads();
  std::shared_ptr<engine::Agent> agent = make(*make_http_transport(), to("echo"));
  Answers answers;
  Mailbox<int> others_let_go;
  agent->call(envelope("a"), [&, agent](Result<Reply> answer) mutable {
    others_let_go.take();
    agent.reset();
    answers.done()(std::move(answer));
  });
  agent.reset();
  others_let_go.put(1);
  CHECK(answers.take().has_value());
  CHECK(settles(threads, running_threads));
}

TEST_CASE("http: a proxy of the environment is not asked for what is on this machine") {
  const DeadPort nobody;
  ::setenv("http_proxy", nobody.url().c_str(), 1);
  CHECK(post("echo").has_value());
  ::unsetenv("http_proxy");
}
