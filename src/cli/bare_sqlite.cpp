#include <sqlite3.h>

#include <chrono>
#include <concepts>
#include <filesystem>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

#include "base/time.h"
#include "cli/bare_store.h"
#include "persistence/store.h"

namespace mapflow::cli {

namespace {

constexpr std::string_view kScheme = "sqlite:";

struct CloseConnection { void operator()(sqlite3* connection) const { sqlite3_close(connection); } };
struct FinalizeStatement { void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); } };
using Connection = std::unique_ptr<sqlite3, CloseConnection>;

/// Bytes to be bound as a BLOB, not as text.
struct Blob {
  std::string_view bytes;
};

/// A statement that is prepared once. What goes wrong, the connection remembers.
class Statement {
 public:
  Statement(sqlite3* connection, const char* sql) {
    sqlite3_stmt* made = nullptr;
    sqlite3_prepare_v3(connection, sql, -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr);
    statement_.reset(made);
  }
  template <class... Values>
  bool run(std::uint64_t& bytes, const Values&... values) {
    int column = 0;
    (bind(++column, values, bytes), ...);
    const int stepped = statement_ ? sqlite3_step(statement_.get()) : SQLITE_ERROR;
    sqlite3_reset(statement_.get());
    return stepped == SQLITE_DONE || stepped == SQLITE_ROW;
  }

