// Who may have rows of an instance, in a cluster: there the owner's name lies on another server than the partition, so it is
// written before the commit, as a claim. A claim without a row is worth something only under the epoch that made it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "persistence/commit_queue.h"
#include "persistence/redis_access.h"

namespace mapflow::persistence::redis {

/// Takes back the claim of an instance whose row was dropped from the partition, unless it is of the current epoch: then its
/// owner may rely on it, and it stays until it is overtaken. Errors: unavailable.
Status take_back_claim(Access& access, const Keys& keys, std::string_view instance, Partition partition);

/// Thread safety: one thread.
class Claims {
 public:
  Claims(Access& access, const Keys& keys) : access_(access), keys_(keys) {}

  /// Claims every instance that these commits have rows of, all at once. Errors: unavailable.
  Status claim(const std::vector<const QueuedCommit*>& items);
  /// An instance of the commit that belongs to another partition, and to which.
  struct Taken {
    std::string_view instance;
    Partition owner;
  };
  std::optional<Taken> taken(const Commit& commit) const;

 private:
  struct Owner {
    Partition partition;
    Epoch epoch;
  };
  struct Wish {
    const InstanceRow* row;
    Lease lease;
  };
  Status settle(const Wish& wish, const std::string& found);

  Access& access_;
  const Keys& keys_;
  std::unordered_map<std::string, Owner> owners_;
};

}  // namespace mapflow::persistence::redis
