// A store whose payloads another store keeps, encrypted: what runs through workflows, but not what people list by.
//
// Encrypted: log entries, snapshots, history, definitions, and commands that wait (sealing.h says how). Each is bound to its
// partition, instance and number, so that none can be put in place of another one; entries of a log also to their order. In the
// clear: ids, workflow names and versions, states, tags, correlation ids and times, by which instances are found. The details
// that PostgreSQL shows by SQL are left out.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "persistence/forwarding.h"
#include "persistence/sealing.h"

namespace mapflow::persistence {

/// Reading fails with corrupt and invalid_state also as Sealer::open does.
class EncryptedStore final : public ForwardingStore {
 public:
  EncryptedStore(std::shared_ptr<Store> inner, Keyring keys) : ForwardingStore(std::move(inner)), sealer_(std::move(keys)) {}

  std::string name() const override;
  bool shows_details() const override { return false; }
  void commit(Commit commit, CommitDone done) override;
  Result<std::vector<LogEntry>> read_log(Partition partition, LogPosition from, std::size_t max_bytes) override;
  Result<InstanceRow> instance(std::string_view id) override;
  Result<std::vector<InstanceRow>> unfinished(Partition partition, std::string_view after_id, std::size_t limit) override;
  Result<std::vector<HistoryChunk>> history(std::string_view instance) override;
  Result<DefinitionRow> definition(std::string_view hash) override;
  Result<std::vector<DefinitionRow>> definitions(std::string_view after_hash, std::size_t limit) override;
  Result<InboxPosition> post(Partition partition, std::string command) override;
  Result<std::vector<InboxEntry>> inbox(Partition partition, InboxPosition after, std::size_t limit) override;

 private:
  /// How far a log was read, and the last number that each Sealer gave.
  struct Reading {
    LogPosition through{};
    std::map<std::string, std::uint64_t> counters;
  };
  Status unseal(std::string& bytes, const std::string& place, const std::string& what);
  Status unseal(InstanceRow& row);
  Status unseal(DefinitionRow& row);
  Error told(Error error, const std::string& what) const;

  Sealer sealer_;
  std::mutex mutex_;
  std::map<Partition, Reading> readings_;
};

}  // namespace mapflow::persistence
