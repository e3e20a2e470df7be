// A real PostgreSQL server for tests: in a temporary folder, on a loopback port, gone at the end.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "support/server_process.h"

namespace mapflow::testing {

class PostgresServer {
 public:
  enum class Durability { on, off };  ///< off: nothing is synced, which is faster
  explicit PostgresServer(Durability durability = Durability::off);
  ~PostgresServer();

  static constexpr const char* kPassword = "s3cret&/word";
  /// A URL for it as its superuser "mapflow"; `options` is what follows the '?'.
  std::string url(const std::string& options = "") const;
  std::string url_of(const std::string& user, const std::string& password, const std::string& options = "") const;
  /// The URL with another port: of something that stands between.
  std::string url_through(std::uint16_t port, const std::string& options = "") const;
  std::uint16_t port() const { return port_; }

  /// Ends every process of it at once, as a machine does that loses its power.
  void kill();
  /// Starts it again after kill(), and waits until it takes connections.
  void start();
  /// Runs SQL as the superuser; rows come as lines, columns separated by '|'.
  std::string sql(const std::string& statement) const;

 private:
  bool end();  ///< gives whether all of its processes are gone
  const std::string program_;
  ServerFolder folder_;
  std::string log_;
  std::uint16_t port_;
  std::unique_ptr<ServerProcess> process_;
};

/// A pooler that lends the server's connections for one transaction at a time.
class PgBouncer {
 public:
  explicit PgBouncer(const PostgresServer& server);
  std::uint16_t port() const { return port_; }

 private:
  ServerFolder folder_;
  std::uint16_t port_;
  std::unique_ptr<ServerProcess> process_;
};

/// The server that a whole test program shares.
PostgresServer& shared_postgres();

}  // namespace mapflow::testing
