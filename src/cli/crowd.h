// Very many instances at once, for benchmarks.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"
#include "engine/engine.h"

namespace mapflow::cli {

struct CrowdMember {
  std::string workflow;
  StartOptions options;
};

/// Starts instances 0 … count-1 and returns when all are durable. `started` is called for each, from any thread, and may be
/// empty. Errors: the first that any start gave.
Status start_crowd(Engine& engine, std::uint32_t count, const std::function<CrowdMember(std::uint32_t)>& member,
                   const std::function<void(std::uint32_t, Run)>& started = {});

/// `visit(number)` for 0 … count-1, on many threads, for each of them may wait for the store. Errors: the first that any gave;
/// the rest is not visited then.
Status for_each_of(std::uint32_t count, const std::function<Status(std::uint32_t)>& visit);

}  // namespace mapflow::cli
