#include "persistence/redis_access.h"

#include <fmt/format.h>

#include <algorithm>

namespace mapflow::persistence::redis {
namespace {

using Kind = AccessOptions::Kind;

constexpr std::size_t kMaxIdle = 4;
/// How long one write waits for replicas, in milliseconds; then it is looked at anew, until the patience is over.
constexpr int kReplicaWait = 1000;

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

Result<Reply> Access::call(std::string_view key, const Command& command, bool repeat, bool writes) {
  for (BackOff back_off(options_.patience);;) {
    const auto server = server_of(key);
    Attempt attempt = server ? call_at(*server, {&command}, writes)
                             : Attempt{fail(server.error()), server.error().retryable != false, false};
    if (cluster() && !attempt.outcome && attempt.outcome.error().is(refusal::ask)) {
      if (const auto to = redirection(attempt.outcome.error().message, *server)) attempt = call_at(*to, {&command}, writes, Asking::yes);
    }
    if (attempt.outcome) return std::move(attempt.outcome->front());
    const Error& error = attempt.outcome.error();
    if (server) learn(key, *server, error);
    const bool again = attempt.again || (repeat && attempt.lost);
    if (!again || !back_off.wait()) return fail(plain(error));
  }
}

Result<std::vector<Reply>> Access::call_all(const Calls& calls, bool writes) {
  for (BackOff back_off(options_.patience);;) {
    std::map<Endpoint, std::vector<std::size_t>> by_server;
    std::optional<Error> failed;
    for (std::size_t number = 0; number < calls.size() && !failed; ++number) {
      if (auto server = server_of(calls[number].first)) by_server[*std::move(server)].push_back(number);
      else failed = server.error();
    }
    std::vector<Reply> replies(calls.size());
    bool again = failed && failed->retryable != false;
    for (const auto& [server, numbers] : by_server) {
      if (failed) break;
      Commands commands;
      for (const std::size_t number : numbers) commands.push_back(&calls[number].second);
      Attempt attempt = call_at(server, commands, writes);
      if (attempt.outcome) {
        for (std::size_t index = 0; index < numbers.size(); ++index) replies[numbers[index]] = std::move((*attempt.outcome)[index]);
        continue;
      }
      failed = attempt.outcome.error();
      again = attempt.again || attempt.lost;
      learn(calls[numbers.front()].first, server, Error(code::unavailable, failed->message));  // of which key it speaks is not known
    }
    if (!failed) return replies;
    if (!again || !back_off.wait()) return fail(plain(*failed));
  }
}

Result<std::vector<Reply>> Access::ask_servers(const Command& command) {
  std::vector<Endpoint> servers;
  if (cluster()) {
    MAPFLOW_TRY(look_around());
    const std::lock_guard lock(mutex_);
    servers = slots_->servers();
  } else {
    MAPFLOW_ASSIGN(Endpoint server, server_of({}));
    servers.push_back(std::move(server));
  }
  std::vector<Reply> replies;
  for (const Endpoint& server : servers) {
    Attempt attempt = call_at(server, {&command}, false);
    if (!attempt.outcome) return fail(plain(attempt.outcome.error()));
    replies.push_back(std::move(attempt.outcome->front()));
  }
  return replies;
}

Result<std::unique_ptr<Connection>> Access::connect(std::string_view key) {
  MAPFLOW_ASSIGN(const Endpoint server, server_of(key));
  return Connection::open(server, options_.connect);
}

Command Access::wait_for_replicas() const {
  return Command{"WAIT", std::to_string(options_.replicas), std::to_string(kReplicaWait)};
}

Status Access::enough_replicas(const Reply& reply) const {
  if (reply.number >= std::int64_t{options_.replicas}) return {};
  return fail(code::unavailable, fmt::format("{}: {} of {} replicas have what was written", name(), reply.number, options_.replicas),
              "look after the replicas, or ask for fewer with ?replicas=");
}

Access::Attempt Access::call_at(const Endpoint& server, const Commands& commands, bool writes, Asking asking) {
  auto connection = take(server);
  if (!connection) return {fail(connection.error()), connection.error().retryable != false, false};
  static const Command kAsking{"ASKING"};
  const Command wait = wait_for_replicas();
  const bool waits = writes && options_.replicas > 0;
  Commands all = commands;
  if (asking == Asking::yes) all.insert(all.begin(), &kAsking);
  if (waits) all.push_back(&wait);
  Attempt attempt{query_all(**connection, all), false, false};
  if (attempt.outcome) {
    if (asking == Asking::yes) attempt.outcome->erase(attempt.outcome->begin());
    if (const Status kept = waits ? enough_replicas(attempt.outcome->back()) : Status(); !kept) attempt = {fail(kept.error()), false, true};
  } else {
    const Error& error = attempt.outcome.error();
    attempt.again = passing(error) || (cluster() && redirected(error));
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
  return Connection::open(server, options_.connect);
}

void Access::give_back(std::unique_ptr<Connection> connection) {
  const std::lock_guard lock(mutex_);
  std::vector<std::unique_ptr<Connection>>& idle = idle_[connection->endpoint()];
  if (idle.size() < kMaxIdle) idle.push_back(std::move(connection));
}

// --- who has what -----------------------------------------------------------------------------------------------------

Result<Endpoint> Access::server_of(std::string_view key) {
  if (options_.kind == Kind::single) return options_.endpoints.front();
  for (bool looked = false;; looked = true) {
    {
      const std::lock_guard lock(mutex_);
      if (primary_) return *primary_;
      if (slots_) {
        if (auto server = slots_->server_of(slot_of(key))) return *std::move(server);
        if (looked) return fail(code::unavailable, fmt::format("{}: no server of the cluster has slot {}", name(), slot_of(key)));
      }
    }
    MAPFLOW_TRY(look_around());
  }
}

void Access::learn(std::string_view key, const Endpoint& server, const Error& error) {
  if (error.is(refusal::ask)) return;
  const std::lock_guard lock(mutex_);
  const auto to = error.is(refusal::moved) ? redirection(error.message, server) : std::nullopt;
  if (to && slots_) slots_->move(slot_of(key), *to);
  else slots_.reset();
  primary_.reset();
}

/// Asks those that are known, one after the other, who has what.
Status Access::look_around() {
  std::vector<Endpoint> candidates = options_.endpoints;
  if (cluster()) {
    const std::lock_guard lock(mutex_);
    for (const auto& [server, connections] : idle_) candidates.push_back(server);
  }
  std::optional<Error> failed;
  for (const Endpoint& each : candidates) {
    auto table = cluster() ? ask_cluster(each) : Result<SlotTable>();
    auto primary = cluster() ? Result<Endpoint>() : ask_sentinel(each);
    if (table && primary) {
      const std::lock_guard lock(mutex_);
      if (cluster()) slots_ = *std::move(table);
      else primary_ = *std::move(primary);
      return {};
    }
    if (!failed) failed = table ? primary.error() : table.error();
  }
  return fail(*std::move(failed));
}

Result<SlotTable> Access::ask_cluster(const Endpoint& server) {
  static const Command kSlots{"CLUSTER", "SLOTS"};
  const Attempt attempt = call_at(server, {&kSlots}, false);
  if (!attempt.outcome) {
    Error failed = attempt.outcome.error();
    if (failed.message.contains("cluster support disabled")) {
      failed.hint = "it is a single server: write redis://";
      failed.retryable = false;
    }
    return fail(std::move(failed));
  }
  MAPFLOW_ASSIGN(SlotTable table, SlotTable::read(attempt.outcome->front(), server));
  if (table.servers().empty()) return fail(code::unavailable, fmt::format("{}: {} knows of no cluster", name(), server.to_string()));
  return table;
}

Result<Endpoint> Access::ask_sentinel(const Endpoint& sentinel) {
  MAPFLOW_ASSIGN(const auto connection, Connection::open(sentinel, options_.sentinel));
  MAPFLOW_ASSIGN(const Reply reply, connection->query(Command{"SENTINEL", "GET-MASTER-ADDR-BY-NAME", options_.primary}));
  if (reply.elements.size() != 2)
    return fail(code::unavailable, fmt::format("{}: the sentinel {} knows no '{}'", name(), sentinel.to_string(), options_.primary));
  return Endpoint{reply.elements[0].text, static_cast<std::uint16_t>(reply.elements[1].to_number())};
}

Error Access::plain(Error error) const {
  if (!redirected(error)) return error;
  error.code = code::unavailable;
  if (!cluster()) error.hint = "the server is one of a cluster: write redis+cluster://";
  return error;
}

}  // namespace mapflow::persistence::redis
