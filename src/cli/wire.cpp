#include "cli/wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "agents/factory.h"
#include "engine/clock.h"
#include "persistence/open.h"
#include "steps/registry.h"

namespace mapflow::cli {

Timestamp now() { return engine::SystemClock().now(); }

std::unique_ptr<kernel::KindRegistry> step_kinds() { return steps::make_registry(); }

EngineOptions engine_for_run(const std::string& store, Secrets secrets, engine::LogLine log) {
  EngineOptions options;
  options.store = store;
  options.agents = agents::make_agent_factory();
  options.secrets = std::move(secrets);
  options.private_partition = true;
  options.shards = 1;
  options.log = std::move(log);
  return options;
}

EngineOptions engine_for_serving(std::string node, std::shared_ptr<persistence::Store> store, Secrets secrets, engine::LogLine log) {
  EngineOptions options;
  options.store_object = std::move(store);
  options.agents = agents::make_agent_factory();
  options.secrets = std::move(secrets);
  options.node = std::move(node);
  options.log = std::move(log);
  return options;
}

Result<std::unique_ptr<persistence::Store>> open_patiently(const std::string& url, const Patience& patience) {
  using std::chrono::milliseconds;
  constexpr milliseconds kFirstPause{100}, kLongestPause{2000};
  const auto end = std::chrono::steady_clock::now() + patience.span;
  for (milliseconds pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
    auto store = persistence::open(url);
    if (store || !store.error().is(code::unavailable) || store.error().retryable == false || !persistence::on_server(url)) return store;
    if (std::chrono::steady_clock::now() + pause > end) return store;
    if (pause == kFirstPause)
      patience.say(fmt::format("{}; trying again for {}", store.error().message, format_duration(patience.span)));
    if (patience.wait_or_stop(pause)) return store;
  }
}

Result<std::unique_ptr<persistence::Store>> open_existing(const std::string& url) {
  constexpr std::string_view sqlite = "sqlite:";
  const std::string_view kept = persistence::unencrypted(url);
  if (kept == "memory:") {
    return fail(code::invalid_input, "a memory store holds nothing once its program has ended",
                "name another store: --store sqlite:PATH");
  }
  if (kept.starts_with(sqlite)) {
    std::error_code ignored;
    const std::string path(kept.substr(sqlite.size()));
    if (!path.empty() && !std::filesystem::exists(path, ignored))
      return fail(code::unavailable, "there is no store '" + url + "'", "`mapflow run` makes one; or name another: --store URL");
  }
  return persistence::open(url);
}

}  // namespace mapflow::cli
