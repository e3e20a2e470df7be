#include "engine/clock.h"

namespace mapflow::engine {

Timestamp SystemClock::now() const {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

}  // namespace mapflow::engine
