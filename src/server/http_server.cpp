#include "server/http_server.h"

#include <fmt/format.h>
#include <pthread.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <chrono>
#include <optional>
#include <set>
#include <thread>
#include <utility>

namespace mapflow::server {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = boost::asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::chrono::seconds kSilence{30};
constexpr std::size_t kRequestBytes = 64u << 10;
constexpr std::size_t kConnections = 256;

/// One connection: reads a request, answers it, and reads the next one.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, const HttpHandler& handler, std::function<void()> ended)
      : stream_(std::move(socket)), handler_(handler), ended_(std::move(ended)) {}
  ~Session() { ended_(); }

  void read() {
    parser_.emplace();
    parser_->body_limit(kRequestBytes);
    parser_->header_limit(kRequestBytes);
    stream_.expires_after(kSilence);
    http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](error_code failed, std::size_t) {
      if (!failed) self->answer();
    });
  }

 private:
  void answer() {
    const auto& asked = parser_->get();
    const std::string_view target(asked.target().data(), asked.target().size());
    const std::size_t mark = std::min(target.find('?'), target.size());
    HttpRequest request{std::string(asked.method_string()), std::string(target.substr(0, mark)),
                        std::string(target.substr(std::min(mark + 1, target.size())))};
    HttpReply reply = handler_(request);
    response_ = {};
    response_.version(asked.version());
    response_.keep_alive(asked.keep_alive());
    response_.result(reply.status);
    response_.set(http::field::content_type, reply.content_type);
    response_.set(http::field::cache_control, "no-store");
    response_.body() = std::move(reply.body);
    response_.prepare_payload();
    if (asked.method() == http::verb::head) response_.body().clear();
    stream_.expires_after(kSilence);
    http::async_write(stream_, response_, [self = shared_from_this()](error_code failed, std::size_t) {
      if (failed || !self->response_.keep_alive()) return self->close();
      self->read();
    });
  }
  void close() {
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
  const HttpHandler& handler_;
  std::function<void()> ended_;
};

}  // namespace

class HttpServer::Impl {
 public:
  explicit Impl(HttpHandler handler) : handler_(std::move(handler)) {}
  ~Impl() {
    context_.stop();
    if (thread_.joinable()) thread_.join();
    closing_ = true;  // sessions that still wait in the context go with it
  }

  Result<std::uint16_t> start(const ListenAddress& address) {
    error_code failed;
    const tcp::endpoint endpoint(asio::ip::make_address(address.host, failed), address.port);
    if (!failed) acceptor_.open(endpoint.protocol(), failed);
    if (!failed) acceptor_.set_option(tcp::acceptor::reuse_address(true), failed);
    if (!failed) acceptor_.bind(endpoint, failed);
    if (!failed) acceptor_.listen(tcp::acceptor::max_listen_connections, failed);
    if (failed)
      return fail(code::unavailable, fmt::format("cannot listen on {}: {}", address.to_string(), failed.message()),
                  "choose another address with --listen");
    const std::uint16_t port = acceptor_.local_endpoint().port();
    accept();
    thread_ = std::thread([this] { context_.run(); });
    ::pthread_setname_np(thread_.native_handle(), "http");
    return port;
  }

 private:
  void accept() {
    accepting_ = true;
    acceptor_.async_accept([this](error_code failed, tcp::socket socket) {
      accepting_ = false;
      if (!failed) {
        ++connections_;
        std::make_shared<Session>(std::move(socket), handler_, [this] { ended(); })->read();
      }
      if (connections_ < kConnections) accept();
    });
  }
  void ended() {
    --connections_;
    if (!closing_ && !accepting_) accept();
  }

  HttpHandler handler_;
  std::size_t connections_ = 0;
  bool accepting_ = false;
  bool closing_ = false;
  asio::io_context context_{1};
  tcp::acceptor acceptor_{context_};
  std::thread thread_;
};

// --- addresses --------------------------------------------------------------------------------------------------------

std::string ListenAddress::to_string() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

Result<ListenAddress> parse_listen_address(std::string_view text, bool allow_remote) {
  const std::size_t colon = text.rfind(':');
  std::string_view host = colon == std::string_view::npos ? std::string_view() : text.substr(0, colon);
  const std::string_view port = colon == std::string_view::npos ? text : text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  ListenAddress address;
  if (!host.empty() && host != "localhost") address.host = host;
  const auto [end, bad] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  error_code failed;
  const auto ip = asio::ip::make_address(address.host, failed);
  if (failed || bad != std::errc() || end != port.data() + port.size())
    return fail(code::invalid_input, fmt::format("'{}' is no address to listen on", text), "for example: 127.0.0.1:7700");
  if (!ip.is_loopback() && !allow_remote)
    return fail(code::invalid_input, fmt::format("{} can be reached by other machines, and nobody has to log in", address.host),
                "listen on 127.0.0.1 behind a proxy that asks who comes, or say --allow-remote");
  return address;
}

// --- the server -------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<HttpServer>> HttpServer::start(const ListenAddress& address, HttpHandler handler) {
  auto impl = std::make_shared<Impl>(std::move(handler));
  MAPFLOW_ASSIGN(const std::uint16_t port, impl->start(address));
  ListenAddress bound = address;
  bound.port = port;
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl), std::move(bound)));
}

HttpServer::~HttpServer() = default;

}  // namespace mapflow::server
