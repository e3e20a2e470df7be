// HTTP requests side by side on one thread, over kept-alive connections. The only place that knows libcurl.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agents/call_loop.h"

namespace mapflow::agents {

/// Where requests go, taken apart once.
struct HttpTarget {
  std::string url;
  std::string shown;      ///< the URL for messages: without user, password and query
  bool loopback = false;  ///< this machine: proxies are left out
};

/// Errors: invalid_input when this is not an absolute http or https URL with a host.
Result<HttpTarget> parse_target(std::string_view url);

struct HttpRequest {
  std::shared_ptr<const HttpTarget> target;
  std::string method;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct HttpAnswer {
  int status = 0;
  std::string body;
  std::int64_t retry_after_seconds = 0;  ///< of the header Retry-After, as seconds from now; 0: none, or now
};

/// A call that is one request. The functions are called on the loop's thread.
struct HttpTask {
  const void* owner = nullptr;
  std::string agent;  ///< its name, for messages
  std::string id;
  engine::AgentDone done;
  std::function<HttpRequest()> request;
  std::size_t max_body_bytes = 0;
  std::function<Result<Reply>(HttpAnswer)> read;  ///< makes the reply of an answer, whatever its status
};

struct HttpLimits {
  std::size_t max_running = 256;
  std::int64_t connect_timeout_ms = 10'000;
};

class HttpLoop : public CallLoop {
 public:
  /// Errors: resource_exhausted when libcurl cannot start.
  static Result<std::shared_ptr<HttpLoop>> make(HttpLimits limits);

  /// Sends the request when its turn comes; see CallLoop::submit, cancel and stop. Redirects are not followed, and
  /// nothing but http and https is spoken. Errors of `done`: unavailable when no answer came (retryable, unless the
  /// server's certificate is not trusted), invalid_output when it was not HTTP, resource_exhausted when it was too
  /// large, cancelled, and whatever `read` says.
  virtual void run(HttpTask task) = 0;

 protected:
  using CallLoop::CallLoop;
};

}  // namespace mapflow::agents
