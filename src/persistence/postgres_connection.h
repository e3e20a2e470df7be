// One connection to PostgreSQL. The only place, with postgres_values.cpp, that knows libpq.
//
// It is always in libpq's pipeline mode, each statement followed by a Sync: so each is a transaction of its own, the
// next may be sent before the last is answered, and an answer means that the transaction's end is known. Statements
// have no names and leave nothing behind in the session, so they may go through a pooler that shares connections.
//
// What goes wrong is of two kinds. The server refused the statement: it certainly did not happen, and the connection
// goes on (`usable`). Or the connection broke: then nobody knows, unless the statement only reads.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "persistence/postgres_values.h"

struct pg_conn;

namespace mapflow::persistence::postgres {

struct ConnectOptions {
  std::string name;  ///< of the store, for messages: without password
  std::vector<std::pair<std::string, std::string>> parameters;  ///< libpq's, among them the password
  Duration connect_timeout = std::chrono::seconds(10);
  Duration answer_timeout = std::chrono::seconds(30);  ///< after which a silent server counts as lost
};

/// Codes of errors that the store's own functions in the database raise; the details say what.
namespace refusal {
inline constexpr std::string_view lease = "MF001";
inline constexpr std::string_view row = "MF002";
}  // namespace refusal

/// Thread safety: one thread at a time.
class Connection {
 public:
  using Clock = std::chrono::steady_clock;

  /// Errors: unavailable; with `retryable` false where trying again does not help (a wrong password).
  static Result<std::unique_ptr<Connection>> open(const ConnectOptions& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Sends the statement and waits for its end. Only while nothing else is under way.
  Result<Rows> query(const std::string& sql, const Arguments& arguments = {});
  /// Sends the statement, behind those that are under way. Errors: unavailable (the connection is lost).
  Status send(const std::string& sql, const Arguments& arguments);
  /// The answer to the oldest statement under way, if it has come.
  std::optional<Result<Rows>> receive();
  /// Waits until there may be an answer, `wake` (a file descriptor, or -1) is readable, or the oldest statement under
  /// way was not answered in time, which loses the connection.
  void wait(int wake);

  const std::string& name() const { return options_.name; }
  /// False once the connection is lost, or the server closed it while it was idle.
  bool usable();
  /// Calls `heard` for each notification that has come: its channel and payload.
  void notifications(const std::function<void(std::string_view channel, std::string_view payload)>& heard);

 private:
  Connection(pg_conn* handle, const ConnectOptions& options) : handle_(handle), options_(options) {}
  Status connect();
  Error failure(std::string_view doing) const;
  Error refused_connection() const;
  void lose(Error why);
  void flush();
  Clock::time_point deadline() const;

  pg_conn* handle_;
  const ConnectOptions options_;
  std::size_t under_way_ = 0;
  Clock::time_point progress_{};      ///< when the connection last came on
  bool unsent_ = false;
  Rows rows_;                         ///< of the statement that is being answered
  std::optional<Error> refused_;
  std::optional<Error> lost_;
};

}  // namespace mapflow::persistence::postgres
