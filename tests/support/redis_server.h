// A real Redis server for tests: in a temporary folder, on a loopback port, gone at the end.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "support/server_process.h"

namespace mapflow::testing {

class RedisServer {
 public:
  /// `settings` are lines for its configuration, behind those that make it sync every write.
  explicit RedisServer(const std::vector<std::string>& settings = {});

  static constexpr const char* kPassword = "s3cret&/word";
  /// A URL for it as its user "mapflow"; `options` is what follows the '?'.
  std::string url(const std::string& options = "") const { return url_through(port_, options); }
  std::string url_of(const std::string& user, const std::string& password, const std::string& options = "") const;
  /// The URL with another port: of something that stands between.
  std::string url_through(std::uint16_t port, const std::string& options = "") const;
  std::uint16_t port() const { return port_; }

  /// Ends it at once, as a machine does that loses its power.
  void kill() { process_.reset(); }
  /// Starts it again after kill(), and waits until it answers.
  void start();
  /// Runs a command, its words separated by blanks, and gives what redis-cli prints.
  std::string command(const std::string& words) const;

 private:
  ServerFolder folder_;
  std::uint16_t port_;
  std::unique_ptr<ServerProcess> process_;
};

/// The server that a whole test program shares.
RedisServer& shared_redis();

}  // namespace mapflow::testing
