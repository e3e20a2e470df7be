// How rows get into PostgreSQL fastest, in transactions of the store's size: measured before the store was written
// that way. bench-postgres-write URL [TRANSACTIONS] prints transactions and rows per second for
//
//   row     one prepared INSERT … ON CONFLICT for each row, all in one pipeline
//   unnest  one prepared INSERT … SELECT FROM unnest(…), each column an array
//   copy    binary COPY into a temporary table, then INSERT … SELECT; not possible in a pipeline
#include <libpq-fe.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

constexpr int kRows = 100;        // per transaction, as with a thousand workflows at once
constexpr int kTextBytes = 1000;  // a snapshot and what people see of it

struct Clear { void operator()(PGresult* result) const { PQclear(result); } };

[[noreturn]] void give_up(PGconn* db) {
  std::fprintf(stderr, "%s\n", PQerrorMessage(db));
  std::exit(1);
}

void run(PGconn* db, const char* sql) {
  const std::unique_ptr<PGresult, Clear> result(PQexec(db, sql));
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_COPY_IN) give_up(db);
}

void append(std::string& out, std::int64_t number, int width) {
  while (width-- > 0) out += static_cast<char>(number >> (8 * width) & 0xff);
}

struct Row {
  std::string id;
  std::int64_t created;
  std::string bytes;
};

std::vector<Row> some_rows() {
  static std::int64_t last = 0;
  std::vector<Row> rows;
  for (int i = 0; i < kRows; ++i) {
    ++last;
    rows.push_back({"instance-" + std::to_string(last * 7919 % 1'000'003) + "-" + std::to_string(last), last, std::string(kTextBytes, static_cast<char>('a' + last % 26))});
  }
  return rows;
}

void send(PGconn* db, const char* statement, const std::vector<std::string>& values) {
  std::vector<const char*> data;
  std::vector<int> lengths, formats;
  for (const std::string& value : values) {
    data.push_back(value.data());
    lengths.push_back(static_cast<int>(value.size()));
    formats.push_back(1);
  }
  if (PQsendQueryPrepared(db, statement, static_cast<int>(values.size()), data.data(), lengths.data(), formats.data(), 1) != 1) give_up(db);
}

void finish_pipeline(PGconn* db) {
  PQpipelineSync(db);
  for (bool synced = false; !synced;) {
    const std::unique_ptr<PGresult, Clear> result(PQgetResult(db));
    const auto status = PQresultStatus(result.get());
    synced = result && status == PGRES_PIPELINE_SYNC;
    if (result && !synced && status != PGRES_COMMAND_OK) give_up(db);
  }
}

void by_row(PGconn* db) {
  send(db, "begin", {});
  for (const Row& row : some_rows()) {
    std::string created;
    append(created, row.created, 8);
    send(db, "row", {row.id, created, row.bytes});
  }
  send(db, "commit", {});
  finish_pipeline(db);
}

std::string array(std::uint32_t element, const std::vector<std::string>& values) {
  std::string out;
  for (const std::int64_t part : {std::int64_t{1}, std::int64_t{0}, std::int64_t{element}, static_cast<std::int64_t>(values.size()), std::int64_t{1}})
    append(out, part, 4);
  for (const std::string& value : values) {
    append(out, static_cast<std::int64_t>(value.size()), 4);
    out += value;
  }
  return out;
}

void by_unnest(PGconn* db) {
  std::vector<std::string> ids, created, bytes;
  for (Row& row : some_rows()) {
    ids.push_back(row.id);
    append(created.emplace_back(), row.created, 8);
    bytes.push_back(row.bytes);
  }
  send(db, "begin", {});
  send(db, "unnest", {array(25, ids), array(20, created), array(17, bytes)});
  send(db, "commit", {});
  finish_pipeline(db);
}

void by_copy(PGconn* db) {
  run(db, "BEGIN");
  run(db, "COPY staged FROM STDIN (FORMAT binary)");
  std::string data("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
  for (const Row& row : some_rows()) {
    append(data, 3, 2);
    append(data, static_cast<std::int64_t>(row.id.size()), 4);
    data += row.id;
    append(data, 8, 4);
    append(data, row.created, 8);
    append(data, static_cast<std::int64_t>(row.bytes.size()), 4);
    data += row.bytes;
  }
  append(data, -1, 2);
  if (PQputCopyData(db, data.data(), static_cast<int>(data.size())) != 1 || PQputCopyEnd(db, nullptr) != 1) give_up(db);
  while (const std::unique_ptr<PGresult, Clear> result{PQgetResult(db)})
    if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) give_up(db);
  run(db, "INSERT INTO rows SELECT * FROM staged ON CONFLICT (id) DO UPDATE SET bytes = excluded.bytes");
  run(db, "COMMIT");  // empties the temporary table
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: bench-postgres-write URL [TRANSACTIONS]\n");
    return 2;
  }
  const int transactions = count > 2 ? std::atoi(arguments[2]) : 500;
  const std::unique_ptr<PGconn, decltype(&PQfinish)> owner(PQconnectdb(arguments[1]), &PQfinish);
  PGconn* const db = owner.get();
  if (PQstatus(db) != CONNECTION_OK) give_up(db);
  run(db, "SET synchronous_commit = off");  // the disk would hide the difference
  run(db, "SET client_min_messages = warning");
  struct Way {
    const char* name;
    void (*write)(PGconn*);
    bool pipeline;
  };
  for (const Way& way : {Way{"row", by_row, true}, Way{"unnest", by_unnest, true}, Way{"copy", by_copy, false}}) {
    run(db, "DROP SCHEMA IF EXISTS bench_write CASCADE");
    run(db, "CREATE SCHEMA bench_write");
    run(db, "SET search_path = bench_write, pg_temp");
    run(db, "CREATE TABLE rows (id text COLLATE \"C\" PRIMARY KEY, created bigint, bytes bytea)");
    run(db, "CREATE INDEX ON rows (created, id)");
    run(db, "DROP TABLE IF EXISTS staged");
    run(db, "CREATE TEMPORARY TABLE staged (id text, created bigint, bytes bytea) ON COMMIT DELETE ROWS");
    run(db, "DEALLOCATE ALL");
    const auto prepare = [&](const char* name, const char* sql) {
      const std::unique_ptr<PGresult, Clear> result(PQprepare(db, name, sql, 0, nullptr));
      if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) give_up(db);
    };
    prepare("begin", "BEGIN");
    prepare("commit", "COMMIT");
    prepare("row", "INSERT INTO rows VALUES ($1::text, $2::bigint, $3::bytea) ON CONFLICT (id) DO UPDATE SET bytes = excluded.bytes");
    prepare("unnest", "INSERT INTO rows SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[]) ON CONFLICT (id) DO UPDATE SET bytes = excluded.bytes");
    if (way.pipeline) PQenterPipelineMode(db);
    const auto before = std::chrono::steady_clock::now();
    for (int i = 0; i < transactions; ++i) way.write(db);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
    if (way.pipeline) PQexitPipelineMode(db);
    std::printf("%-6s  %8.0f transactions/s  %8.0f rows/s\n", way.name, transactions / seconds, transactions * kRows / seconds);
  }
  run(db, "DROP SCHEMA bench_write CASCADE");
  return 0;
}
