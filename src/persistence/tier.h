// What the tiers of a composite store share: writing into another store than the one that decides.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>

#include "persistence/store.h"

namespace mapflow::persistence {

/// Takes the partition for somebody whom only the primary's lease gives the right to write here: at once, also from who
/// has it, and making it if there is none. Errors: those of the store.
Result<Lease> take_over(Store& store, Partition partition, std::string_view node);

/// Commits and waits for the outcome. Not from a `done` of the same store.
Result<LogPosition> commit_and_wait(Store& store, Commit commit);

/// Adds the definition to the commit, if `from` has it. Errors: those of `from` but not_found.
Status add_definition(Commit& commit, Store& from, const std::string& hash);

/// Commits of a tier that are not answered yet and will look at it when they are: its destructor waits for them.
class InFlight {
 public:
  void begin();
  void end();
  void wait();

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  std::size_t count_ = 0;
};

/// What a tier last failed with. Thread safety: every call from any thread.
class Trouble {
 public:
  void note(const Error& error);
  void over();
  std::string text() const;

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

}  // namespace mapflow::persistence
