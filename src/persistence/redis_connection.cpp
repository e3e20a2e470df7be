#include "persistence/redis_connection.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/ensure.h"
#include "persistence/redis_scripts.h"

namespace mapflow::persistence::redis {
namespace {

constexpr std::size_t kReadAtOnce = 64 << 10;

struct Meaning {
  std::string_view word;
  std::string_view code = code::unavailable;
  bool passes = false;  ///< it may be tried again
  bool stale = false;   ///< on another connection only
  std::string_view hint;
};

/// What Redis' error words mean for a store; anything else is unavailable.
constexpr std::array kMeanings = {
    Meaning{"OOM", code::resource_exhausted, false, false, "raise the server's maxmemory"},
    Meaning{"MISCONF", code::unavailable, false, false, "the server cannot save its data: look into its log, and at its disk"},
    Meaning{"NOREPLICAS", code::unavailable, true, false, "the server waits for replicas: see its min-replicas-to-write"},
    Meaning{"WRONGTYPE", code::invalid_state, false, false, "a key is of another program: name another beginning with ?prefix=NAME"},
    Meaning{"LOADING", code::unavailable, true, false, "the server still reads its data"},
    Meaning{"BUSY", code::unavailable, true, false, "a script of somebody keeps the server busy"},
    Meaning{"TRYAGAIN", code::unavailable, true, false, ""},
    Meaning{"CLUSTERDOWN", code::unavailable, true, false, "the cluster lacks a part of its servers"},
    Meaning{"MASTERDOWN", code::unavailable, true, true, ""},
    Meaning{"READONLY", code::unavailable, true, true, "the server is a replica: name the primary"},
    Meaning{"NOSCRIPT", code::unavailable, true, true, ""},
    Meaning{"MOVED", refusal::moved, true, false, ""},
    Meaning{"ASK", refusal::ask, true, false, ""},
};
/// Why a server does not let us in: trying again does not help.
constexpr std::array<std::string_view, 4> kShut = {"WRONGPASS", "NOAUTH", "NOPERM", "DENIED"};

/// What a script fails with, before it has written anything, while its slot moves to another server.
constexpr std::string_view kMoving = "attempted to access a non local key";

std::string_view first_word(std::string_view text) { return text.substr(0, text.find(' ')); }

Error refusal_of(const std::string& text, const std::string& name) {
  const auto meaning = std::ranges::find(kMeanings, first_word(text), &Meaning::word);
  if (meaning == kMeanings.end()) {
    if (text.contains(kMoving)) {
      Error moving(code::unavailable, fmt::format("{}: {}", name, text), "the partition moves to another server of the cluster");
      moving.retryable = true;
      return moving;
    }
    const bool shut = std::ranges::find(kShut, first_word(text)) != kShut.end();
    return Error(code::unavailable, fmt::format("{}: {}", name, text), shut ? "check user, password and the user's permissions" : "");
  }
  Error error(meaning->code, fmt::format("{}: {}", name, text), std::string(meaning->hint));
  if (meaning->passes) error.retryable = true;
  return error;
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const Endpoint& endpoint, const ConnectOptions& options) {
  auto socket = Socket::connect(endpoint, options.tls ? &*options.tls : nullptr, options.connect_timeout);
  if (!socket) {
    Error error = std::move(socket).error();
    error.message = fmt::format("{}: cannot connect to {}: {}", options.name, endpoint.to_string(), error.message);
    return fail(std::move(error));
  }
  std::unique_ptr<Connection> connection(new Connection(endpoint, options, *std::move(socket)));
  MAPFLOW_TRY(connection->greet());
  return connection;
}

/// Says who we are, and what we shall ask for.
Status Connection::greet() {
  std::vector<Command> commands;
  if (options_.password) {
    Command& auth = commands.emplace_back(Command{"AUTH"});
    if (!options_.user.empty()) auth.view(options_.user);
    auth.view(*options_.password);
  }
  if (options_.database != 0) commands.push_back(Command{"SELECT", std::to_string(options_.database)});
  if (options_.scripts)
    for (const Script* script : Scripts::list()) commands.push_back(Command{"SCRIPT", "LOAD", script->lua()});
  for (const Command& command : commands) MAPFLOW_TRY(send(command));
  std::optional<Error> refused;
  while (under_way_ > 0) {
    if (const auto answer = receive()) {
      if (*answer || refused) continue;
      refused = answer->error();
      if (!lost_ && refused->retryable != true) refused->retryable = false;
    } else {
      wait(-1);
    }
  }
  if (refused) return fail(*std::move(refused));
  return {};
}

void Connection::lose(const Error& why) {
  if (!lost_) lost_ = Error(code::unavailable, fmt::format("{}: {}: {}", options_.name, endpoint_.to_string(), why.message), why.hint);
}

Result<Reply> Connection::query(const Command& command) {
  ensure(under_way_ == 0, "a command is under way");
  MAPFLOW_TRY(send(command));
  for (;;) {
    if (auto answer = receive()) return *std::move(answer);
    wait(-1);
  }
}

Status Connection::send(const Command& command) {
  if (lost_) return fail(*lost_);
  command.append_to(out_);
  if (under_way_++ == 0) progress_ = Clock::now();
  flush();
  return {};
}

void Connection::flush() {
  while (!lost_ && sent_ < out_.size()) {
    const auto count = socket_->write(std::string_view(out_).substr(sent_));
    if (!count) return lose(count.error());
    if (*count == 0) return;
    sent_ += *count;
    progress_ = Clock::now();
  }
  out_.clear();
  sent_ = 0;
}

void Connection::read() {
  std::array<char, kReadAtOnce> buffer;
  for (;;) {
    const auto count = socket_->read(buffer.data(), buffer.size());
    if (!count) return lose(count.error());
    if (*count == 0) return;
    progress_ = Clock::now();
    if (const Status fed = reader_.feed({buffer.data(), *count}); !fed) return lose(fed.error());
  }
}

std::optional<Reply> Connection::next() {
  auto reply = reader_.next();
  if (reply) return *std::move(reply);
  lose(reply.error());
  return std::nullopt;
}

std::optional<Result<Reply>> Connection::receive() {
  if (under_way_ == 0) return std::nullopt;
  if (auto reply = next()) {
    --under_way_;
    progress_ = Clock::now();
    if (!reply->is(Reply::Kind::error)) return *std::move(reply);
    const auto meaning = std::ranges::find(kMeanings, first_word(reply->text), &Meaning::word);
    if (meaning != kMeanings.end() && meaning->stale) stale_ = true;
    return fail(refusal_of(reply->text, options_.name));
  }
  if (!lost_) return std::nullopt;
  --under_way_;
  return fail(*lost_);
}

std::optional<Reply> Connection::receive_unasked() { return lost_ ? std::nullopt : next(); }

void Connection::wait(int wake) {
  Connection* const self = this;
  wait(std::span(&self, 1), wake);
}

void Connection::wait(std::span<Connection* const> connections, int wake) {
  std::vector<pollfd> sources = {{wake, POLLIN, 0}};
  auto deadline = Clock::time_point::max();
  for (Connection* const connection : connections) {
    const bool known = connection->lost_.has_value();  // receive() has told, or will when it is asked for this one
    connection->flush();
    if (!known && connection->lost_ && connection->under_way_ > 0) return;
    const int descriptor = connection->lost_ ? -1 : connection->socket_->descriptor();
    const bool unsent = connection->sent_ < connection->out_.size();
    sources.push_back({descriptor, static_cast<short>(unsent ? POLLIN | POLLOUT : POLLIN), 0});
    if (!connection->lost_ && connection->under_way_ > 0) deadline = std::min(deadline, connection->progress_ + connection->options_.answer_timeout);
  }
  if (wake < 0 && deadline == Clock::time_point::max()) return;  // nothing will come
  int timeout = -1;
  if (deadline != Clock::time_point::max()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
  }
  poll(sources.data(), sources.size(), timeout);
  for (std::size_t number = 0; number < connections.size(); ++number) {
    Connection& connection = *connections[number];
    if (sources[number + 1].revents != 0) {
      connection.read();
      connection.flush();
    } else if (connection.under_way_ > 0 && Clock::now() >= connection.progress_ + connection.options_.answer_timeout) {
      connection.lose(Error(code::unavailable, fmt::format("the server did not answer within {}",
                                                           format_duration(connection.options_.answer_timeout))));
    }
  }
}

bool Connection::usable() {
  if (lost_ || stale_) return false;
  pollfd socket{socket_->descriptor(), POLLIN, 0};
  if (under_way_ == 0 && poll(&socket, 1, 0) > 0) read();
  return !lost_;
}

}  // namespace mapflow::persistence::redis
