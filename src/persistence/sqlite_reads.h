// What can be read from the tables, each call one statement and so one consistent view.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "persistence/sqlite_database.h"
#include "persistence/store.h"

namespace mapflow::persistence::sqlite {

Result<std::uint32_t> shared_partitions(Database& db);
Result<std::vector<Lease>> leases(Database& db);
Result<std::vector<LogEntry>> read_log(Database& db, Partition partition, LogPosition from, std::size_t max_bytes);
Result<InstanceRow> instance(Database& db, std::string_view id);
Result<std::vector<InstanceRow>> unfinished(Database& db, Partition partition, std::string_view after_id,
                                            std::size_t limit);
Result<InstancePage> list(Database& db, const ListQuery& query);
Result<std::vector<HistoryChunk>> history(Database& db, std::string_view instance);
Result<DefinitionRow> definition(Database& db, std::string_view hash);
Result<std::vector<DefinitionRow>> definitions(Database& db, std::string_view after_hash, std::size_t limit);
Result<std::vector<InboxEntry>> inbox(Database& db, Partition partition, InboxPosition after, std::size_t limit);

/// Connections for reading: as many as there are readers at once, a few of them kept open.
/// Thread safety: every call from any thread.
class ReadPool {
 public:
  ReadPool(std::string path, const Database::Options& options) : path_(std::move(path)), options_(options) {}

  Result<std::unique_ptr<Database>> take();
  void give_back(std::unique_ptr<Database> db);

 private:
  const std::string path_;
  const Database::Options options_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Database>> idle_;
};

}  // namespace mapflow::persistence::sqlite
