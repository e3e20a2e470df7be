// Where the program is put together: the one place of the command line that names concrete classes.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/time.h"
#include "cli/secrets.h"
#include "engine/engine.h"
#include "kernel/step_kind.h"
#include "persistence/store.h"

namespace mapflow::cli {

/// The time by the machine's clock.
Timestamp now();

/// The step kinds that definitions may use.
std::unique_ptr<kernel::KindRegistry> step_kinds();

/// An engine for one run in this process: all agent transports, a partition of its own.
EngineOptions engine_for_run(const std::string& store, Secrets secrets, engine::LogLine log);

/// An engine that shares a store with other nodes: all agent transports, its share of the partitions.
EngineOptions engine_for_serving(std::string node, std::shared_ptr<persistence::Store> store, Secrets secrets, engine::LogLine log);

/// How long, and how, a store is waited for.
struct Patience {
  Duration span{};
  std::function<void(const std::string& line)> say;             ///< told once, when the waiting begins
  std::function<bool(std::chrono::milliseconds)> wait_or_stop;  ///< waits that long; true: whoever waits gives up
};
/// Opens a store, and makes it when there is none. While its server is away it is tried again, ever less often. Errors: those of
/// persistence::open, of the last try.
Result<std::unique_ptr<persistence::Store>> open_patiently(const std::string& url, const Patience& patience);

/// A store to look into. Unlike persistence::open it makes no new one. Errors: not_found, and those of open.
Result<std::unique_ptr<persistence::Store>> open_existing(const std::string& url);

}  // namespace mapflow::cli
