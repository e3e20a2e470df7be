// The way to the server for calls that wait for their answer.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "persistence/redis_connection.h"
#include "persistence/redis_keys.h"
#include "persistence/server_pool.h"

namespace mapflow::persistence::redis {

/// Thread safety: every call from any thread.
class Access {
 public:
  Access(std::vector<Endpoint> endpoints, ConnectOptions connect, Duration patience);

  /// A call that changes nothing, or nothing twice: it is repeated when the connection breaks. All its keys are in the
  /// slot of `key`. Errors: unavailable.
  Result<Reply> read(std::string_view key, const Command& command);
  /// A call that is made once: when the connection breaks, nobody knows whether it happened, and it is `unavailable`.
  Result<Reply> write(std::string_view key, const Command& command);

  /// Many reads at once, answered in their order.
  using Reads = std::vector<std::pair<std::string, Command>>;
  Result<std::vector<Reply>> read_all(const Reads& reads);

  /// A connection of the caller's own, to the server that has the key. Errors: unavailable.
  Result<std::unique_ptr<Connection>> connect(std::string_view key);

  const std::string& name() const { return connect_.name; }
  Duration patience() const { return patience_; }

 private:
  const ConnectOptions connect_;
  const Duration patience_;
  const Connect<Connection> opener_;
  ServerPool<Connection> pool_;
};

}  // namespace mapflow::persistence::redis
