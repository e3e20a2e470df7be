#include "persistence/redis_access.h"

#include <fmt/format.h>

#include <algorithm>

namespace mapflow::persistence::redis {
namespace {

constexpr std::size_t kMaxIdle = 4;

/// Sends them all, then takes all answers; the first refusal counts.
Result<std::vector<Reply>> query_all(Connection& connection, const std::vector<const Command*>& commands) {
  for (const Command* command : commands) MAPFLOW_TRY(connection.send(*command));
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

bool redirected(const Error& error) { return error.is(refusal::moved) || error.is(refusal::ask); }

}  // namespace

Access::Access(std::vector<Endpoint> endpoints, ConnectOptions connect, Duration patience, bool cluster)
    : endpoints_(std::move(endpoints)), connect_(std::move(connect)), patience_(patience), cluster_(cluster) {}

Result<Reply> Access::call(std::string_view key, const Command& command, bool repeat) {
  for (BackOff back_off(patience_);;) {
    const auto server = server_of(key);
    Attempt attempt = server ? call_at(*server, {&command})
                             : Attempt{fail(server.error()), server.error().retryable != false, false};
    if (cluster_ && !attempt.outcome && attempt.outcome.error().is(refusal::ask)) {
      if (const auto to = redirection(attempt.outcome.error().message, *server)) attempt = call_at(*to, {&command}, true);
    }
    if (attempt.outcome) return std::move(attempt.outcome->front());
    const Error& error = attempt.outcome.error();
    if (server) learn(key, *server, error);
    const bool again = attempt.again || (repeat && attempt.lost);
    if (!again || !back_off.wait()) return fail(plain(error));
  }
}

Result<std::vector<Reply>> Access::read_all(const Reads& reads) {
  for (BackOff back_off(patience_);;) {
    std::map<Endpoint, std::vector<std::size_t>> by_server;
    std::optional<Error> failed;
    for (std::size_t number = 0; number < reads.size() && !failed; ++number) {
      if (auto server = server_of(reads[number].first)) by_server[*std::move(server)].push_back(number);
      else failed = server.error();
    }
    std::vector<Reply> replies(reads.size());
    bool again = failed && failed->retryable != false;
    for (const auto& [server, numbers] : by_server) {
      if (failed) break;
      Commands commands;
      for (const std::size_t number : numbers) commands.push_back(&reads[number].second);
      Attempt attempt = call_at(server, commands);
      if (attempt.outcome) {
        for (std::size_t index = 0; index < numbers.size(); ++index) replies[numbers[index]] = std::move((*attempt.outcome)[index]);
        continue;
      }
      failed = attempt.outcome.error();
      again = attempt.again || attempt.lost;
      learn(reads[numbers.front()].first, server, Error(code::unavailable, failed->message));  // of which key it speaks is not known
    }
    if (!failed) return replies;
    if (!again || !back_off.wait()) return fail(plain(*failed));
  }
}

Result<std::vector<Reply>> Access::ask_servers(const Command& command) {
  std::vector<Endpoint> servers = endpoints_;
  if (cluster_) {
    MAPFLOW_TRY(look_around());
    const std::lock_guard lock(mutex_);
    servers = slots_->servers();
  }
  std::vector<Reply> replies;
  for (const Endpoint& server : servers) {
    Attempt attempt = call_at(server, {&command});
    if (!attempt.outcome) return fail(plain(attempt.outcome.error()));
    replies.push_back(std::move(attempt.outcome->front()));
  }
  return replies;
}

Result<std::unique_ptr<Connection>> Access::connect(std::string_view key) {
  MAPFLOW_ASSIGN(const Endpoint server, server_of(key));
  return Connection::open(server, connect_);
}

Access::Attempt Access::call_at(const Endpoint& server, const Commands& commands, bool asking) {
  auto connection = take(server);
  if (!connection) return {fail(connection.error()), connection.error().retryable != false, false};
  static const Command kAsking{"ASKING"};
  Commands all = commands;
  if (asking) all.insert(all.begin(), &kAsking);
  Attempt attempt{query_all(**connection, all), false, false};
  if (attempt.outcome) {
    if (asking) attempt.outcome->erase(attempt.outcome->begin());
  } else {
    const Error& error = attempt.outcome.error();
    attempt.again = passing(error) || (cluster_ && redirected(error));
    attempt.lost = !attempt.again && !(*connection)->usable();
  }
  if ((*connection)->usable()) give_back(*std::move(connection));
  return attempt;
}

Result<std::unique_ptr<Connection>> Access::take(const Endpoint& server) {
  for (;;) {
    std::unique_ptr<Connection> connection;
    {
      const std::lock_guard lock(mutex_);
      std::vector<std::unique_ptr<Connection>>& idle = idle_[server];
      if (idle.empty()) break;
      connection = std::move(idle.back());
      idle.pop_back();
    }
    if (connection->usable()) return connection;  // the server may have closed it meanwhile
  }
  return Connection::open(server, connect_);
}

void Access::give_back(std::unique_ptr<Connection> connection) {
  const std::lock_guard lock(mutex_);
  std::vector<std::unique_ptr<Connection>>& idle = idle_[connection->endpoint()];
  if (idle.size() < kMaxIdle) idle.push_back(std::move(connection));
}

// --- who has what -----------------------------------------------------------------------------------------------------

Result<Endpoint> Access::server_of(std::string_view key) {
  if (!cluster_) return endpoints_.front();
  for (bool looked = false;; looked = true) {
    {
      const std::lock_guard lock(mutex_);
      if (slots_) {
        if (auto server = slots_->server_of(slot_of(key))) return *std::move(server);
        if (looked) return fail(code::unavailable, fmt::format("{}: no server of the cluster has slot {}", connect_.name, slot_of(key)));
      }
    }
    MAPFLOW_TRY(look_around());
  }
}

void Access::learn(std::string_view key, const Endpoint& server, const Error& error) {
  if (!cluster_ || error.is(refusal::ask)) return;
  const std::lock_guard lock(mutex_);
  const auto to = error.is(refusal::moved) ? redirection(error.message, server) : std::nullopt;
  if (to && slots_) slots_->move(slot_of(key), *to);
  else slots_.reset();
}

/// Asks the servers that are known, one after the other, who has what.
Status Access::look_around() {
  std::vector<Endpoint> candidates = endpoints_;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [server, connections] : idle_) candidates.push_back(server);
  }
  std::optional<Error> failed;
  static const Command kSlots{"CLUSTER", "SLOTS"};
  for (const Endpoint& server : candidates) {
    const Attempt attempt = call_at(server, {&kSlots});
    auto table = attempt.outcome ? SlotTable::read(attempt.outcome->front(), server) : fail(attempt.outcome.error());
    if (table && !table->servers().empty()) {
      const std::lock_guard lock(mutex_);
      slots_ = *std::move(table);
      return {};
    }
    if (!failed) failed = table ? Error(code::unavailable, fmt::format("{}: {} knows of no cluster", connect_.name, server.to_string()))
                                : table.error();
    if (failed->message.contains("cluster support disabled")) {
      failed->hint = "it is a single server: write redis://";
      failed->retryable = false;
    }
  }
  return fail(*std::move(failed));
}

/// An error as the contract knows it.
Error Access::plain(Error error) const {
  if (!redirected(error)) return error;
  error.code = code::unavailable;
  if (!cluster_) error.hint = "the server is one of a cluster: write redis+cluster://";
  return error;
}

}  // namespace mapflow::persistence::redis
