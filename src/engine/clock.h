// Where time comes from. Everything that runs in the engine is given a Clock; only SystemClock asks the machine.
#pragma once

#include "base/time.h"

namespace mapflow::engine {

/// Thread safety: now() may come from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;
};

class SystemClock final : public Clock {
 public:
  Timestamp now() const override;
};

}  // namespace mapflow::engine
