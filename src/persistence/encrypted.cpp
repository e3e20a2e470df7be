#include "persistence/encrypted.h"

#include <fmt/format.h>

#include <utility>

namespace mapflow::persistence {
namespace {

// Places. No two kinds of them are the same text: each begins with another word, and an id, which may hold anything, comes last.
// A log entry's epoch and position are another store's own, as a backup's: its order is seen to in read_log().
std::string place_of_log(Partition partition) { return fmt::format("log {}", partition.value); }
std::string place_of(const InstanceRow& row) { return fmt::format("snapshot {} {} {}", row.partition.value, row.seq, row.id); }
std::string place_of(const HistoryChunk& chunk) {
  return fmt::format("history {} {} {}", chunk.first_seq, chunk.last_seq, chunk.instance);
}
std::string place_of(const DefinitionRow& row) { return fmt::format("definition {}", row.hash); }
std::string place_of_command(Partition partition) { return fmt::format("command {}", partition.value); }

}  // namespace

std::string EncryptedStore::name() const { return ForwardingStore::name() + " (encrypted)"; }

// --- in ---------------------------------------------------------------------------------------------------------------

void EncryptedStore::commit(Commit commit, CommitDone done) {
  if (!commit.log.empty()) commit.log = sealer_.seal(place_of_log(commit.lease.partition), commit.log);
  for (InstanceRow& row : commit.rows) {
    if (!row.snapshot.empty()) row.snapshot = sealer_.seal(place_of(row), row.snapshot);
    row.details.clear();
  }
  for (HistoryChunk& chunk : commit.history) chunk.records = sealer_.seal(place_of(chunk), chunk.records);
  for (DefinitionRow& row : commit.definitions) row.document = sealer_.seal(place_of(row), row.document);
  inner().commit(std::move(commit), std::move(done));
}

Result<InboxPosition> EncryptedStore::post(Partition partition, std::string command) {
  return inner().post(partition, sealer_.seal(place_of_command(partition), command));
}

// --- out --------------------------------------------------------------------------------------------------------------

Error EncryptedStore::told(Error error, const std::string& what) const {
  error.message = fmt::format("{}: {}: {}", name(), what, error.message);
  return error;
}

Status EncryptedStore::unseal(std::string& bytes, const std::string& place, const std::string& what) {
  auto opened = sealer_.open(place, bytes);
  if (!opened) return fail(told(std::move(opened).error(), what));
  bytes = std::move(opened->bytes);
  return {};
}

Status EncryptedStore::unseal(InstanceRow& row) {
  if (row.snapshot.empty()) return {};
  return unseal(row.snapshot, place_of(row), fmt::format("instance '{}'", row.id));
}

Status EncryptedStore::unseal(DefinitionRow& row) { return unseal(row.document, place_of(row), fmt::format("definition '{}'", row.hash)); }

/// What one Sealer has sealed lies in the log in the order in which it was sealed; where a reading goes on, that is known.
Result<std::vector<LogEntry>> EncryptedStore::read_log(Partition partition, LogPosition from, std::size_t max_bytes) {
  MAPFLOW_ASSIGN(std::vector<LogEntry> entries, inner().read_log(partition, from, max_bytes));
  const std::lock_guard lock(mutex_);
  Reading& reading = readings_[partition];
  if (entries.empty() || entries.front().position.value != reading.through.value + 1) reading = {};
  std::size_t bytes = 0;
  for (LogEntry& entry : entries) {
    const std::string what = fmt::format("partition {}, log entry {}", partition.value, entry.position.value);
    auto opened = sealer_.open(place_of_log(partition), entry.bytes);
    if (!opened) return fail(told(std::move(opened).error(), what));
    std::uint64_t& last = reading.counters[opened->mark.salt];
    if (opened->mark.counter <= last) return fail(told(Error(code::corrupt, "it was moved within the log"), what));
    bytes += opened->bytes.size();
    if (bytes > max_bytes && &entry != &entries.front()) {  // it was stored compressed, so there may be more than was asked for
      entries.resize(static_cast<std::size_t>(&entry - entries.data()));
      break;
    }
    last = opened->mark.counter;
    entry.bytes = std::move(opened->bytes);
    reading.through = entry.position;
  }
  return entries;
}

Result<InstanceRow> EncryptedStore::instance(std::string_view id) {
  MAPFLOW_ASSIGN(InstanceRow row, inner().instance(id));
  if (row.id != id) return fail(told(Error(code::corrupt, "another one is stored in its place"), fmt::format("instance '{}'", id)));
  MAPFLOW_TRY(unseal(row));
  return row;
}

Result<std::vector<InstanceRow>> EncryptedStore::unfinished(Partition partition, std::string_view after_id, std::size_t limit) {
  MAPFLOW_ASSIGN(std::vector<InstanceRow> rows, inner().unfinished(partition, after_id, limit));
  for (InstanceRow& row : rows) MAPFLOW_TRY(unseal(row));
  return rows;
}

Result<std::vector<HistoryChunk>> EncryptedStore::history(std::string_view instance) {
  MAPFLOW_ASSIGN(std::vector<HistoryChunk> chunks, inner().history(instance));
  for (HistoryChunk& chunk : chunks) {
    chunk.instance = instance;
    MAPFLOW_TRY(unseal(chunk.records, place_of(chunk), fmt::format("the history of instance '{}' from record {}", instance, chunk.first_seq)));
  }
  return chunks;
}

Result<DefinitionRow> EncryptedStore::definition(std::string_view hash) {
  MAPFLOW_ASSIGN(DefinitionRow row, inner().definition(hash));
  MAPFLOW_TRY(unseal(row));
  return row;
}

Result<std::vector<DefinitionRow>> EncryptedStore::definitions(std::string_view after_hash, std::size_t limit) {
  MAPFLOW_ASSIGN(std::vector<DefinitionRow> rows, inner().definitions(after_hash, limit));
  for (DefinitionRow& row : rows) MAPFLOW_TRY(unseal(row));
  return rows;
}

Result<std::vector<InboxEntry>> EncryptedStore::inbox(Partition partition, InboxPosition after, std::size_t limit) {
  MAPFLOW_ASSIGN(std::vector<InboxEntry> entries, inner().inbox(partition, after, limit));
  for (InboxEntry& entry : entries)
    MAPFLOW_TRY(unseal(entry.command, place_of_command(partition), fmt::format("command {} of partition {}", entry.position.value, partition.value)));
  return entries;
}

}  // namespace mapflow::persistence
