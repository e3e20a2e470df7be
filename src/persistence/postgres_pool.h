// Connections for the calls that wait for their answer.
#pragma once

#include <memory>

#include "persistence/postgres_connection.h"
#include "persistence/server_pool.h"

namespace mapflow::persistence::postgres {

using Pool = ServerPool<Connection>;

inline Connect<Connection> opener(const ConnectOptions& options) {
  return [options] { return Connection::open(options); };
}

}  // namespace mapflow::persistence::postgres
