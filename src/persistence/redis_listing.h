// Going through the instances of all partitions, newest first: each partition gives its own in portions, and the
// newest of their heads is the next.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "persistence/listing.h"
#include "persistence/redis_access.h"

namespace mapflow::persistence::redis {

class Listing {
 public:
  /// Begins behind the query's cursor. Errors: invalid_input (the cursor), unavailable, corrupt.
  static Result<Listing> begin(Access& access, const Keys& keys, const ListQuery& query, std::uint32_t partitions);
  /// The next instance that passes the query's filters, without its snapshot; nothing at the end.
  Result<std::optional<InstanceRow>> next();

 private:
  struct Source {
    Partition partition;
    std::string before;               ///< where its next portion begins, as the server's function wants it
    std::deque<InstanceRow> rows;
    bool ended = false;

    bool dry() const { return rows.empty() && !ended; }
  };
  Listing(Access& access, const Keys& keys, const ListQuery& query) : access_(access), keys_(keys), query_(query) {}
  Status refill();

  Access& access_;
  const Keys& keys_;
  const ListQuery& query_;
  std::vector<Source> sources_;
};

}  // namespace mapflow::persistence::redis
