#include "persistence/tiered.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <utility>

#include "persistence/archived.h"
#include "persistence/backed_up.h"
#include "persistence/cached.h"
#include "persistence/late.h"
#include "persistence/open.h"
#include "persistence/url.h"

namespace mapflow::persistence {
namespace {

constexpr std::size_t kMostBytes = 64u << 10;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t begin = text.find_first_not_of(kBlank);
  return begin == text.npos ? std::string_view() : text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

/// Without a comment behind it and quotes around it.
std::string_view plain(std::string_view value) {
  value = trimmed(value);
  if (value.size() > 1 && (value.front() == '"' || value.front() == '\'')) {
    const std::size_t end = value.find(value.front(), 1);
    const std::string_view behind = end == value.npos ? value : trimmed(value.substr(end + 1));
    if (behind.empty() || behind.front() == '#') return value.substr(1, end - 1);
  }
  if (const std::size_t comment = value.find(" #"); comment != value.npos) value = trimmed(value.substr(0, comment));
  return value;
}

constexpr std::string_view kTiered = "tiered:";

Status set(TierConfig& config, std::string_view name, std::string_view value) {
  if (name == "retention") {
    MAPFLOW_ASSIGN(config.retention, parse_duration(value));
    return {};
  }
  if (name == "cache_entries") {
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), config.cache_entries);
    if (error != std::errc() || end != value.data() + value.size() || config.cache_entries == 0)
      return fail(code::invalid_input, "'cache_entries' must be a number of at least 1");
    return {};
  }
  for (const auto& [tier, url] : {std::pair("primary", &config.primary), std::pair("cache", &config.cache),
                                  std::pair("backup", &config.backup), std::pair("archive", &config.archive)}) {
    if (name != tier) continue;
    if (!url->empty()) return fail(code::invalid_input, fmt::format("'{}' is given twice", name));
    if (value.empty()) return fail(code::invalid_input, fmt::format("'{}' needs the URL of a store", name));
    if (unencrypted(value).starts_with(kTiered)) return fail(code::invalid_input, fmt::format("'{}' cannot be made of tiers itself", name));
    *url = value;
    return {};
  }
  return fail(code::invalid_input, fmt::format("unknown key '{}'", name),
              "known: primary, cache, backup, archive, retention, cache_entries");
}

/// `shared_partitions`: how many a store that is made here gets; 0: as its kind has them.
Result<std::shared_ptr<Store>> open_tier(const char* role, const std::string& url, std::uint32_t shared_partitions = 0) {
  auto opened = shared_partitions > 0 ? open_cut(url, shared_partitions) : open_as_it_is(url);
  if (opened) return std::shared_ptr<Store>(std::move(*opened));
  Error error = std::move(opened).error();
  error.message = fmt::format("{}: {}", role, error.message);
  return fail(std::move(error));
}

/// Two tiers in one place would write over each other.
Status check_different(const TierConfig& config) {
  const std::array tiers = {std::pair("primary", &config.primary), std::pair("cache", &config.cache),
                            std::pair("backup", &config.backup), std::pair("archive", &config.archive)};
  for (std::size_t one = 0; one < tiers.size(); ++one)
    for (std::size_t other = one + 1; other < tiers.size(); ++other)
      if (!tiers[one].second->empty() && unencrypted(*tiers[one].second) == unencrypted(*tiers[other].second) &&
          unencrypted(*tiers[one].second) != "memory:")
        return fail(code::invalid_input, fmt::format("'{}' and '{}' are the same store", tiers[one].first, tiers[other].first));
  return {};
}

Result<std::shared_ptr<Store>> open_backup(const std::string& url, std::uint32_t shared_partitions) {
  return open_late(without_password(url), [url, shared_partitions]() -> Result<std::shared_ptr<Store>> {
    MAPFLOW_ASSIGN(std::shared_ptr<Store> backup, open_tier("backup", url, shared_partitions));
    if (backup->shared_partitions() == shared_partitions) return backup;
    return fail(code::invalid_input, fmt::format("the backup is cut into {} shared partitions, the primary into {}",
                                                 backup->shared_partitions(), shared_partitions),
                "make the backup anew with the primary's number");
  });
}

Result<std::shared_ptr<Store>> open_cache(const std::string& url) {
  return open_late(without_password(url), [url] { return open_tier("cache", url); });
}

/// A composite store with the name that people gave it.
class Named final : public ForwardingStore {
 public:
  Named(std::shared_ptr<Store> inner, std::string name) : ForwardingStore(std::move(inner)), name_(std::move(name)) {}
  std::string name() const override { return name_; }

 private:
  const std::string name_;
};

}  // namespace

