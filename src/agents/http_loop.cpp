#include "agents/http_loop.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "agents/reply.h"

namespace mapflow::agents {

namespace {

/// Frees what libcurl gave. Its handle types are all void, so the function has to be named.
template <auto free>
struct Free {
  void operator()(auto* handle) const { free(handle); }
};
using Easy = std::unique_ptr<CURL, Free<curl_easy_cleanup>>;
using Multi = std::unique_ptr<CURLM, Free<curl_multi_cleanup>>;
using Url = std::unique_ptr<CURLU, Free<curl_url_cleanup>>;
using HeaderList = std::unique_ptr<curl_slist, Free<curl_slist_free_all>>;

struct HttpCall final : Call {
  HttpTask task;
  HttpRequest request;
  HttpAnswer answer;
  bool too_large = false;
  Easy easy;
  HeaderList headers;
  std::array<char, CURL_ERROR_SIZE> problem{};

  explicit HttpCall(HttpTask given) : task(std::move(given)) {
    owner = task.owner;
    id = std::move(task.id);
    done = std::move(task.done);
  }
};

std::size_t take_body(char* bytes, std::size_t, std::size_t count, void* user) {
  auto& call = *static_cast<HttpCall*>(user);
  call.too_large = call.answer.body.size() + count > call.task.max_body_bytes;
  if (call.too_large) return 0;  // curl ends the transfer
  call.answer.body.append(bytes, count);
  return count;
}

std::string url_part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
  const std::unique_ptr<char, Free<curl_free>> owned(text);
  return text;
}

bool is_loopback(std::string host) {
  std::ranges::transform(host, host.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return host == "localhost" || host.ends_with(".localhost") || host == "[::1]" || host.starts_with("127.");
}

/// Why there is no answer. A lost connection and a server that is away are worth another try; a certificate that is
/// not trusted and a peer that speaks something else will be the same next time.
Error transfer_error(const HttpCall& call, CURLcode result) {
  const char* detail = call.problem.front() ? call.problem.data() : curl_easy_strerror(result);
  const std::string place = fmt::format("agent '{}' ({})", call.task.agent, call.request.target->shown);
  switch (result) {
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
      return Error(code::invalid_output, fmt::format("{} did not answer HTTP: {}", place, detail));
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR: {
      Error error(code::unavailable, fmt::format("{} is not trusted: {}", place, detail));
      error.retryable = false;
      return error;
    }
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT: return Error(code::unavailable, fmt::format("{} could not be called: {}", place, detail));
    default: return Error(code::unavailable, fmt::format("{} cannot be reached: {}", place, detail));
  }
}

class CurlLoop final : public HttpLoop {
 public:
  CurlLoop(HttpLimits limits, Multi multi)
      : HttpLoop({.max_running = limits.max_running}), limits_(limits), multi_(std::move(multi)) {
    // Connections that are kept for the next call; the oldest idle one makes room for a new one.
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(limits.max_running));
  }

  void run(HttpTask task) override { submit(std::make_unique<HttpCall>(std::move(task))); }

 protected:
  void start(Call& base) override {
    auto& call = static_cast<HttpCall&>(base);
    call.request = std::exchange(call.task.request, nullptr)();
    call.easy = take_handle();
    if (prepare(call) && curl_multi_add_handle(multi_.get(), call.easy.get()) == CURLM_OK) return;
    finish(call, fail(transfer_error(call, CURLE_FAILED_INIT)));
  }

  void give_up(Call& base) override {
    abort(base);
    finish(base, cancelled_call());
  }

  /// Removing a handle in the middle of a transfer closes its connection: that is how the agent hears of it.
  void abort(Call& base) override {
    auto& call = static_cast<HttpCall&>(base);
    curl_multi_remove_handle(multi_.get(), call.easy.get());
    call.easy.reset();
  }

  void wait() override {
    int running = 0, left = 0;
    curl_multi_perform(multi_.get(), &running);
    bool ended = false;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      HttpCall* call = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
      end(*call, message->data.result);
      ended = true;
    }
    constexpr int kLongestMs = 60'000;  // curl shortens it to its own next deadline
    if (!ended) curl_multi_poll(multi_.get(), nullptr, 0, kLongestMs, nullptr);
  }

