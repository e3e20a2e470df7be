// Which server of a Redis Cluster has which hash slot.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "persistence/redis_reply.h"
#include "persistence/redis_socket.h"

namespace mapflow::persistence::redis {

class SlotTable {
 public:
  /// From the answer to CLUSTER SLOTS that `asked` gave. Errors: corrupt.
  static Result<SlotTable> read(const Reply& reply, const Endpoint& asked);

  /// Nothing when no server has the slot.
  std::optional<Endpoint> server_of(std::uint16_t slot) const;
  /// Every server that has some slot.
  const std::vector<Endpoint>& servers() const { return servers_; }
  void move(std::uint16_t slot, const Endpoint& to);

 private:
  std::size_t index_of(const Endpoint& server);
  std::vector<Endpoint> servers_;
  std::vector<std::uint16_t> owner_ = std::vector<std::uint16_t>(16384, kNobody);  ///< index into servers_
  static constexpr std::uint16_t kNobody = 0xFFFF;
};

/// The last word of "MOVED SLOT HOST:PORT" or "ASK SLOT HOST:PORT"; without a host it is that of `asked`.
std::optional<Endpoint> redirection(std::string_view message, const Endpoint& asked);

}  // namespace mapflow::persistence::redis
