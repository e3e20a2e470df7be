#include "persistence/sqlite_database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <chrono>
#include <thread>

namespace mapflow::persistence::sqlite {
namespace {

std::int64_t steady_now_us() {
  return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Error make_error(const std::string& path, int extended_code, const char* text) {
  const auto error = [&](std::string_view code, std::string_view what, std::string hint) {
    return Error(code, fmt::format("sqlite:{}: {} ({}, SQLite code {})", path, what, text, extended_code),
                 std::move(hint));
  };
  switch (extended_code & 0xff) {
    case SQLITE_FULL:
      return error(code::resource_exhausted, "the disk is full", "free some space; the store goes on by itself");
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG: return error(code::resource_exhausted, "too large", "");
    case SQLITE_NOTADB:
      return error(code::corrupt, "the file is not a database", "name another file, or restore this one from a backup");
    case SQLITE_CORRUPT:
      return error(code::corrupt, "the database is damaged", "restore the file from a backup");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return error(code::unavailable, "another process keeps the database locked", "look for a process that hangs");
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return error(code::unavailable, "the database cannot be written",
                   "this user needs write permission on the file and on its folder");
    case SQLITE_CANTOPEN:
      return error(code::unavailable, "the database cannot be opened",
                   "the folder must exist, and this user needs write permission on it and on the file");
    case SQLITE_IOERR: return error(code::unavailable, "the disk reports an error", "");
    default: return error(code::internal, "the database refuses a statement", "");
  }
}

}  // namespace

Query::~Query() {
  if (!statement_) return;
  if (whose_ == Statement::owned) {
    sqlite3_finalize(statement_);
    return;
  }
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);  // the bound bytes may be gone before the next run
}

void Query::bind_integer(std::int64_t number) { sqlite3_bind_int64(statement_, ++bound_, number); }
void Query::bind(std::string_view text) {
  sqlite3_bind_text64(statement_, ++bound_, text.empty() ? "" : text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}
void Query::bind(const Blob& blob) {
  sqlite3_bind_blob64(statement_, ++bound_, blob.bytes.empty() ? "" : blob.bytes.data(), blob.bytes.size(),
                      SQLITE_STATIC);
}
void Query::bind_null() { sqlite3_bind_null(statement_, ++bound_); }

Result<bool> Query::next() {
  if (!statement_) return fail(db_.failure());
  switch (sqlite3_step(statement_)) {
    case SQLITE_ROW: return true;
    case SQLITE_DONE: return false;
    default: return fail(db_.failure());
  }
}

Status Query::run() {
  MAPFLOW_TRY(next());
  return {};
}

std::int64_t Query::integer(int column) const { return sqlite3_column_int64(statement_, column); }
std::string_view Query::text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return bytes ? std::string_view(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)))
               : std::string_view();
}
bool Query::null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

Result<std::unique_ptr<Database>> Database::open(const std::string& path, const Options& options) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                                   nullptr);
  if (code != SQLITE_OK) {
    Error error = make_error(path, code, handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code));
    sqlite3_close(handle);
    return fail(std::move(error));
  }
  return std::unique_ptr<Database>(new Database(path, handle, options));
}

Database::Database(std::string path, sqlite3* handle, const Options& options)
    : path_(std::move(path)), handle_(handle), options_(options) {
  sqlite3_busy_handler(handle_, &Database::wait_while_busy, this);
}

Database::~Database() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
}

// SQLite's own handler sleeps ever longer, up to 100 ms, and so loses every race against a process that writes without
// a pause. Looking often finds the gap between two transactions of the other process.
int Database::wait_while_busy(void* self, int tries) {
  auto& db = *static_cast<Database*>(self);
  const std::int64_t now = steady_now_us();
  if (tries == 0) db.busy_since_us_ = now;
  if (now - db.busy_since_us_ >= db.options_.busy_timeout.count()) return 0;
  constexpr int kEagerTries = 500;
  std::this_thread::sleep_for(std::chrono::microseconds(tries < kEagerTries ? 200 : 2000));
  return 1;
}

sqlite3_stmt* Database::kept(const char* sql) {
  sqlite3_stmt*& statement = statements_[sql];
  if (!statement) statement = prepare(sql, true);
  return statement;
}

sqlite3_stmt* Database::prepare(std::string_view sql, bool keep) {
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), keep ? SQLITE_PREPARE_PERSISTENT : 0,
                     &statement, nullptr);
  return statement;
}

Status Database::execute(const char* sql) {
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return fail(failure());
  return {};
}

std::int64_t Database::changes() const { return sqlite3_total_changes64(handle_); }
bool Database::in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
bool Database::read_only() const { return sqlite3_db_readonly(handle_, "main") == 1; }
Error Database::failure() const { return make_error(path_, sqlite3_extended_errcode(handle_), sqlite3_errmsg(handle_)); }

}  // namespace mapflow::persistence::sqlite
