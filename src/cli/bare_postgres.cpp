// The bare loop on PostgreSQL: prepared statements that take each table's rows as arrays, one pipeline for each
// transaction, in its binary form. No leases are checked and no queue is kept.
#include <fmt/format.h>
#include <libpq-fe.h>

#include <array>
#include <chrono>
#include <string_view>

#include "base/time.h"
#include "cli/bare_store.h"
#include "persistence/store.h"

namespace mapflow::cli {
namespace {

struct Finish { void operator()(PGconn* connection) const { PQfinish(connection); } };
struct Clear { void operator()(PGresult* result) const { PQclear(result); } };
using Connection = std::unique_ptr<PGconn, Finish>;
using Answer = std::unique_ptr<PGresult, Clear>;

/// The URL without the options that only the store knows, and the schema's name that it had.
struct Place {
  std::string url;
  std::string schema = "mapflow";
};

Place place_of(const std::string& url) {
  const std::size_t mark = url.find('?');
  Place place{url.substr(0, mark)};
  std::string_view options = mark == url.npos ? std::string_view() : std::string_view(url).substr(mark + 1);
  char separator = '?';
  while (!options.empty()) {
    const std::string_view option = options.substr(0, options.find('&'));
    options.remove_prefix(std::min(options.size(), option.size() + 1));
    if (option.starts_with("schema=")) place.schema = option.substr(7);
    const bool ours = option.starts_with("schema=") || option.starts_with("partitions=") ||
                      option.starts_with("patience=") || option.starts_with("pgbouncer=");
    if (ours) continue;
    place.url += separator + std::string(option);
    separator = '&';
  }
  return place;
}

/// One column of many rows, as an array in PostgreSQL's binary form.
class Column {
 public:
  enum Element : std::uint32_t { boolean = 16, bytea = 17, int8 = 20, text = 25 };
  explicit Column(Element element) : element_(element) {}
  void add(std::string_view value) {
    append(static_cast<std::int64_t>(value.size()), 4);
    bytes_ += value;
    ++size_;
  }
  void add(std::integral auto number) {
    const int width = element_ == boolean ? 1 : 8;
    append(width, 4);
    append(static_cast<std::int64_t>(number), width);
    ++size_;
  }
  std::string take() {
    std::string body = std::exchange(bytes_, {});
    for (const std::int64_t part : {std::int64_t{1}, std::int64_t{0}, static_cast<std::int64_t>(element_), size_, std::int64_t{1}})
      append(part, 4);
    return bytes_ + body;
  }

 private:
  void append(std::int64_t number, int width) {
    while (width-- > 0) bytes_ += static_cast<char>(number >> (8 * width) & 0xff);
  }
  Element element_;
  std::int64_t size_ = 0;
  std::string bytes_;
};

struct Statement {
  const char* name;
  std::string_view sql;  ///< "@" stands for the schema
};
constexpr std::array kStatements = {
    Statement{"begin", "BEGIN"},
    Statement{"log", "INSERT INTO @.log (partition, position, epoch, bytes) SELECT * FROM unnest($1::bigint[], $2::bigint[],"
                     " $3::bigint[], $4::bytea[])"},
    Statement{"rows", "INSERT INTO @.instances AS i (id, partition, workflow, version, definition, state, finished, parent,"
                      " correlation_id, tags, created, updated, seq, snapshot, details) SELECT r1, r2, r3, r4, r5, r6, r7,"
                      " r8, r9, '{}', r10, r11, r12, r13, nullif(r14, '')::json FROM unnest($1::text[], $2::bigint[],"
                      " $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::text[], $9::text[],"
                      " $10::bigint[], $11::bigint[], $12::bigint[], $13::bytea[], $14::text[])"
                      " AS r(r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12, r13, r14) ON CONFLICT (id) DO UPDATE SET"
                      " state = excluded.state, finished = excluded.finished, updated = excluded.updated,"
                      " seq = excluded.seq, snapshot = excluded.snapshot, details = excluded.details"},
    Statement{"history", "INSERT INTO @.history SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[],"
                         " $5::bytea[]) ON CONFLICT DO NOTHING"},
    Statement{"definitions", "INSERT INTO @.definitions SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])"
                             " ON CONFLICT DO NOTHING"},
    Statement{"commit", "COMMIT"},
};

std::string in_schema(std::string_view sql, const std::string& schema) {
  std::string text;
  for (const char letter : sql) text += letter == '@' ? '"' + schema + '"' : std::string(1, letter);
  return text;
}

class BarePostgres final : public BareStore {
 public:
  BarePostgres(Connection connection, Place place, std::string url)
      : connection_(std::move(connection)), place_(std::move(place)), url_(std::move(url)), bare_(place_.schema + "_bare") {}
  ~BarePostgres() override {
    if (made_) run("DROP SCHEMA \"" + bare_ + "\" CASCADE");
  }

