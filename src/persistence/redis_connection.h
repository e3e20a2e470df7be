// One connection to a Redis server: commands go out one behind the other, answers come back in that order.
//
// What goes wrong is of two kinds. The server refused a command: it certainly did not happen; `passing` errors
// (server_pool.h) may be tried again, and the connection goes on unless it leads to a server that cannot serve us
// (`usable`). Or the connection broke: then nobody knows, unless the command only reads.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/time.h"
#include "persistence/redis_command.h"
#include "persistence/redis_reply.h"
#include "persistence/redis_socket.h"

namespace mapflow::persistence::redis {

struct ConnectOptions {
  std::string name;  ///< of the store, for messages: without password
  std::string user;  ///< empty: the default one
  std::optional<std::string> password;
  std::uint32_t database = 0;
  std::optional<TlsOptions> tls;
  bool scripts = true;  ///< the store's functions are wanted there
  Duration connect_timeout = std::chrono::seconds(10);
  Duration answer_timeout = std::chrono::seconds(30);  ///< after which a silent server counts as lost
};

/// Codes of errors that say that another server has the key; the message ends in its slot and address.
namespace refusal {
inline constexpr std::string_view moved = "MOVED";
inline constexpr std::string_view ask = "ASK";
}  // namespace refusal

/// Thread safety: one thread at a time.
class Connection {
 public:
  using Clock = std::chrono::steady_clock;

  /// Errors: unavailable; with `retryable` false where trying again does not help (a wrong password).
  static Result<std::unique_ptr<Connection>> open(const Endpoint& endpoint, const ConnectOptions& options);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Sends the command and waits for its answer. Only while nothing else is under way.
  Result<Reply> query(const Command& command);
  /// Sends the command, behind those that are under way. Errors: unavailable (the connection is lost).
  Status send(const Command& command);
  /// The answer to the oldest command under way, if it has come.
  std::optional<Result<Reply>> receive();
  /// What the server says unasked, to whoever has subscribed to it.
  std::optional<Reply> receive_unasked();
  std::size_t under_way() const { return under_way_; }

  /// Waits until there may be an answer on one of them, `wake` (a file descriptor, or -1) is readable, or the oldest
  /// command of one was not answered in time, which loses that connection.
  static void wait(std::span<Connection* const> connections, int wake);
  void wait(int wake);

  const Endpoint& endpoint() const { return endpoint_; }
  const std::string& name() const { return options_.name; }
  /// False once the connection is lost, leads to the wrong server, or the server closed it while it was idle.
  bool usable();

 private:
  Connection(const Endpoint& endpoint, const ConnectOptions& options, std::unique_ptr<Socket> socket)
      : endpoint_(endpoint), options_(options), socket_(std::move(socket)) {}
  Status greet();
  void lose(const Error& why);
  void flush();
  void read();
  std::optional<Reply> next();

  const Endpoint endpoint_;
  const ConnectOptions options_;
  const std::unique_ptr<Socket> socket_;
  ReplyReader reader_;
  std::string out_;
  std::size_t sent_ = 0;          ///< of out_
  std::size_t under_way_ = 0;
  Clock::time_point progress_{};  ///< when the connection last came on
  bool stale_ = false;            ///< another server is to be asked, or this one anew
  std::optional<Error> lost_;
};

}  // namespace mapflow::persistence::redis
