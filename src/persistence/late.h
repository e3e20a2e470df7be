// A store that is away when it is to be opened, and is opened when it is back: for tiers that work goes on without.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "persistence/store.h"

namespace mapflow::persistence {

/// What `open` opens. While that fails as unavailable, a store that answers so to every call and tries again, a second
/// after the last try, in a thread of its own: no caller ever waits for it. What it fails with later (a store that does
/// not fit) is what the calls then fail with. Errors: those of `open` but unavailable.
Result<std::shared_ptr<Store>> open_late(std::string name, std::function<Result<std::shared_ptr<Store>>()> open);

}  // namespace mapflow::persistence