  void wake() override { curl_multi_wakeup(multi_.get()); }

 private:
  Easy take_handle() {
    if (idle_.empty()) return Easy(curl_easy_init());
    Easy easy = std::move(idle_.back());
    idle_.pop_back();
    curl_easy_reset(easy.get());
    return easy;
  }

  static bool add_header(HttpCall& call, const std::string& line) {
    curl_slist* longer = curl_slist_append(call.headers.get(), line.c_str());
    if (!longer) return false;
    call.headers.release();
    call.headers.reset(longer);
    return true;
  }

  bool prepare(HttpCall& call) {
    CURL* easy = call.easy.get();
    if (!easy) return false;
    bool ok = add_header(call, "Expect:");  // or curl would ask before it sends a large body
    for (const auto& [name, value] : call.request.headers)
      ok = add_header(call, value.empty() ? name + ";" : name + ": " + value) && ok;  // ';': curl's mark for "empty"
    const HttpTarget& target = *call.request.target;
    const auto set = [&](CURLoption option, auto value) {
      ok = curl_easy_setopt(easy, option, value) == CURLE_OK && ok;
    };
    set(CURLOPT_URL, target.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    if (target.loopback) set(CURLOPT_NOPROXY, "*");
    set(CURLOPT_POST, 1L);
    set(CURLOPT_CUSTOMREQUEST, call.request.method.c_str());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.request.body.size()));
    set(CURLOPT_POSTFIELDS, call.request.body.data());  // not copied: the call outlives the transfer
    set(CURLOPT_HTTPHEADER, call.headers.get());
    set(CURLOPT_WRITEFUNCTION, &take_body);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&call));
    set(CURLOPT_PRIVATE, static_cast<void*>(&call));
    set(CURLOPT_ERRORBUFFER, call.problem.data());
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits_.connect_timeout_ms));
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_QUICK_EXIT, 1L);  // giving up during a name look-up must not wait for the look-up
    return ok;
  }

  void end(HttpCall& call, CURLcode result) {
    long status = 0;
    curl_off_t retry_after = 0;
    curl_easy_getinfo(call.easy.get(), CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(call.easy.get(), CURLINFO_RETRY_AFTER, &retry_after);
    curl_multi_remove_handle(multi_.get(), call.easy.get());
    if (idle_.size() < limits_.max_running) idle_.push_back(std::move(call.easy));
    if (call.too_large) return finish(call, reply_too_large(call.task.agent, call.task.max_body_bytes));
    if (result != CURLE_OK) return finish(call, fail(transfer_error(call, result)));
    call.answer.status = static_cast<int>(status);
    call.answer.retry_after_seconds = std::max<curl_off_t>(retry_after, 0);
    finish(call, call.task.read(std::move(call.answer)));
  }

  const HttpLimits limits_;
  Multi multi_;  // destroyed after the handles that were in it
  std::vector<Easy> idle_;
};

}  // namespace

Result<HttpTarget> parse_target(std::string_view text) {
  const Url url(curl_url());
  HttpTarget target{.url = std::string(text), .shown = {}};
  const auto wrong = fail(code::invalid_input, "must be a http:// or https:// URL");
  if (!url || text.find('\0') != std::string_view::npos) return wrong;
  if (curl_url_set(url.get(), CURLUPART_URL, target.url.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) return wrong;
  const std::string scheme = url_part(url.get(), CURLUPART_SCHEME);
  const std::string host = url_part(url.get(), CURLUPART_HOST);
  if ((scheme != "http" && scheme != "https") || host.empty()) return wrong;
  target.loopback = is_loopback(host);
  for (const CURLUPart part : {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT})
    curl_url_set(url.get(), part, nullptr, 0);
  target.shown = url_part(url.get(), CURLUPART_URL);
  return target;
}

Result<std::shared_ptr<HttpLoop>> HttpLoop::make(HttpLimits limits) {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);  // once in a program, says libcurl
  Multi multi(started == CURLE_OK ? curl_multi_init() : nullptr);
  if (!multi) return fail(code::resource_exhausted, "cannot start the HTTP client");
  return std::make_shared<CurlLoop>(limits, std::move(multi));
}

}  // namespace mapflow::agents
