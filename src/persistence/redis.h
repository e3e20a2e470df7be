// The store on Redis 7: one server, one behind sentinels, or a cluster, shared by all nodes.
//
//   commit() ─> writer thread ─> one function call for everything queued: check the leases, write ─> every done()
//   acquire(), post(), list() … ─> connections of their own, on the caller's thread
//
// Read on: docs/design/redis.md, redis_keys.h (what lies where), redis_scripts.cpp (what runs inside the server),
// redis_writer.h (the group commit, and what happens when the connection breaks).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "persistence/redis_access.h"
#include "persistence/store.h"

namespace mapflow::persistence {

struct RedisOptions {
  redis::AccessOptions access;
  std::string prefix = "mapflow";       ///< of every key
  std::uint32_t shared_partitions = 8;  ///< for a new store; an old one keeps its count
};

/// Reads what follows "scheme:" in a URL, where the scheme is redis, redis+sentinel, redis+cluster, or one of them with
/// rediss for TLS. Errors: invalid_input.
Result<RedisOptions> parse_redis_url(std::string_view scheme, std::string_view rest);

/// Opens the store, making its keys when they are missing. Errors: as persistence::open.
Result<std::unique_ptr<Store>> open_redis(const RedisOptions& options);

}  // namespace mapflow::persistence
