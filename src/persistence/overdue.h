// Finding the instances that were over for so long that they are to go: into an archive, or for good.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "persistence/store.h"

namespace mapflow::persistence {

/// Goes through the list of a store, a part of it at a time, so that each look has a bounded cost however long the list is.
/// Thread safety: the caller's.
class OverdueFinder {
 public:
  /// What to do with some that were found. Errors end the look.
  using Deal = std::function<Status(const std::vector<InstanceRow>& rows)>;

  explicit OverdueFinder(Store& store) : store_(store) {}

  /// Deals with what is over and has not changed since `before`, page after page from where the last look ended, until the
  /// list is through or `span` is over. Errors: those of the store and of `deal`; the page is looked at again next time.
  Status look(Timestamp before, Duration span, const Deal& deal);
  /// A whole look, from the list's beginning to its end.
  Status look_at_all(Timestamp before, const Deal& deal);

 private:
  Store& store_;
  std::string cursor_;
};

/// How long to pause between two looks for what was over for `retention`.
Duration pause_between_looks(Duration retention);
/// How long one look of a background thread may take.
inline constexpr Duration kBackgroundLook = std::chrono::milliseconds(500);

}  // namespace mapflow::persistence
