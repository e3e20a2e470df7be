// The store that forgets: everything in this process, gone with it. For tests, trials and the simulator, whose nodes
// come and go while the store object stays.
#pragma once

#include <cstdint>
#include <memory>

#include "persistence/store.h"

namespace mapflow::persistence {

struct MemoryOptions {
  std::uint32_t shared_partitions = 4;
};

/// An empty store. A commit calls its `done` before it returns, on the calling thread.
std::unique_ptr<Store> make_memory_store(const MemoryOptions& options = {});

}  // namespace mapflow::persistence
