#include "agents/http.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "agents/reply.h"
#include "agents/settings.h"
#include "value/json.h"

namespace mapflow::agents {

namespace {

using Headers = Settings::Pairs;

constexpr std::array<std::string_view, 3> kMethods{"POST", "PUT", "PATCH"};
/// Headers whose meaning is ours: a constant one would break them.
constexpr std::array<std::string_view, 4> kOwnHeaders{"idempotency-key", "traceparent", "content-length",
                                                      "transfer-encoding"};

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool is_header_name(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  const auto allowed = [&](unsigned char c) { return std::isalnum(c) || kMarks.find(char(c)) != kMarks.npos; };
  return !name.empty() && std::ranges::all_of(name, allowed);
}

/// A text as a header value: what may not stand there (line breaks, other control bytes, non-ASCII) and '%' itself
/// become %XX, so different texts stay different.
std::string header_value(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c > ' ' && c < 0x7f && c != '%')
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

/// What a status means when the body does not say it better.
Error status_error(std::string_view agent, const HttpAnswer& answer) {
  const auto error = [&](std::string_view code, bool retryable) {
    std::string message = fmt::format("agent '{}' answered HTTP {}", agent, answer.status);
    if (!answer.body.empty()) message += fmt::format(": {}", excerpt(answer.body, 300));
    Error made(code, std::move(message));
    made.retryable = retryable;
    made.details = to_json(object({{"status", answer.status}}));
    return made;
  };
  if (answer.status == 408) return error(code::timeout, true);
  if (answer.status == 429) return error(code::rate_limited, true);
  if (answer.status >= 500) return error(code::unavailable, true);
  Error other = error(code::agent_error, false);
  if (answer.status >= 300 && answer.status < 400) other.hint = "redirects are not followed; give the final URL";
  return other;
}

Error read_failure(std::string_view agent, const HttpAnswer& answer) {
  Error error = status_error(agent, answer);
  const auto body = parse_json(answer.body);
  if (auto told = body ? error_from_reply(*body) : std::nullopt) {
    // An error without a code of its own is worth what its status is worth.
    if (const Value* said = body->find_path("error.code"); !said || !said->is_text()) {
      told->code = error.code;
      if (!told->retryable) told->retryable = error.retryable;
    }
    error = *std::move(told);
  }
  constexpr std::int64_t kLongest = 366 * 86'400;  // a server that says more means "never"
  if (!error.retry_after_us && answer.retry_after_seconds > 0)
    error.retry_after_us = std::min(answer.retry_after_seconds, kLongest) * 1'000'000;
  return error;
}

Result<Reply> read_answer(std::string_view agent, const HttpAnswer& answer) {
  if (answer.status < 200 || answer.status > 299) return fail(read_failure(agent, answer));
  if (answer.body.find_first_not_of(" \t\r\n") == std::string::npos) return Reply{};
  auto reply = read_reply(agent, answer.body);
  const Value* pending = reply && answer.status == 202 ? reply->result.find("pending") : nullptr;
  if (!pending || *pending != Value(true)) return reply;
  reply->pending = true;
  return reply;
}

/// The part of a request that all calls of an agent share.
struct HttpSettings {
  std::shared_ptr<const HttpTarget> target;
  std::string method;
  Headers headers;
};

HttpRequest make_request(const HttpSettings& settings, const Envelope& envelope) {
  HttpRequest request{settings.target, settings.method, settings.headers, to_json(to_value(envelope))};
  request.headers.emplace_back("Idempotency-Key", header_value(envelope.idempotency_key));
  if (!envelope.traceparent.empty()) request.headers.emplace_back("traceparent", header_value(envelope.traceparent));
  return request;
}

class HttpAgent final : public engine::Agent {
 public:
  HttpAgent(std::string name, HttpSettings settings, std::size_t max_reply_bytes, std::shared_ptr<CallThread> thread)
      : name_(std::move(name)),
        settings_(std::make_shared<const HttpSettings>(std::move(settings))),
        max_reply_bytes_(max_reply_bytes),
        thread_(std::move(thread)) {}
  ~HttpAgent() override { loop().stop(this); }

  void call(Envelope envelope, engine::AgentDone done) override {
    HttpTask task{.owner = this, .agent = name_, .id = envelope.id, .done = std::move(done)};
    task.request = [settings = settings_, envelope = std::move(envelope)] { return make_request(*settings, envelope); };
    task.max_body_bytes = max_reply_bytes_;
    task.read = [name = name_](const HttpAnswer& answer) { return read_answer(name, answer); };
    loop().run(std::move(task));
  }

  void cancel(std::string_view envelope_id) override { loop().cancel(this, envelope_id); }

 private:
  HttpLoop& loop() const { return static_cast<HttpLoop&>(thread_->loop()); }

  const std::string name_;
  const std::shared_ptr<const HttpSettings> settings_;
  const std::size_t max_reply_bytes_;
  const std::shared_ptr<CallThread> thread_;
};

class HttpTransport final : public Transport {
 public:
  explicit HttpTransport(HttpLimits limits) : limits_(limits) {}

  Result<std::unique_ptr<engine::Agent>> make(const AgentConfig& config, const engine::AgentContext& context) override {
    Settings settings(config);
    HttpSettings read;
    if (const std::string url = settings.required_text("url"); !url.empty()) {
      auto target = parse_target(url);
      if (target)
        read.target = std::make_shared<const HttpTarget>(*std::move(target));
      else
        settings.fault("url", target.error().message);
    }
    read.method = settings.text("method", kMethods.front());
    if (std::ranges::find(kMethods, read.method) == kMethods.end())
      settings.fault("method", "must be POST, PUT or PATCH");
    read.headers = settings.text_pairs("headers");
    check(settings, read.headers);
    MAPFLOW_TRY(settings.finish());
    add_usual(read.headers);
    if (!thread_) {  // no thread for programs that never make such an agent
      MAPFLOW_ASSIGN(auto loop, HttpLoop::make(limits_));
      MAPFLOW_ASSIGN(thread_, CallThread::start(std::move(loop), "mapflow-http"));
    }
    return std::make_unique<HttpAgent>(config.name, std::move(read), context.max_reply_bytes, thread_);
  }

 private:
  static void check(Settings& settings, const Headers& headers) {
    for (const auto& [name, value] : headers) {
      const std::string key = fmt::format("headers.{}", name);
      if (!is_header_name(name)) settings.fault(key, "is no name of a header");
      if (std::ranges::find(kOwnHeaders, lower(name)) != kOwnHeaders.end())
        settings.fault(key, "is set for every call and cannot be given");
      const auto control = [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; };
      if (std::ranges::any_of(value, control)) settings.fault(key, "has a line break or another control character");
    }
  }

  /// Headers that a definition may say otherwise.
  static void add_usual(Headers& headers) {
    const Headers usual{
        {"Content-Type", "application/json"}, {"Accept", "application/json"}, {"User-Agent", "mapflow"}};
    for (const auto& header : usual) {
      const auto same = [&](const auto& given) { return lower(given.first) == lower(header.first); };
      if (std::ranges::none_of(headers, same)) headers.push_back(header);
    }
  }

  const HttpLimits limits_;
  std::shared_ptr<CallThread> thread_;
};

}  // namespace

std::unique_ptr<Transport> make_http_transport() { return make_http_transport(HttpLimits{}); }

std::unique_ptr<Transport> make_http_transport(HttpLimits limits) { return std::make_unique<HttpTransport>(limits); }

}  // namespace mapflow::agents