Result<TierConfig> parse_tier_config(std::string_view text, const std::string& file) {
  TierConfig config;
  for (std::uint32_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#' || line == "---") continue;
    const std::size_t colon = line.find(": ");
    Status read = fail(code::invalid_input, "this line is not of the form 'name: value'");
    if (colon != line.npos) {
      read = set(config, trimmed(line.substr(0, colon)), plain(line.substr(colon + 1)));
    } else if (line.ends_with(':')) {
      read = set(config, line.substr(0, line.size() - 1), "");
    }
    if (read) continue;
    Error error = std::move(read).error();
    error.code = code::invalid_input;
    error.message = fmt::format("{}:{}: {}", file, number, error.message);
    return fail(std::move(error));
  }
  if (config.primary.empty()) return fail(code::invalid_input, fmt::format("{}: no 'primary' is given", file), "add 'primary: URL'");
  MAPFLOW_TRY(check_different(config));
  return config;
}

namespace {

/// The primary with its backup and its cache.
Result<std::shared_ptr<Store>> open_without_archive(const TierConfig& config) {
  MAPFLOW_ASSIGN(std::shared_ptr<Store> store, open_tier("primary", config.primary));
  if (!config.backup.empty()) {
    MAPFLOW_ASSIGN(std::shared_ptr<Store> backup, open_backup(config.backup, store->shared_partitions()));
    store = std::make_shared<BackedUpStore>(std::move(store), std::move(backup));
  }
  if (!config.cache.empty()) {
    MAPFLOW_ASSIGN(std::shared_ptr<Store> cache, open_cache(config.cache));
    store = std::make_shared<CachedStore>(std::move(store), std::move(cache), CacheOptions{config.cache_entries});
  }
  return store;
}

Timestamp machine_time() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return from_micros(std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

/// All of them. `pause`: between two looks for what is to be archived; zero: nobody looks.
Result<std::shared_ptr<ArchivedStore>> open_with_archive(const TierConfig& config, Duration pause) {
  MAPFLOW_ASSIGN(std::shared_ptr<Store> store, open_without_archive(config));
  MAPFLOW_ASSIGN(std::shared_ptr<Store> archive, open_tier("archive", config.archive));
  return std::make_shared<ArchivedStore>(std::move(store), std::move(archive), ArchiveOptions{config.retention, pause, machine_time});
}

Result<TierConfig> read_tier_config(const std::string& file) {
  if (file.empty()) return fail(code::invalid_input, "store 'tiered:' needs the path of its configuration", "write for example 'tiered:store.yaml'");
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(code::unavailable, fmt::format("store 'tiered:{}': the file cannot be read", file), "check its path and permissions");
  std::string text(kMostBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kMostBytes) return fail(code::invalid_input, fmt::format("{}: more than {} bytes", file, kMostBytes));
  return parse_tier_config(text, file);
}

}  // namespace

Result<std::unique_ptr<Store>> open_tiers(const TierConfig& config) {
  std::shared_ptr<Store> store;
  if (config.archive.empty()) {
    MAPFLOW_ASSIGN(store, open_without_archive(config));
  } else {
    MAPFLOW_ASSIGN(store, open_with_archive(config, pause_between_looks(config.retention)));
  }
  std::string name = store->name();
  return std::make_unique<Named>(std::move(store), std::move(name));
}

bool on_server(std::string_view url) {
  const std::string_view kept = unencrypted(url);
  if (!kept.starts_with(kTiered)) return kept.find("://") != kept.npos && !kept.starts_with("sqlite:");
  const auto config = read_tier_config(std::string(kept.substr(kTiered.size())));
  return config && on_server(config->primary);
}

/// What is archived is moved as it is stored, so nobody needs the keys of an encrypted one.
Result<std::size_t> archive_now(std::string_view url, std::optional<Duration> older_than) {
  const std::string_view tiers = unencrypted(url);
  TierConfig config;
  if (tiers.starts_with(kTiered)) {
    MAPFLOW_ASSIGN(config, read_tier_config(std::string(tiers.substr(kTiered.size()))));
  }
  if (config.archive.empty())
    return fail(code::invalid_state, fmt::format("{} has no archive", without_password(url)),
                "name one in the file of a composite store: --store tiered:FILE");
  MAPFLOW_ASSIGN(const auto store, open_with_archive(config, Duration::zero()));
  return store->sweep(saturating_add(machine_time(), -older_than.value_or(config.retention)));
}

Result<std::unique_ptr<Store>> open_tiered(std::string_view path) {
  const std::string file(path);
  MAPFLOW_ASSIGN(const TierConfig config, read_tier_config(file));
  MAPFLOW_ASSIGN(auto store, open_tiers(config));
  return std::make_unique<Named>(std::shared_ptr<Store>(std::move(store)), "tiered:" + file);
}

}  // namespace mapflow::persistence