  Status check_new() {
    for (const std::string& each : {place_.schema, bare_}) {
      const Answer there = run(fmt::format("SELECT FROM pg_namespace WHERE nspname = '{}'", each));
      if (PQresultStatus(there.get()) != PGRES_TUPLES_OK) return failed();
      if (PQntuples(there.get()) > 0)
        return fail(code::invalid_input, "the schema '" + each + "' exists already",
                    "name another one with ?schema=NAME: the measurement starts from an empty store");
    }
    return {};
  }

  Result<BareFigures> write(const std::vector<RecordedTransaction>& transactions) override {
    const char separator = url_.find('?') == url_.npos ? '?' : '&';
    MAPFLOW_TRY(persistence::open(url_ + separator + "schema=" + bare_));  // makes the tables
    made_ = true;
    MAPFLOW_TRY(read_chunks());
    for (const Statement& statement : kStatements) {
      const Answer prepared(PQprepare(connection_.get(), statement.name, in_schema(statement.sql, bare_).c_str(), 0, nullptr));
      if (PQresultStatus(prepared.get()) != PGRES_COMMAND_OK) return failed();
    }
    if (PQenterPipelineMode(connection_.get()) != 1) return failed();
    const auto before = std::chrono::steady_clock::now();
    for (const RecordedTransaction& transaction : transactions) MAPFLOW_TRY(write(transaction));
    BareFigures figures;
    figures.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
    figures.transactions = transactions.size();
    figures.bytes = bytes_;
    PQexitPipelineMode(connection_.get());
    return figures;
  }

 private:
  Answer run(const std::string& sql) { return Answer(PQexec(connection_.get(), sql.c_str())); }
  std::unexpected<Error> failed() const {
    return fail(code::unavailable, std::string("the bare loop failed: ") + PQerrorMessage(connection_.get()));
  }

  Status read_chunks() {
    const Answer all(PQexecParams(connection_.get(), ("SELECT instance, first_seq::text, encoding, records FROM \"" + place_.schema + "\".history").c_str(),
                                  0, nullptr, nullptr, nullptr, nullptr, 1));
    if (PQresultStatus(all.get()) != PGRES_TUPLES_OK) return failed();
    const auto text = [&](int row, int column) {
      return std::string(PQgetvalue(all.get(), row, column), static_cast<std::size_t>(PQgetlength(all.get(), row, column)));
    };
    for (int row = 0; row < PQntuples(all.get()); ++row)
      chunks_[{text(row, 0), std::stoull(text(row, 1))}] = {text(row, 2), text(row, 3)};
    return {};
  }

  Status write(const RecordedTransaction& transaction) {
    bool good = send("begin", {}) && send_log(transaction) && send_rows(transaction) && send_history(transaction) &&
                send_definitions(transaction) && send("commit", {}) && PQpipelineSync(connection_.get()) == 1;
    for (bool synced = false; good && !synced;) {
      const Answer answer(PQgetResult(connection_.get()));
      if (!answer) continue;
      const auto status = PQresultStatus(answer.get());
      synced = status == PGRES_PIPELINE_SYNC;
      good = synced || status == PGRES_COMMAND_OK;
    }
    if (!good) return failed();
    return {};
  }

  bool send(const char* name, std::vector<std::string> columns) {
    std::vector<const char*> values;
    std::vector<int> lengths, formats;
    for (const std::string& column : columns) {
      bytes_ += column.size();
      values.push_back(column.data());
      lengths.push_back(static_cast<int>(column.size()));
      formats.push_back(1);
    }
    return PQsendQueryPrepared(connection_.get(), name, static_cast<int>(columns.size()), values.data(), lengths.data(),
                               formats.data(), 1) == 1;
  }

