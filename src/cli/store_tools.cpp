#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "cli/text.h"
#include "cli/verbs.h"
#include "cli/wire.h"
#include "engine/garbage.h"
#include "persistence/open.h"
#include "persistence/transfer.h"

namespace mapflow::cli {

namespace {

constexpr std::size_t kPage = 500;
constexpr std::size_t kLogBytes = 4u << 20;

struct Stats {
  std::map<std::string, std::uint64_t> states;  ///< how many instances are in each
  std::uint64_t instances = 0, unfinished = 0, log_entries = 0, log_bytes = 0, commands = 0;
  std::vector<persistence::Lease> leases;
  std::vector<persistence::TierReport> tiers;
};

Status count_instances(persistence::Store& store, Stats& stats) {
  for (persistence::ListQuery query{.limit = kPage};;) {
    MAPFLOW_ASSIGN(const auto page, store.list(query));
    for (const persistence::InstanceRow& row : page.rows) {
      ++stats.states[row.state];
      ++stats.instances;
      if (!row.finished) ++stats.unfinished;
    }
    if (page.next_cursor.empty()) return {};
    query.cursor = page.next_cursor;
  }
}

Status count_partition(persistence::Store& store, persistence::Partition partition, Stats& stats) {
  for (persistence::LogPosition from{1};;) {
    MAPFLOW_ASSIGN(const auto entries, store.read_log(partition, from, kLogBytes));
    if (entries.empty()) break;
    stats.log_entries += entries.size();
    for (const persistence::LogEntry& entry : entries) stats.log_bytes += entry.bytes.size();
    from.value = entries.back().position.value + 1;
  }
  for (persistence::InboxPosition after{0};;) {
    MAPFLOW_ASSIGN(const auto commands, store.inbox(partition, after, kPage));
    if (commands.empty()) return {};
    stats.commands += commands.size();
    after = commands.back().position;
  }
}

Result<Stats> gather(persistence::Store& store) {
  Stats stats;
  MAPFLOW_TRY(count_instances(store, stats));
  MAPFLOW_ASSIGN(stats.leases, store.leases());
  std::set<persistence::Partition> partitions;
  for (std::uint32_t number = 0; number < store.shared_partitions(); ++number) partitions.insert(persistence::Partition(number));
  for (const persistence::Lease& lease : stats.leases) partitions.insert(lease.partition);
  for (const persistence::Partition partition : partitions) MAPFLOW_TRY(count_partition(store, partition, stats));
  stats.tiers = store.tiers();
  return stats;
}

Value document(const Stats& stats, persistence::Store& store) {
  Value states(Object{});
  for (const auto& [state, count] : stats.states) states.set(state, count);
  Array nodes, tiers;
  for (const persistence::Lease& lease : stats.leases)
    if (lease.expires > now())
      nodes.push_back(object({{"partition", lease.partition.value}, {"node", lease.node}, {"epoch", lease.epoch.value},
                              {"expires", format_timestamp(lease.expires)}}));
  for (const persistence::TierReport& tier : stats.tiers) {
    Value each = object({{"role", tier.role}, {"store", tier.name}, {"trouble", tier.trouble}});
    if (tier.role == "backup") each.set("behind", tier.behind);
    tiers.push_back(std::move(each));
  }
  return object({{"store", store.name()}, {"durable", store.durable()}, {"durability_risk", store.durability_risk()}, {"shared_partitions", store.shared_partitions()},
                 {"instances", stats.instances}, {"unfinished", stats.unfinished}, {"states", std::move(states)},
                 {"log_entries", stats.log_entries}, {"log_bytes", stats.log_bytes}, {"commands", stats.commands},
                 {"leases", Value(std::move(nodes))}, {"tiers", Value(std::move(tiers))}});
}

Result<Value> show_stats(persistence::Store& store, Stream& people) {
  MAPFLOW_ASSIGN(const Stats stats, gather(store));
  people.line(fmt::format("{}: {}, {} of them unfinished", store.name(), counted(stats.instances, "instance"), stats.unfinished));
  if (const std::string risk = store.durability_risk(); !risk.empty()) people.line("a crash may lose what was acknowledged, because " + risk);
  for (const auto& [state, count] : stats.states) people.line(fmt::format("  {:<14}{}", printable(state), count));
  people.line(fmt::format("log: {}, {} bytes; commands waiting: {}", counted(stats.log_entries, "entry"), stats.log_bytes, stats.commands));
  std::map<std::string, std::uint64_t> nodes;
  for (const persistence::Lease& lease : stats.leases)
    if (lease.expires > now()) ++nodes[lease.node];
  for (const auto& [node, partitions] : nodes) people.line(fmt::format("node {}: {}", printable(node), counted(partitions, "partition")));
  for (const persistence::TierReport& tier : stats.tiers)
    people.line(fmt::format("{}: {}{}{}", tier.role, tier.name,
                            tier.behind > 0 ? fmt::format(", {} behind", counted(tier.behind, "log entry")) : "",
                            tier.trouble.empty() ? "" : ", in trouble: " + printable(tier.trouble)));
  return document(stats, store);
}

Value document(const persistence::TransferReport& report, persistence::Store& store, const std::string& file) {
  return object({{"store", store.name()}, {"file", file}, {"instances", report.instances}, {"definitions", report.definitions},
                 {"log_entries", report.log_entries}, {"commands", report.commands}});
}

std::string told(const persistence::TransferReport& report) {
  return fmt::format("{}, {}, {}, {}", counted(report.instances, "instance"), counted(report.definitions, "definition"),
                     counted(report.log_entries, "log entry"), counted(report.commands, "command"));
}

/// Written beside its name first, so that there is a whole file under that name or none.
Result<Value> export_all(persistence::Store& store, const std::string& file, Stream& people) {
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored)) return fail(code::invalid_input, "there is a file '" + file + "' already", "name another one");
  const std::string unfinished = file + ".part";
  std::ofstream out(unfinished, std::ios::binary | std::ios::trunc);
  if (!out) return fail(code::unavailable, "'" + unfinished + "' cannot be written", "check the folder and its permissions");
  std::filesystem::permissions(unfinished, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, ignored);
  const auto report = persistence::export_store(store, out, now());
  out.close();
  if (report && out.good()) std::filesystem::rename(unfinished, file, ignored);
  if (!report || !out.good() || ignored) {
    std::filesystem::remove(unfinished, ignored);
    if (!report) return fail(report.error());
    return fail(code::unavailable, "'" + file + "' cannot be written", "look whether the disk is full");
  }
  people.line(fmt::format("{}: {}", file, told(*report)));
  return document(*report, store, file);
}

