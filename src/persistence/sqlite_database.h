// One connection to one SQLite file, its prepared statements, and its failures as Errors.
//
//   Query row = db.query("SELECT epoch FROM partitions WHERE partition = ?", 7);
//   MAPFLOW_ASSIGN(const bool found, row.next());
//   if (found) use(row.integer(0));
//
// The only place that knows the SQLite library.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace mapflow::persistence::sqlite {

class Database;

/// Bytes that SQLite is to keep as a BLOB, not as text.
struct Blob {
  std::string_view bytes;
};

/// One run of a statement. Bound texts and blobs are not copied: they must outlive it. Values of a row live until the
/// next call of next() or the end of the Query.
class Query {
 public:
  enum class Statement { kept, owned };
  template <class... Arguments>
  Query(Database& db, sqlite3_stmt* statement, Statement whose, const Arguments&... arguments)
      : db_(db), statement_(statement), whose_(whose) {
    (bind(arguments), ...);
  }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  ~Query();

  void bind(std::integral auto number) { bind_integer(static_cast<std::int64_t>(number)); }
  void bind(std::string_view text);
  void bind(const Blob& blob);
  void bind_null();

  /// True when there is a (further) row.
  Result<bool> next();
  /// For statements without rows.
  Status run();

  std::int64_t integer(int column) const;
  std::string_view text(int column) const;  ///< of texts and blobs alike
  bool null(int column) const;

 private:
  void bind_integer(std::int64_t number);

  Database& db_;
  sqlite3_stmt* statement_;  ///< null when it could not be prepared
  Statement whose_;
  int bound_ = 0;
};

/// Thread safety: one thread at a time.
class Database {
 public:
  struct Options {
    Duration busy_timeout = std::chrono::seconds(30);  ///< how long to wait while another process writes
  };
  /// Opens the file, creating it when it is missing and its folder exists. Errors: unavailable.
  static Result<std::unique_ptr<Database>> open(const std::string& path, const Options& options);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// A statement that is prepared once and kept. `sql` must be a literal: its address is its name.
  template <class... Arguments>
  Query query(const char* sql, const Arguments&... arguments) {
    return Query(*this, kept(sql), Query::Statement::kept, arguments...);
  }
  /// A statement that is prepared for this one run.
  Query query_once(const std::string& sql) { return Query(*this, prepare(sql, false), Query::Statement::owned); }
  /// Runs statements without arguments and rows, one or more.
  Status execute(const char* sql);

  /// Rows changed since the connection was opened: grows with every write, also with one rolled back later.
  std::int64_t changes() const;
  bool in_transaction() const;
  bool read_only() const;
  const std::string& path() const { return path_; }
  /// The last failure of this connection, with the file's path in its message.
  Error failure() const;

 private:
  Database(std::string path, sqlite3* handle, const Options& options);
  sqlite3_stmt* kept(const char* sql);
  sqlite3_stmt* prepare(std::string_view sql, bool keep);
  static int wait_while_busy(void* self, int tries);

  std::string path_;
  sqlite3* handle_;
  Options options_;
  std::int64_t busy_since_us_ = 0;
  std::unordered_map<const char*, sqlite3_stmt*> statements_;
};

}  // namespace mapflow::persistence::sqlite
