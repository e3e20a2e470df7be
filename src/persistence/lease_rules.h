// Who may take a partition and who may write it: the rules that every backend applies inside its own transaction.
#pragma once

#include <optional>
#include <string_view>
#include <unordered_map>

#include "persistence/store.h"

namespace mapflow::persistence {

/// What a store keeps of the current lease of a partition.
struct LeaseRecord {
  Epoch epoch;            ///< 0: never taken
  std::string node;
  Timestamp expires{};
  bool released = false;
};

/// Whether a partition that `node` takes keeps the notice of its current lease.
inline bool keeps_notice(const LeaseRecord& current, std::string_view node) { return current.node == node; }

/// The lease that `node` gets, or conflict (with retry_after) while another node's lease runs.
Result<Lease> next_lease(Partition partition, const LeaseRecord& current, std::string_view node, Duration ttl,
                         Timestamp now);

/// Whether the lease still gives the right to write. Errors: fenced.
Status check_lease(const LeaseRecord& current, const Lease& lease);

/// Errors: invalid_input for a notice that is too long.
Status check_notice(const Lease& lease);

/// The error of a commit to, or a wish for, a partition that the store does not have.
Error no_such_partition(Partition partition);

/// Errors: conflict when the row says another partition than the lease it is written under.
Status check_row(const InstanceRow& row, const Lease& lease);
/// Whether the stored row is finished and still the one that a caller of Store::erase knows.
bool may_erase(const InstanceRow& stored, const InstanceRow& known);
Error row_of_another_partition(const InstanceRow& row, Partition owner);

/// The leases under which a commit failed: whatever was to follow it must not take effect.
/// Thread safety: the caller's.
class BrokenLeases {
 public:
  /// Why no commit of this lease can take effect any more, if so.
  std::optional<Error> refusal(const Lease& lease) const;
  /// Notes the first failure of a lease; later ones change nothing.
  void note_failure(const Lease& lease, const Error& first);

 private:
  struct Failure {
    Epoch epoch;
    Error first;
  };
  std::unordered_map<Partition, Failure> failures_;
};

}  // namespace mapflow::persistence
