// Dropping finished instances from Redis for good.
#pragma once

#include <cstddef>
#include <vector>

#include "persistence/redis_access.h"
#include "persistence/redis_keys.h"
#include "persistence/store.h"

namespace mapflow::persistence::redis {

/// As Store::erase. Partition by partition, some rows at a time, so that the server is never busy for long.
Result<std::size_t> erase(Access& access, const Keys& keys, const std::vector<InstanceRow>& rows);

}  // namespace mapflow::persistence::redis
