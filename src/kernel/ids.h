// The kernel's identifiers.
#pragma once

#include <cstdint>

#include "base/id.h"

namespace mapflow::kernel {

using NodeIndex = StrongId<struct NodeTag>;    ///< a step of a program
using BlockIndex = StrongId<struct BlockTag>;  ///< a block (list of steps) of a program
using RunId = StrongId<struct RunTag>;         ///< a step of an instance being executed; from 1, never used again
using FrameId = StrongId<struct FrameTag>;     ///< a block of an instance being executed; from 1, never used again

inline constexpr RunId kNoRun{};      ///< the owner of the frames that belong to the instance itself
inline constexpr FrameId kNoFrame{};
inline constexpr BlockIndex kNoBlock{UINT32_MAX};

}  // namespace mapflow::kernel
