// Whether Redis servers keep what they have acknowledged, by their settings.
#pragma once

#include <string>

#include "persistence/redis_access.h"

namespace mapflow::persistence::redis {

/// Which settings let acknowledged writes get lost when servers crash or replicas take over, with their values and what to set;
/// empty when none does. A server that does not tell its settings counts as one that forgets.
std::string durability_risk(Access& access);

}  // namespace mapflow::persistence::redis
