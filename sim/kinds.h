// The step kinds and retry policies that simulated workflows may use.
#pragma once

#include <memory>
#include <optional>

#include "kernel/step_kind.h"

namespace mapflow::sim {

/// All kinds, and the retry policy `as_told`.
std::unique_ptr<kernel::KindRegistry> make_kinds();

/// The policy `as_told`: later each time, and never again when its agent is busy.
inline constexpr const char* kAsTold = "as_told";
std::optional<Duration> as_told(const Error& error, std::uint32_t attempt);

}  // namespace mapflow::sim
