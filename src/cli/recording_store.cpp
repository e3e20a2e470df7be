#include "cli/recording_store.h"

namespace mapflow::cli {

void RecordingStore::commit(persistence::Commit commit, persistence::CommitDone done) {
  auto copy = std::make_unique<persistence::Commit>(commit);
  auto note = [recording = recording_, store = &inner(), copy = std::move(copy),
               done = std::move(done)](Result<persistence::LogPosition> position) mutable {
    if (position) {
      const std::lock_guard lock(recording->mutex);
      if (recording->on) {
        const std::uint64_t transaction = store->commit_transactions();
        if (recording->transactions.empty() || transaction != recording->last_transaction) recording->transactions.emplace_back();
        recording->last_transaction = transaction;
        recording->transactions.back().push_back(std::move(*copy));
      }
    }
    done(std::move(position));
  };
  inner().commit(std::move(commit), std::move(note));
}

std::vector<RecordedTransaction> RecordingStore::take() {
  const std::lock_guard lock(recording_->mutex);
  recording_->on = false;
  return std::move(recording_->transactions);
}

}  // namespace mapflow::cli
