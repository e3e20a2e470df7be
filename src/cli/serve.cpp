#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "cli/definitions.h"
#include "cli/interrupts.h"
#include "cli/secrets.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "cli/wire.h"
#include "engine/engine.h"
#include "engine/garbage.h"
#include "mapflow/version.h"
#include "server/http_server.h"
#include "server/metrics.h"
#include "value/json.h"

namespace mapflow::cli {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLook{100};
constexpr std::chrono::seconds kAwayServer{60};  // how long the store's server is waited for
constexpr std::chrono::seconds kDeadNode{10};  // longer than the lease of a node that died can run

std::string default_node() {
  std::array<char, 256> host{};
  const bool known = gethostname(host.data(), host.size() - 1) == 0 && host[0] != '\0';
  return fmt::format("{}-{}", known ? host.data() : "node", getpid());
}

Status check_node_name(const std::string& node) {
  const bool good = !node.empty() && node.size() <= 100 && std::ranges::all_of(node, [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.'; });
  if (good) return {};
  return fail(code::invalid_input, "'" + node + "' cannot be the name of a node", "letters, digits, '-', '_' and '.', at most 100");
}

/// The last moment to which a lease of that node runs; the epoch of time when it has none.
Result<Timestamp> lease_end(persistence::Store& store, const std::string& node) {
  MAPFLOW_ASSIGN(const auto leases, store.leases());
  Timestamp end{};
  for (const persistence::Lease& lease : leases)
    if (lease.node == node) end = std::max(end, lease.expires);
  return end;
}

/// Two nodes of one name would take each other's leases. One that was killed has left leases that end soon; one that
/// lives moves them on. False when the person wants to stop.
Result<bool> wait_for_namesake(persistence::Store& store, const std::string& node, Interrupts& interrupts) {
  MAPFLOW_ASSIGN(const Timestamp first, lease_end(store, node));
  const Timestamp patience = saturating_add(now(), kDeadNode);
  while (true) {
    MAPFLOW_ASSIGN(const Timestamp end, lease_end(store, node));
    if (end <= now()) return true;
    if (end > first || now() > patience)
      return fail(code::conflict, "a node with the name '" + node + "' runs already", "give this one another --node");
    if (interrupts.wait(kLook)) return false;
  }
}

class ServeSession {
 public:
  ServeSession(const ServeOptions& options, Console& console)
      : options_(options), console_(console), node_(options.node.empty() ? default_node() : options.node) {}

  Result<ExitCode> run() {
    MAPFLOW_TRY(check_node_name(node_));
    MAPFLOW_ASSIGN(const server::ListenAddress address, server::parse_listen_address(options_.listen, options_.allow_remote));
    if (options_.store == "memory:")
      return fail(code::invalid_input, "nobody else can reach a memory store", "name another store: --store sqlite:PATH");
    std::optional<Duration> retention;
    if (!options_.retention.empty()) {
      MAPFLOW_ASSIGN(retention, parse_duration(options_.retention));
    }
    MAPFLOW_ASSIGN(Secrets secrets, load_secrets(options_.secrets_file));
    Interrupts interrupts;
    auto opened = open_store(interrupts);
    if (interrupts.stop_requested()) return ExitCode::success;
    MAPFLOW_ASSIGN(const std::shared_ptr<persistence::Store> store, std::move(opened));
    MAPFLOW_ASSIGN(const bool alone, wait_for_namesake(*store, node_, interrupts));
    if (!alone) return ExitCode::success;

    const engine::LogLine tell = [this](std::string_view who, std::string_view line) { log(who, line); };
    Engine engine(engine_for_serving(node_, store, std::move(secrets), tell));
    MAPFLOW_TRY(engine.status());
    MAPFLOW_ASSIGN(const bool sound, add_definitions(engine));
    if (!sound) return ExitCode::usage;
    MAPFLOW_ASSIGN(const auto http, server::HttpServer::start(address, [this, &engine](const server::HttpRequest& request) { return answer(request, engine); }));
    engine.on_event([metrics = metrics_](const std::string& instance, const kernel::Event& event) { metrics->take(instance, event); });
    MAPFLOW_TRY(engine.serve());
    std::optional<engine::Retention> dropping;
    if (retention) dropping.emplace(store, node_, *retention, tell);
    ready_ = true;
    say(fmt::format("node {} serves {} and answers on http://{}/", node_, store->name(), http->address().to_string()));
    while (!interrupts.wait(std::chrono::hours(1))) {
    }
    ready_ = false;
    dropping.reset();
    say("handing over");
    return ExitCode::success;  // the engine's end is the handing over
  }

 private:
  Result<std::shared_ptr<persistence::Store>> open_store(Interrupts& interrupts) {
    const Patience patience{kAwayServer, [this](const std::string& line) { log("store", line); },
                            [&interrupts](milliseconds span) { return interrupts.wait(span); }};
    MAPFLOW_ASSIGN(std::shared_ptr<persistence::Store> store, open_patiently(options_.store, patience));
    for (const persistence::TierReport& tier : store->tiers())
      if (!tier.trouble.empty()) log("store", fmt::format("{}: {}", tier.role, tier.trouble));
    return server::metered(std::move(store), metrics_);
  }

  Result<bool> add_definitions(Engine& engine) {
    if (options_.workflows.empty()) return true;
    const auto kinds = step_kinds();
    LoadedDefinitions loaded = load_definitions({}, options_.workflows, *kinds);
    print_diagnostics(console_.err, loaded);
    if (!loaded.sound()) return false;
    for (Definition& definition : loaded.definitions) MAPFLOW_TRY(engine.add(std::move(definition)));
    return true;
  }

  server::HttpReply answer(const server::HttpRequest& request, const Engine& engine) const {
    if (request.method != "GET" && request.method != "HEAD")
      return {405, "application/problem+json", to_json(object({{"status", 405}, {"title", "only GET is known here"}}))};
    if (request.path == "/healthz") return {200, "application/json", to_json(object({{"status", "ok"}, {"node", node_}}))};
    if (request.path == "/readyz") {
      const bool ready = ready_;
      return {ready ? 200u : 503u, "application/json", to_json(object({{"status", ready ? "ready" : "not ready"}, {"node", node_}}))};
    }
    if (request.path == "/version") return {200, "application/json", to_json(object({{"name", "mapflow"}, {"version", version()}}))};
    if (request.path == "/metrics") return {200, "text/plain; version=0.0.4", metrics_->text(engine.load())};
    return {404, "application/problem+json", to_json(object({{"status", 404}, {"title", "there is no " + request.path}}))};
  }

  void say(std::string_view line) { log("", line); }
  void log(std::string_view who, std::string_view line) {
    const std::lock_guard lock(writing_);
    console_.err.line(format_clock(now()) + "  " + (who.empty() ? "" : printable(who) + ": ") + printable(line));
  }

  const ServeOptions& options_;
  Console& console_;
  const std::string node_;
  const std::shared_ptr<server::Metrics> metrics_ = std::make_shared<server::Metrics>();
  std::mutex writing_;
  std::atomic<bool> ready_ = false;
};

}  // namespace

ExitCode execute(const ServeOptions& options, Console& console) {
  const auto ended = ServeSession(options, console).run();
  return ended ? *ended : refuse(console, ended.error(), false);
}

}  // namespace mapflow::cli
