// A TCP connection that never blocks, plain or under TLS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/time.h"

namespace mapflow::persistence::redis {

struct Endpoint {
  std::string host;
  std::uint16_t port = 6379;

  auto operator<=>(const Endpoint&) const = default;
  std::string to_string() const;
};

struct TlsOptions {
  std::string ca_file;    ///< empty: the system's
  std::string cert_file;  ///< of this client, when the server asks for it
  std::string key_file;
};

/// Thread safety: one thread at a time.
class Socket {
 public:
  virtual ~Socket() = default;

  /// Waits for the connection, at most for the timeout. Errors: unavailable.
  static Result<std::unique_ptr<Socket>> connect(const Endpoint& to, const TlsOptions* tls, Duration timeout);

  virtual int descriptor() const = 0;
  /// How many bytes went out; 0: none at the moment. Errors: unavailable, the connection is lost.
  virtual Result<std::size_t> write(std::string_view bytes) = 0;
  /// How many bytes came; 0: none at the moment. Errors: unavailable, also at the connection's end.
  virtual Result<std::size_t> read(char* buffer, std::size_t size) = 0;
};

}  // namespace mapflow::persistence::redis