/// Into the store that the URL names; one that is made here is cut as the exported one was.
Result<Value> import_all(const std::string& url, const std::string& file, Stream& people) {
  if (persistence::unencrypted(url) == "memory:")
    return fail(code::invalid_input, "a memory store holds nothing once its program has ended", "name another store: --store sqlite:PATH");
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(code::invalid_input, "'" + file + "' cannot be read", "check its path and permissions");
  MAPFLOW_ASSIGN(const std::uint32_t partitions, persistence::exported_partitions(in));
  MAPFLOW_ASSIGN(const auto store, persistence::open_cut(url, partitions));
  MAPFLOW_ASSIGN(const auto report, persistence::import_store(*store, in));
  people.line(fmt::format("{}: {}", store->name(), told(report)));
  return document(report, *store, file);
}

Result<Value> drop_old(std::shared_ptr<persistence::Store> store, Duration older_than, Stream& people) {
  engine::GarbageCollector garbage(store, std::make_shared<engine::SystemClock>(), {});
  MAPFLOW_ASSIGN(const engine::GarbageReport report, garbage.collect_all(saturating_add(now(), -older_than)));
  people.line(fmt::format("{}: dropped {} and {}{}", store->name(), counted(report.instances, "instance"),
                          counted(report.log_entries, "log entry"),
                          report.kept > 0 ? fmt::format("; {} may still be needed", counted(report.kept, "instance")) : ""));
  return object({{"store", store->name()}, {"instances", report.instances}, {"log_entries", report.log_entries}, {"kept", report.kept}});
}

Result<Value> archive_old(const std::string& url, std::optional<Duration> older_than, Stream& people) {
  MAPFLOW_ASSIGN(const std::size_t moved, persistence::archive_now(url, older_than));
  people.line(fmt::format("moved {} into the archive", counted(moved, "instance")));
  return object({{"instances", moved}});
}

Result<Value> carry_out(const StoreToolOptions& options, Stream& people) {
  using What = StoreToolOptions::What;
  std::optional<Duration> older_than;
  if (!options.older_than.empty()) {
    MAPFLOW_ASSIGN(older_than, parse_duration(options.older_than));
  }
  if (options.what == What::import_all) return import_all(options.store, options.file, people);
  if (options.what == What::archive) return archive_old(options.store, older_than, people);
  MAPFLOW_ASSIGN(auto store, open_existing(options.store));
  switch (options.what) {
    case What::stats: return show_stats(*store, people);
    case What::gc: return drop_old(std::move(store), *older_than, people);
    case What::export_all: return export_all(*store, options.file, people);
    case What::archive:
    case What::import_all:
    case What::migrate: break;  // opening it was all
  }
  people.line(store->name() + " is up to date");
  return object({{"store", store->name()}, {"ok", true}});
}

}  // namespace

ExitCode execute(const StoreToolOptions& options, Console& console) {
  const auto outcome = carry_out(options, console.people(options.json));
  if (!outcome) return refuse(console, outcome.error(), options.json);
  if (options.json) console.document(*outcome);
  return ExitCode::success;
}

}  // namespace mapflow::cli
