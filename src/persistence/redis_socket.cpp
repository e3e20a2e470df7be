#include "persistence/redis_socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace mapflow::persistence::redis {
namespace {

using Clock = std::chrono::steady_clock;

Error broken(std::string_view why) { return Error(code::unavailable, fmt::format("the connection broke: {}", why)); }
std::string error_text(int number) { return std::error_code(number, std::generic_category()).message(); }

/// Waits for the events; false when the deadline is over.
bool wait_for(int descriptor, short events, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd socket{descriptor, events, 0};
    const int ready = poll(&socket, 1, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000)));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

class PlainSocket final : public Socket {
 public:
  explicit PlainSocket(int descriptor) : descriptor_(descriptor) {}
  ~PlainSocket() override { close(descriptor_); }

  int descriptor() const override { return descriptor_; }
  Result<std::size_t> write(std::string_view bytes) override {
    return outcome(::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
  }
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    const ssize_t count = recv(descriptor_, buffer, size, 0);
    if (count == 0) return fail(broken("the server closed it"));
    return outcome(count);
  }

 private:
  static Result<std::size_t> outcome(ssize_t count) {
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return std::size_t{0};
    return fail(broken(error_text(errno)));
  }
  const int descriptor_;
};

std::string tls_error() {
  char text[256] = "";
  const unsigned long number = ERR_get_error();
  if (number != 0) ERR_error_string_n(number, text, sizeof text);
  ERR_clear_error();
  return number != 0 ? text : "the server closed it";
}

struct FreeContext { void operator()(SSL_CTX* context) const { SSL_CTX_free(context); } };
struct FreeSession { void operator()(SSL* session) const { SSL_free(session); } };

class TlsSocket final : public Socket {
 public:
  explicit TlsSocket(std::unique_ptr<Socket> plain) : plain_(std::move(plain)) {}

  Status greet(const Endpoint& to, const TlsOptions& options, Clock::time_point deadline) {
    MAPFLOW_TRY(set_up(to, options));
    for (;;) {
      const int done = SSL_connect(session_.get());
      if (done == 1) return {};
      const int why = SSL_get_error(session_.get(), done);
      if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return fail(not_trusted());
      if (!wait_for(descriptor(), why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline))
        return fail(code::unavailable, "the server does not answer to TLS");
    }
  }

  int descriptor() const override { return plain_->descriptor(); }
  Result<std::size_t> write(std::string_view bytes) override {
    return outcome(SSL_write(session_.get(), bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 30))));
  }
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    return outcome(SSL_read(session_.get(), buffer, static_cast<int>(size)));
  }

 private:
  Status set_up(const Endpoint& to, const TlsOptions& options) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX* const context = context_.get();
    const bool trust = context && (options.ca_file.empty() ? SSL_CTX_set_default_verify_paths(context) == 1
                                                           : SSL_CTX_load_verify_file(context, options.ca_file.c_str()) == 1);
    if (!trust) return fail(useless("the roots of trust", options.ca_file));
    if (!options.cert_file.empty() && SSL_CTX_use_certificate_chain_file(context, options.cert_file.c_str()) != 1)
      return fail(useless("the certificate", options.cert_file));
    if (!options.key_file.empty() && SSL_CTX_use_PrivateKey_file(context, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
      return fail(useless("the key", options.key_file));
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    session_.reset(SSL_new(context));
    SSL* const session = session_.get();
    if (!session || SSL_set_fd(session, descriptor()) != 1) return fail(useless("TLS", ""));
    in6_addr ignored{};
    const bool address = inet_pton(AF_INET, to.host.c_str(), &ignored) == 1 || inet_pton(AF_INET6, to.host.c_str(), &ignored) == 1;
    X509_VERIFY_PARAM* const check = SSL_get0_param(session);
    const bool named = address ? X509_VERIFY_PARAM_set1_ip_asc(check, to.host.c_str()) == 1
                               : SSL_set_tlsext_host_name(session, to.host.c_str()) == 1 && SSL_set1_host(session, to.host.c_str()) == 1;
    if (!named) return fail(useless("the host's name", to.host));
    return {};
  }

  static Error useless(std::string_view what, std::string_view file) {
    Error error(code::unavailable, fmt::format("{} cannot be used{}{}: {}", what, file.empty() ? "" : ": ", file, tls_error()));
    error.retryable = false;
    return error;
  }
  Error not_trusted() const {
    const long verdict = SSL_get_verify_result(session_.get());
    if (verdict == X509_V_OK) return Error(code::unavailable, fmt::format("the server refuses TLS: {}", tls_error()));
    ERR_clear_error();
    Error error(code::unavailable, fmt::format("the server's certificate is not trusted: {}", X509_verify_cert_error_string(verdict)),
                "name the authority that signed it with ?cafile=FILE");
    error.retryable = false;
    return error;
  }
  Result<std::size_t> outcome(int count) {
    if (count > 0) return static_cast<std::size_t>(count);
    switch (SSL_get_error(session_.get(), count)) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE: return std::size_t{0};
      default: return fail(broken(tls_error()));
    }
  }

  const std::unique_ptr<Socket> plain_;
  std::unique_ptr<SSL_CTX, FreeContext> context_;
  std::unique_ptr<SSL, FreeSession> session_;
};

/// A socket that is connected to one of the host's addresses, or the number of the last error.
Result<std::unique_ptr<Socket>> connect_plain(const Endpoint& to, Clock::time_point deadline) {
  addrinfo wanted{}, *found = nullptr;
  wanted.ai_socktype = SOCK_STREAM;
  if (const int problem = getaddrinfo(to.host.c_str(), std::to_string(to.port).c_str(), &wanted, &found); problem != 0)
    return fail(code::unavailable, fmt::format("the host is not known: {}", gai_strerror(problem)));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, &freeaddrinfo);
  std::string why = "it has no address";
  for (const addrinfo* address = found; address; address = address->ai_next) {
    const int descriptor = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    if (descriptor < 0) return fail(code::unavailable, error_text(errno));
    auto made = std::make_unique<PlainSocket>(descriptor);
    int problem = ::connect(descriptor, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
    if (problem == EINPROGRESS) {
      socklen_t size = sizeof problem;
      if (!wait_for(descriptor, POLLOUT, deadline)) problem = ETIMEDOUT;
      else getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &problem, &size);
    }
    if (problem == 0) {
      const int on = 1;
      setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
      return made;
    }
    why = error_text(problem);
  }
  return fail(code::unavailable, std::move(why));
}

}  // namespace

std::string Endpoint::to_string() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

Result<std::unique_ptr<Socket>> Socket::connect(const Endpoint& to, const TlsOptions* tls, Duration timeout) {
  const auto deadline = Clock::now() + timeout;
  MAPFLOW_ASSIGN(auto plain, connect_plain(to, deadline));
  if (!tls) return plain;
  auto secured = std::make_unique<TlsSocket>(std::move(plain));
  MAPFLOW_TRY(secured->greet(to, *tls, deadline));
  return secured;
}

}  // namespace mapflow::persistence::redis
