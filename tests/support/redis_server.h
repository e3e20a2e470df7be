// Real Redis servers for tests, single and as a cluster: in temporary folders, on loopback ports, gone at the end.
#pragma once

#include <cstdint>
#include <functional>
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
  bool running() const { return process_ != nullptr; }
  /// Starts it again after kill(), and waits until it answers.
  void start();
  /// Runs a command and gives what redis-cli prints. As one text, its words are separated by blanks.
  std::string command(const std::string& words) const;
  std::string command(const std::vector<std::string>& words) const;

 private:
  ServerFolder folder_;
  std::uint16_t port_;
  std::unique_ptr<ServerProcess> process_;
};

/// Six servers that are one cluster: three primaries, each with a replica.
class RedisCluster {
 public:
  RedisCluster();
  std::string url(const std::string& options = "") const;
  RedisServer& server(std::size_t number) { return *servers_.at(number); }
  static constexpr std::size_t kServers = 6;

  /// The number of the primary that has the key.
  std::size_t server_of(const std::string& key);
  /// Waits until every server that runs says that every slot is served.
  void wait_until_whole();
  /// Moves the slot of the key, with all of its keys, to another primary, and calls between the steps.
  void move_slot_of(const std::string& key, const std::function<void()>& between);

 private:
  std::vector<std::unique_ptr<RedisServer>> servers_;
};

/// A primary and its replica, with a sentinel that lets the replica take over when the primary is gone.
class RedisSentinel {
 public:
  RedisSentinel();
  std::string url(const std::string& options = "") const;
  RedisServer& primary() { return primary_; }
  RedisServer& replica() { return replica_; }
  /// Lets the replica become the primary and the other way round, and waits until the sentinel names it.
  void take_over();

 private:
  bool sentinel_says(const std::vector<std::string>& to, const std::string& what);
  RedisServer primary_, replica_;
  ServerFolder folder_;
  std::uint16_t port_;
  std::unique_ptr<ServerProcess> process_;
};

/// The server, and the cluster, that a whole test program shares.
RedisServer& shared_redis();
RedisCluster& shared_redis_cluster();

}  // namespace mapflow::testing
