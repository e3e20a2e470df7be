// The archive of a composite store: finished instances move there some time after their end, and stay readable.
//
// docs/design/tiers.md says how. In the archive an instance has the id, partition and columns that it had; its snapshot
// and the records of its history are zstd frames.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "persistence/background.h"
#include "persistence/forwarding.h"
#include "persistence/overdue.h"
#include "persistence/tier.h"

namespace mapflow::persistence {

struct ArchiveOptions {
  Duration retention = std::chrono::days(30);    ///< how long after its last change an instance stays in the primary
  Duration pause = std::chrono::minutes(1);      ///< between two looks for what is due; zero: only sweep() looks
  std::function<Timestamp()> now;                ///< the clock that rows are written by
};

class ArchivedStore final : public ForwardingStore {
 public:
  ArchivedStore(std::shared_ptr<Store> primary, std::shared_ptr<Store> archive, ArchiveOptions options);
  ~ArchivedStore() override { in_flight_.wait(); }

  /// Moves every instance that is over and has not changed since `before`, and gives how many. Errors: those of both stores;
  /// what was moved until then stays moved.
  Result<std::size_t> sweep(Timestamp before);
  /// Returns when what was given back to the primary so far is gone from the archive.
  void settle() { background_.wait(); }

  std::vector<TierReport> tiers() override;
  void commit(Commit commit, CommitDone done) override;
  Result<std::size_t> erase(const std::vector<InstanceRow>& rows) override;
  Result<InstanceRow> instance(std::string_view id) override;
  Result<InstancePage> list(const ListQuery& query) override;
  Result<std::vector<HistoryChunk>> history(std::string_view instance) override;
  Result<DefinitionRow> definition(std::string_view hash) override;

 private:
  Result<std::size_t> move_all(const std::vector<InstanceRow>& rows);
  Result<bool> move(const InstanceRow& listed);
  Result<std::vector<HistoryChunk>> archived_history(std::string_view instance);
  std::vector<InstanceRow> take_back(Commit& commit);
  template <class T>
  Result<T> noted(Result<T> outcome);

  const std::shared_ptr<Store> archive_;
  const ArchiveOptions options_;
  Trouble trouble_;
  std::mutex mutex_;
  std::deque<InstanceRow> read_;  ///< rows given out of the archive lately: one of them may be taken back to life
  InFlight in_flight_;
  OverdueFinder finder_;   ///< the background thread's
  Background background_;  ///< last, so that it ends first
};

}  // namespace mapflow::persistence
