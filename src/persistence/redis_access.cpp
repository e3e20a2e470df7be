#include "persistence/redis_access.h"

namespace mapflow::persistence::redis {
namespace {

/// Sends them all, then takes all answers; the first refusal counts.
Result<std::vector<Reply>> query_all(Connection& connection, const Access::Reads& reads) {
  for (const auto& [key, command] : reads) MAPFLOW_TRY(connection.send(command));
  std::vector<Reply> replies;
  std::optional<Error> refused;
  while (connection.under_way() > 0) {
    auto answer = connection.receive();
    if (!answer) {
      connection.wait(-1);
      continue;
    }
    if (*answer) replies.push_back(**std::move(answer));
    else if (!refused) refused = answer->error();
  }
  if (refused) return fail(*std::move(refused));
  return replies;
}

}  // namespace

Access::Access(std::vector<Endpoint> endpoints, ConnectOptions connect, Duration patience)
    : connect_(std::move(connect)), patience_(patience),
      opener_([endpoint = endpoints.front(), options = connect_] { return Connection::open(endpoint, options); }),
      pool_(opener_, patience) {}

Result<Reply> Access::read(std::string_view, const Command& command) {
  return pool_.read([&](Connection& connection) { return connection.query(command); });
}

Result<Reply> Access::write(std::string_view, const Command& command) {
  return pool_.write([&](Connection& connection) { return connection.query(command); });
}

Result<std::vector<Reply>> Access::read_all(const Reads& reads) {
  return pool_.read([&](Connection& connection) { return query_all(connection, reads); });
}

Result<std::unique_ptr<Connection>> Access::connect(std::string_view) { return opener_(); }

}  // namespace mapflow::persistence::redis
