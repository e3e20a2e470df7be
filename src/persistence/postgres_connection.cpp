#include "persistence/postgres_connection.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/ensure.h"

namespace mapflow::persistence::postgres {
namespace {

int milliseconds_until(Connection::Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Connection::Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

/// libpq's messages end in newlines and may have several lines.
std::string one_line(const char* message) {
  std::string line = message ? message : "";
  while (!line.empty() && line.back() == '\n') line.pop_back();
  std::ranges::replace(line, '\n', ' ');
  std::ranges::replace(line, '\t', ' ');
  return line;
}

struct Meaning {
  std::string_view sqlstate;  ///< or its beginning
  std::string_view code;
  std::string_view hint;
};

/// What PostgreSQL's error codes mean for a store; the first that fits counts, anything else is unavailable.
constexpr std::array kMeanings = {
    Meaning{"53100", code::resource_exhausted, "free space on the database server's disk"},
    Meaning{"53", code::unavailable, "the database server is at its limit: more connections or memory, or fewer nodes"},
    Meaning{"42501", code::unavailable, "the database role lacks a privilege that docs/persistence.md lists"},
    Meaning{"28", code::unavailable, "check user and password, and that the server's pg_hba.conf lets them in"},
    Meaning{"3D000", code::unavailable, "create the database first"},
    Meaning{"XX001", code::corrupt, "restore the database from a backup"},
    Meaning{"XX002", code::corrupt, "rebuild the index that the message names"},
    Meaning{"25006", code::unavailable, "the server is a standby that only reads: name the primary"},
};

Error refusal_of(const pg_result* result, const std::string& name) {
  const auto field = [&](int which) {
    const char* text = PQresultErrorField(result, which);
    return std::string_view(text ? text : "");
  };
  const std::string_view sqlstate = field(PG_DIAG_SQLSTATE);
  const auto meaning = std::ranges::find_if(kMeanings, [&](const Meaning& one) { return sqlstate.starts_with(one.sqlstate); });
  const bool known = meaning != kMeanings.end();
  Error error(known ? meaning->code : code::unavailable,
              fmt::format("{}: {} (SQLSTATE {})", name, one_line(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)), sqlstate),
              std::string(known ? meaning->hint : ""));
  if (sqlstate == refusal::lease || sqlstate == refusal::row) {
    error.code = sqlstate;
    error.details = field(PG_DIAG_MESSAGE_DETAIL);
  }
  if (sqlstate.starts_with("40") || sqlstate == "23505") error.retryable = true;  // a deadlock, or another was faster
  return error;
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const ConnectOptions& options) {
  std::vector<const char*> keys, values;
  for (const auto& [key, value] : options.parameters) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);
  std::unique_ptr<Connection> connection(new Connection(PQconnectStartParams(keys.data(), values.data(), 0), options));
  MAPFLOW_TRY(connection->connect());
  return connection;
}

Connection::~Connection() { PQfinish(handle_); }

Status Connection::connect() {
  const auto deadline = Clock::now() + options_.connect_timeout;
  if (!handle_ || PQstatus(handle_) == CONNECTION_BAD) return fail(refused_connection());
  for (auto turn = PGRES_POLLING_WRITING;;) {
    pollfd socket{PQsocket(handle_), static_cast<short>(turn == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
    const int ready = poll(&socket, 1, milliseconds_until(deadline));
    if (ready == 0)
      return fail(code::unavailable, fmt::format("{}: the server does not answer within {}", options_.name,
                                                 format_duration(options_.connect_timeout)));
    if (ready < 0) continue;
    turn = PQconnectPoll(handle_);
    if (turn == PGRES_POLLING_OK) break;
    if (turn != PGRES_POLLING_FAILED) continue;
    return fail(refused_connection());
  }
  PQsetNoticeProcessor(handle_, [](void*, const char*) {}, nullptr);
  if (PQsetnonblocking(handle_, 1) != 0 || PQenterPipelineMode(handle_) != 1) return fail(failure("cannot connect"));
  return {};
}

Error Connection::failure(std::string_view doing) const {
  const std::string said = one_line(handle_ ? PQerrorMessage(handle_) : "out of memory");
  return Error(code::unavailable, fmt::format("{}: {}: {}", options_.name, doing, said.empty() ? "the connection is lost" : said));
}

/// libpq gives no code for a refused connection, so its words must tell whether trying again may help.
Error Connection::refused_connection() const {
  Error error = failure("cannot connect");
  const auto says = [&](std::string_view words) { return error.message.find(words) != std::string::npos; };
  const bool reached = says("connection to server");
  if (!reached || says("authentication failed") || says("no password supplied") || says("does not exist") || says("pg_hba.conf"))
    error.retryable = false;
  return error;
}

void Connection::lose(Error why) {
  if (!lost_) lost_ = std::move(why);
}

Result<Rows> Connection::query(const std::string& sql, const Arguments& arguments) {
  ensure(under_way_ == 0, "a statement is under way");
  MAPFLOW_TRY(send(sql, arguments));
  for (;;) {
    if (auto answer = receive()) return *std::move(answer);
    wait(-1);
  }
}

Status Connection::send(const std::string& sql, const Arguments& arguments) {
  if (lost_) return fail(*lost_);
  std::vector<const char*> values;
  std::vector<int> lengths, formats;
  for (const std::string& value : arguments.values()) {
    values.push_back(value.data());
    lengths.push_back(static_cast<int>(value.size()));
    formats.push_back(1);
  }
  if (PQsendQueryParams(handle_, sql.c_str(), arguments.count(), arguments.types().data(), values.data(), lengths.data(),
                        formats.data(), 1) != 1 ||
      PQpipelineSync(handle_) != 1) {
    lose(failure("the connection broke"));
    return fail(*lost_);
  }
  if (under_way_++ == 0) progress_ = Clock::now();
  flush();
  return {};
}

void Connection::flush() {
  const int left = PQflush(handle_);
  unsent_ = left == 1;
  if (left < 0) lose(failure("the connection broke"));
}

std::optional<Result<Rows>> Connection::receive() {
  if (under_way_ == 0) return std::nullopt;
  while (!lost_ && !PQisBusy(handle_)) {
    pg_result* const result = PQgetResult(handle_);
    if (!result) {
      if (PQstatus(handle_) == CONNECTION_BAD) lose(failure("the connection broke"));
      continue;  // the end of one statement's results; its Sync follows
    }
    switch (PQresultStatus(result)) {
      case PGRES_PIPELINE_SYNC: {
        PQclear(result);
        --under_way_;
        progress_ = Clock::now();
        if (auto refused = std::exchange(refused_, std::nullopt)) return fail(*std::move(refused));
        return std::move(rows_);
      }
      case PGRES_TUPLES_OK:
      case PGRES_COMMAND_OK: rows_ = Rows(result); break;
      case PGRES_PIPELINE_ABORTED: PQclear(result); break;
      default:
        if (!refused_) refused_ = refusal_of(result, options_.name);
        PQclear(result);
        if (PQstatus(handle_) == CONNECTION_BAD) lose(*refused_);
    }
  }
  if (!lost_) return std::nullopt;
  --under_way_;
  return fail(*lost_);
}

void Connection::wait(int wake) {
  if (unsent_) flush();
  if (lost_ && under_way_ > 0) return;  // receive() tells
  if (lost_) {
    pollfd source{wake, POLLIN, 0};
    poll(&source, 1, -1);
    return;
  }
  std::array<pollfd, 2> sources = {pollfd{PQsocket(handle_), POLLIN, 0}, pollfd{wake, POLLIN, 0}};
  if (unsent_) sources[0].events |= POLLOUT;
  const int ready = poll(sources.data(), sources.size(), under_way_ > 0 ? milliseconds_until(deadline()) : -1);
  if (ready == 0 && under_way_ > 0 && Clock::now() >= deadline()) {
    lose(Error(code::unavailable, fmt::format("{}: the server did not answer within {}", options_.name,
                                              format_duration(options_.answer_timeout))));
    return;
  }
  if (ready <= 0 || sources[0].revents == 0) return;
  if (PQconsumeInput(handle_) != 1) return lose(failure("the connection broke"));
  if (unsent_) flush();
}

Connection::Clock::time_point Connection::deadline() const { return progress_ + options_.answer_timeout; }

bool Connection::usable() {
  if (lost_) return false;
  pollfd socket{PQsocket(handle_), POLLIN, 0};
  if (under_way_ == 0 && poll(&socket, 1, 0) > 0 && (PQconsumeInput(handle_) != 1 || PQstatus(handle_) == CONNECTION_BAD))
    lose(failure("the connection broke"));
  return !lost_;
}

void Connection::notifications(const std::function<void(std::string_view, std::string_view)>& heard) {
  while (PGnotify* const notice = PQnotifies(handle_)) {
    heard(notice->relname, notice->extra);
    PQfreemem(notice);
  }
}

}  // namespace mapflow::persistence::postgres
