// A small HTTP/1.1 server on a thread of its own. What Boost.Asio and Beast are needed for stays in http_server.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace mapflow::server {

struct HttpRequest {
  std::string method;
  std::string path;   ///< without the query
  std::string query;  ///< behind the '?', as it came
};

struct HttpReply {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
};

/// Called on the server's thread; must not block.
using HttpHandler = std::function<HttpReply(const HttpRequest&)>;

struct ListenAddress {
  std::string host = "127.0.0.1";  ///< an IP address
  std::uint16_t port = 0;          ///< 0: any that is free
  /// "127.0.0.1:7700", "[::1]:7700"
  std::string to_string() const;
};

/// Reads "127.0.0.1:7700", "[::1]:7700", "localhost:7700", "7700" or ":7700". There is no login yet, so an address that
/// other machines can reach is refused unless `allow_remote`. Errors: invalid_input.
Result<ListenAddress> parse_listen_address(std::string_view text, bool allow_remote);

/// Thread safety: every call may come from any thread.
class HttpServer {
 public:
  /// Answers from when this returns until it is destroyed. A connection that is silent for 30 s is closed; past 256 of
  /// them the oldest must end before another is taken. Requests are at most 64 KiB. Errors: unavailable when the address
  /// cannot be bound.
  static Result<std::unique_ptr<HttpServer>> start(const ListenAddress& address, HttpHandler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// With the port that was chosen.
  const ListenAddress& address() const { return address_; }

 private:
  class Impl;
  HttpServer(std::shared_ptr<Impl> impl, ListenAddress address) : impl_(std::move(impl)), address_(std::move(address)) {}
  std::shared_ptr<Impl> impl_;
  ListenAddress address_;
};

}  // namespace mapflow::server
