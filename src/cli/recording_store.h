// A store that remembers what was committed to it, so that a bare loop can write the very same bytes again.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "persistence/forwarding.h"

namespace mapflow::cli {

/// Commits that became durable in one transaction of the backend.
using RecordedTransaction = std::vector<persistence::Commit>;

class RecordingStore final : public persistence::ForwardingStore {
 public:
  explicit RecordingStore(std::shared_ptr<persistence::Store> inner)
      : ForwardingStore(std::move(inner)), recording_(std::make_shared<Recording>()) {}

  /// Ends the recording and gives it.
  std::vector<RecordedTransaction> take();

  void commit(persistence::Commit commit, persistence::CommitDone done) override;

 private:
  struct Recording {
    std::mutex mutex;
    bool on = true;
    std::uint64_t last_transaction = 0;
    std::vector<RecordedTransaction> transactions;
  };

  std::shared_ptr<Recording> recording_;  // also held by commits whose end is still to come
};

}  // namespace mapflow::cli