 private:
  void bind(int column, std::string_view text, std::uint64_t& bytes) {
    bytes += text.size();
    sqlite3_bind_text64(statement_.get(), column, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  void bind(int column, const Blob& blob, std::uint64_t& bytes) {
    bytes += blob.bytes.size();
    sqlite3_bind_blob64(statement_.get(), column, blob.bytes.data(), blob.bytes.size(), SQLITE_STATIC);
  }
  template <std::integral Number>
  void bind(int column, Number number, std::uint64_t& bytes) {
    bytes += sizeof(std::int64_t);
    sqlite3_bind_int64(statement_.get(), column, static_cast<std::int64_t>(number));
  }

  std::unique_ptr<sqlite3_stmt, FinalizeStatement> statement_;
};

Result<Connection> connect(const std::string& file, int flags) {
  sqlite3* made = nullptr;
  const int code = sqlite3_open_v2(file.c_str(), &made, flags, nullptr);
  Connection connection(made);
  if (code != SQLITE_OK) return fail(code::unavailable, "cannot open '" + file + "': " + sqlite3_errstr(code));
  sqlite3_busy_timeout(made, 10'000);
  return connection;
}

Result<StoredChunks> read_chunks(const std::string& file) {
  MAPFLOW_ASSIGN(const Connection connection, connect(file, SQLITE_OPEN_READONLY));
  sqlite3_stmt* made = nullptr;
  sqlite3_prepare_v2(connection.get(), "SELECT instance, first_seq, encoding, records FROM history", -1, &made, nullptr);
  const std::unique_ptr<sqlite3_stmt, FinalizeStatement> query(made);
  const auto text = [&](int column) {
    const void* data = sqlite3_column_blob(made, column);
    return std::string(static_cast<const char*>(data ? data : ""), static_cast<std::size_t>(sqlite3_column_bytes(made, column)));
  };
  StoredChunks chunks;
  while (made && sqlite3_step(made) == SQLITE_ROW)
    chunks[{text(0), static_cast<std::uint64_t>(sqlite3_column_int64(made, 1))}] = {text(2), text(3)};
  return chunks;
}

class BareWriter {
 public:
  BareWriter(sqlite3* connection, const StoredChunks& chunks)
      : connection_(connection), chunks_(chunks), begin_(connection, "BEGIN IMMEDIATE"), commit_(connection, "COMMIT"),
        log_(connection, "INSERT INTO log (id, epoch, bytes) VALUES (?, ?, ?)"),
        row_(connection,
             "INSERT OR REPLACE INTO instances (id, partition, workflow, version, definition, state, finished, parent,"
             " correlation_id, tags, created, updated, wake_at, seq, snapshot)"
             " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
        chunk_(connection, "INSERT OR REPLACE INTO history (instance, first_seq, last_seq, encoding, records) VALUES (?, ?, ?, ?, ?)"),
        definition_(connection, "INSERT OR IGNORE INTO definitions (hash, workflow, version, document) VALUES (?, ?, ?, ?)") {}

  Status write(const RecordedTransaction& transaction) {
    bool good = begin_.run(bytes_);
    for (const persistence::Commit& commit : transaction) good = good && write(commit);
    good = good && commit_.run(bytes_);
    if (!good) return fail(code::unavailable, std::string("the bare loop failed: ") + sqlite3_errmsg(connection_));
    return {};
  }
  std::uint64_t bytes() const { return bytes_; }

 private:
  bool write(const persistence::Commit& commit) {
    bool good = true;
    if (!commit.log.empty())
      good = log_.run(bytes_, static_cast<std::int64_t>(commit.lease.partition.value) << 40 | ++position_[commit.lease.partition.value],
                      commit.lease.epoch.value, Blob{commit.log});
    for (const persistence::InstanceRow& row : commit.rows)
      good = good && row_.run(bytes_, std::string_view(row.id), row.partition.value, std::string_view(row.workflow),
                              std::string_view(row.version), std::string_view(row.definition), std::string_view(row.state),
                              row.finished, std::string_view(row.parent), std::string_view(row.correlation_id),
                              std::string_view("[]"), to_micros(row.created), to_micros(row.updated),
                              to_micros(row.wake_at), row.seq, Blob{row.snapshot});
    for (const persistence::HistoryChunk& chunk : commit.history) {
      const auto stored = chunks_.find({chunk.instance, chunk.first_seq});
      const bool found = stored != chunks_.end();
      good = good && chunk_.run(bytes_, std::string_view(chunk.instance), chunk.first_seq, chunk.last_seq,
                                std::string_view(found ? stored->second.encoding : "raw"),
                                Blob{found ? stored->second.bytes : chunk.records});
    }
    for (const persistence::DefinitionRow& row : commit.definitions)
      good = good && definition_.run(bytes_, std::string_view(row.hash), std::string_view(row.workflow),
                                     std::string_view(row.version), std::string_view(row.document));
    return good;
  }

  sqlite3* connection_;
  const StoredChunks& chunks_;
  Statement begin_, commit_, log_, row_, chunk_, definition_;
  std::map<std::uint32_t, std::int64_t> position_;
  std::uint64_t bytes_ = 0;
};

class BareSqlite final : public BareStore {
 public:
  explicit BareSqlite(std::string file) : file_(std::move(file)), bare_file_(file_ + ".bare") {}
  ~BareSqlite() override {
    if (!made_) return;
    std::error_code ignored;
    for (const char* part : {"", "-wal", "-shm"}) std::filesystem::remove(bare_file_ + part, ignored);
  }

  Status check_new() const {
    for (const std::string& each : {file_, bare_file_})
      if (std::filesystem::exists(each))
        return fail(code::invalid_input, "'" + each + "' exists already",
                    "name a file that does not: the measurement starts from an empty store");
    return {};
  }

  Result<BareFigures> write(const std::vector<RecordedTransaction>& transactions) override {
    made_ = true;
    MAPFLOW_TRY(persistence::open(std::string(kScheme) + bare_file_));  // makes the tables
    MAPFLOW_ASSIGN(const StoredChunks chunks, read_chunks(file_));
    MAPFLOW_ASSIGN(const Connection connection, connect(bare_file_, SQLITE_OPEN_READWRITE));
    sqlite3_exec(connection.get(), "PRAGMA synchronous = FULL; PRAGMA cache_size = -16000", nullptr, nullptr, nullptr);
    BareWriter writer(connection.get(), chunks);
    const auto before = std::chrono::steady_clock::now();
    for (const RecordedTransaction& transaction : transactions) MAPFLOW_TRY(writer.write(transaction));
    BareFigures figures;
    figures.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
    figures.transactions = transactions.size();
    figures.bytes = writer.bytes();
    return figures;
  }

 private:
  const std::string file_, bare_file_;
  bool made_ = false;  ///< the second file is ours to remove
};

}  // namespace

Result<std::unique_ptr<BareStore>> make_bare_sqlite(const std::string& url) {
  const std::string file = url.substr(kScheme.size());
  if (file.empty()) return fail(code::invalid_input, "store-limit needs the path of a file: sqlite:PATH");
  auto store = std::make_unique<BareSqlite>(file);
  MAPFLOW_TRY(store->check_new());
  return store;
}

}  // namespace mapflow::cli
