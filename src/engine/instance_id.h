// Names for instances that nobody has named.
#pragma once

#include <string>

#include "base/time.h"
#include "engine/random.h"

namespace mapflow::engine {

/// 26 characters of Crockford's base 32, lower case: 48 bits of milliseconds, then 80 of chance (a ULID). Later ones
/// sort after earlier ones.
std::string make_instance_id(Timestamp now, Random& random);

}  // namespace mapflow::engine
