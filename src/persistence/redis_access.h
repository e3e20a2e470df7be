// The way to the server that has a key: to the only one, to the one that sentinels name, or to one of a cluster.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "persistence/redis_connection.h"
#include "persistence/redis_keys.h"
#include "persistence/redis_slots.h"
#include "persistence/server_pool.h"

namespace mapflow::persistence::redis {

struct AccessOptions {
  enum class Kind : std::uint8_t { single, sentinel, cluster };
  Kind kind = Kind::single;
  std::vector<Endpoint> endpoints;  ///< the server; or sentinels; or some servers of the cluster
  ConnectOptions connect;
  std::string primary;              ///< by which name sentinels know the server
  ConnectOptions sentinel;          ///< how sentinels are talked to
  std::uint32_t replicas = 0;       ///< how many must have a write before it counts
  Duration patience = std::chrono::seconds(10);  ///< how long a server that is away is tried again
};

/// Thread safety: every call from any thread.
class Access {
 public:
  explicit Access(AccessOptions options) : options_(std::move(options)) {}

  /// A call that changes nothing. All its keys are in the slot of `key`. Errors: unavailable.
  Result<Reply> read(std::string_view key, const Command& command) { return call(key, command, true, false); }
  /// One that changes nothing twice: it is repeated when the connection breaks.
  Result<Reply> rewrite(std::string_view key, const Command& command) { return call(key, command, true, true); }
  /// One that is made once: when the connection breaks, nobody knows whether it happened, and it is `unavailable`.
  Result<Reply> write(std::string_view key, const Command& command) { return call(key, command, false, true); }

  /// Many reads, or rewrites, at once, answered in their order.
  using Calls = std::vector<std::pair<std::string, Command>>;
  Result<std::vector<Reply>> read_all(const Calls& calls) { return call_all(calls, false); }
  Result<std::vector<Reply>> rewrite_all(const Calls& calls) { return call_all(calls, true); }
  /// The same question to every server.
  Result<std::vector<Reply>> ask_servers(const Command& command);

  /// A connection of the caller's own, to the server that has the key. Errors: unavailable.
  Result<std::unique_ptr<Connection>> connect(std::string_view key);
  /// Where the key is, as far as is known. Errors: unavailable.
  Result<Endpoint> server_of(std::string_view key);
  /// Takes to heart what a call to that server failed with: another one has the key, or who has what must be asked anew.
  void learn(std::string_view key, const Endpoint& server, const Error& error);

  bool cluster() const { return options_.kind == AccessOptions::Kind::cluster; }
  const AccessOptions& options() const { return options_; }
  const std::string& name() const { return options_.connect.name; }
  Duration patience() const { return options_.patience; }

  /// An error as the contract knows it.
  Error plain(Error error) const;

  /// The command behind a write whose answer says how many replicas have it.
  Command wait_for_replicas() const;
  /// Errors: unavailable when too few have it.
  Status enough_replicas(const Reply& reply) const;

 private:
  struct Attempt {
    Result<std::vector<Reply>> outcome;
    bool again = false;  ///< it certainly did not happen, and may be tried again
    bool lost = false;   ///< nobody knows whether it happened
  };
  using Commands = std::vector<const Command*>;

  Result<Reply> call(std::string_view key, const Command& command, bool repeat, bool writes);
  Result<std::vector<Reply>> call_all(const Calls& calls, bool writes);
  enum class Asking : bool { no, yes };
  Attempt call_at(const Endpoint& server, const Commands& commands, bool writes, Asking asking = Asking::no);
  Result<std::unique_ptr<Connection>> take(const Endpoint& server);
  void give_back(std::unique_ptr<Connection> connection);
  Status look_around();
  Result<SlotTable> ask_cluster(const Endpoint& server);
  Result<Endpoint> ask_sentinel(const Endpoint& sentinel);

  const AccessOptions options_;
  std::mutex mutex_;
  std::map<Endpoint, std::vector<std::unique_ptr<Connection>>> idle_;
  std::optional<Endpoint> primary_;  ///< as sentinels have said
  std::optional<SlotTable> slots_;   ///< as the cluster has said
};

}  // namespace mapflow::persistence::redis
