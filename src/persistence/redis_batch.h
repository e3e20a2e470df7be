// Commits as the arguments of one call of the server's function write_commits.
#pragma once

#include <string>
#include <vector>

#include "persistence/commit_queue.h"
#include "persistence/redis_command.h"
#include "persistence/redis_keys.h"
#include "persistence/redis_reply.h"

namespace mapflow::persistence::redis {

/// Commits of one lease that go together, in order. Each is written as a whole or not at all, and none behind one that
/// is not; and none of them unless everything that the lease wrote before is there.
struct LaneUse {
  Lease lease;
  std::uint64_t sender = 0;
  std::uint64_t written_before = 0;
  std::vector<QueuedCommit*> items;
};

/// What the server did with a LaneUse.
struct LaneOutcome {
  bool refused = false;      ///< the lease is over, or what it wrote before is not there; nothing was written
  std::size_t written = 0;   ///< how many of its commits are there
  Partition owner;           ///< when not all are: of the instance that the next one wanted to write
  std::string taken;         ///< that instance
};

/// The call. The commits must live until it was sent. On a single server the function also sees to it that no two
/// partitions have rows of one instance; in a cluster the lane must be one, and that is seen to before (redis_claims.h).
Command write_call(const std::vector<LaneUse>& lanes, const Keys& keys, bool cluster);

/// Errors: corrupt.
Result<std::vector<LaneOutcome>> read_outcomes(const Reply& reply, std::size_t lanes);

}  // namespace mapflow::persistence::redis
