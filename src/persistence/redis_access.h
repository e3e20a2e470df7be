// The way to the server that has a key: to the only one, or to one of a cluster.
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

/// Thread safety: every call from any thread.
class Access {
 public:
  /// In a cluster the endpoints are some of its servers, by which the others are found.
  Access(std::vector<Endpoint> endpoints, ConnectOptions connect, Duration patience, bool cluster);

  /// A call that changes nothing, or nothing twice: it is repeated when the connection breaks. All its keys are in the
  /// slot of `key`. Errors: unavailable.
  Result<Reply> read(std::string_view key, const Command& command) { return call(key, command, true); }
  /// A call that is made once: when the connection breaks, nobody knows whether it happened, and it is `unavailable`.
  Result<Reply> write(std::string_view key, const Command& command) { return call(key, command, false); }

  /// Many reads at once, answered in their order.
  using Reads = std::vector<std::pair<std::string, Command>>;
  Result<std::vector<Reply>> read_all(const Reads& reads);
  /// The same question to every server.
  Result<std::vector<Reply>> ask_servers(const Command& command);

  /// A connection of the caller's own, to the server that has the key. Errors: unavailable.
  Result<std::unique_ptr<Connection>> connect(std::string_view key);
  /// Where the key is, as far as is known. Errors: unavailable.
  Result<Endpoint> server_of(std::string_view key);
  /// Takes to heart what a call to that server failed with: another one has the key, or who has what must be asked anew.
  void learn(std::string_view key, const Endpoint& server, const Error& error);

  bool cluster() const { return cluster_; }
  const std::string& name() const { return connect_.name; }
  Duration patience() const { return patience_; }

 private:
  struct Attempt {
    Result<std::vector<Reply>> outcome;
    bool again = false;  ///< it certainly did not happen, and may be tried again
    bool lost = false;   ///< nobody knows whether it happened
  };
  using Commands = std::vector<const Command*>;

  Result<Reply> call(std::string_view key, const Command& command, bool repeat);
  Attempt call_at(const Endpoint& server, const Commands& commands, bool asking = false);
  Result<std::unique_ptr<Connection>> take(const Endpoint& server);
  void give_back(std::unique_ptr<Connection> connection);
  Status look_around();
  Error plain(Error error) const;

  const std::vector<Endpoint> endpoints_;
  const ConnectOptions connect_;
  const Duration patience_;
  const bool cluster_;
  std::mutex mutex_;
  std::map<Endpoint, std::vector<std::unique_ptr<Connection>>> idle_;
  std::optional<SlotTable> slots_;
};

}  // namespace mapflow::persistence::redis