  bool send_log(const RecordedTransaction& transaction) {
    Column partition(Column::int8), position(Column::int8), epoch(Column::int8), bytes(Column::bytea);
    bool any = false;
    for (const persistence::Commit& commit : transaction) {
      if (commit.log.empty()) continue;
      partition.add(commit.lease.partition.value);
      position.add(++position_[commit.lease.partition.value]);
      epoch.add(commit.lease.epoch.value);
      bytes.add(commit.log);
      any = true;
    }
    return !any || send("log", {partition.take(), position.take(), epoch.take(), bytes.take()});
  }

  bool send_rows(const RecordedTransaction& transaction) {
    std::map<std::string_view, const persistence::InstanceRow*> last;
    for (const persistence::Commit& commit : transaction)
      for (const persistence::InstanceRow& row : commit.rows) last[row.id] = &row;
    if (last.empty()) return true;
    std::array<Column, 14> columns = {
        Column(Column::text), Column(Column::int8), Column(Column::text), Column(Column::text), Column(Column::text),
        Column(Column::text), Column(Column::boolean), Column(Column::text), Column(Column::text), Column(Column::int8),
        Column(Column::int8), Column(Column::int8), Column(Column::bytea), Column(Column::text)};
    for (const auto& [id, row] : last) {
      std::size_t next = 0;
      const auto add = [&](const auto&... values) { (columns[next++].add(values), ...); };
      add(row->id, row->partition.value, row->workflow, row->version, row->definition, row->state, row->finished,
          row->parent, row->correlation_id, to_micros(row->created), to_micros(row->updated), row->seq, row->snapshot,
          row->details);
    }
    std::vector<std::string> arrays;
    for (Column& column : columns) arrays.push_back(column.take());
    return send("rows", std::move(arrays));
  }

  bool send_history(const RecordedTransaction& transaction) {
    Column instance(Column::text), first(Column::int8), last(Column::int8), encoding(Column::text), records(Column::bytea);
    bool any = false;
    for (const persistence::Commit& commit : transaction)
      for (const persistence::HistoryChunk& chunk : commit.history) {
        const auto stored = chunks_.find({chunk.instance, chunk.first_seq});
        const bool found = stored != chunks_.end();
        instance.add(chunk.instance);
        first.add(chunk.first_seq);
        last.add(chunk.last_seq);
        encoding.add(found ? std::string_view(stored->second.encoding) : "raw");
        records.add(found ? std::string_view(stored->second.bytes) : std::string_view(chunk.records));
        any = true;
      }
    return !any || send("history", {instance.take(), first.take(), last.take(), encoding.take(), records.take()});
  }

  bool send_definitions(const RecordedTransaction& transaction) {
    Column hash(Column::text), workflow(Column::text), version(Column::text), document(Column::text);
    bool any = false;
    for (const persistence::Commit& commit : transaction)
      for (const persistence::DefinitionRow& row : commit.definitions) {
        hash.add(row.hash);
        workflow.add(row.workflow);
        version.add(row.version);
        document.add(row.document);
        any = true;
      }
    return !any || send("definitions", {hash.take(), workflow.take(), version.take(), document.take()});
  }

  Connection connection_;
  const Place place_;
  const std::string url_, bare_;
  bool made_ = false;  ///< the schema is ours to drop
  StoredChunks chunks_;
  std::map<std::uint32_t, std::int64_t> position_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

Result<std::unique_ptr<BareStore>> make_bare_postgres(const std::string& url) {
  const Place place = place_of(url);
  Connection connection(PQconnectdb(place.url.c_str()));
  // libpq's message about a URL that it cannot read repeats it, with the password.
  if (PQstatus(connection.get()) != CONNECTION_OK)
    return fail(code::unavailable, "the bare loop cannot connect to the PostgreSQL server that the URL names");
  PQsetNoticeProcessor(connection.get(), [](void*, const char*) {}, nullptr);
  auto store = std::make_unique<BarePostgres>(std::move(connection), place, url);
  MAPFLOW_TRY(store->check_new());
  return store;
}

}  // namespace mapflow::cli
