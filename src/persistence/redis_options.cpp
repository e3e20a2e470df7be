#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "persistence/redis.h"
#include "persistence/url.h"

namespace mapflow::persistence {
namespace {

constexpr std::uint16_t kDefaultPort = 6379;
constexpr std::size_t kMaxPrefix = 100;

Result<std::string> key_prefix(std::string prefix) {
  const auto fits = [](unsigned char letter) { return std::isalnum(letter) || letter == '_' || letter == '-' || letter == '.' || letter == ':'; };
  if (prefix.empty() || prefix.size() > kMaxPrefix || !std::ranges::all_of(prefix, fits))
    return fail(code::invalid_input, "option 'prefix' of the store: not a beginning for keys",
                fmt::format("use up to {} letters, digits and any of _-.:", kMaxPrefix));
  return prefix;
}

Status read_tls(StoreUrl& url, bool secured, redis::ConnectOptions& connect) {
  redis::TlsOptions tls;
  bool named = false;
  for (const auto& [option, file] : {std::pair{"cafile", &tls.ca_file}, {"certfile", &tls.cert_file}, {"keyfile", &tls.key_file}})
    if (auto value = url.take(option)) {
      *file = *std::move(value);
      named = true;
    }
  if (named && !secured)
    return fail(code::invalid_input, "the URL of the redis store names files for TLS, but its scheme is without TLS", "write rediss:// or rediss+cluster://");
  if (secured) connect.tls = std::move(tls);
  return {};
}

}  // namespace

Result<RedisOptions> parse_redis_url(std::string_view scheme, std::string_view rest) {
  MAPFLOW_ASSIGN(StoreUrl url, parse_store_url(scheme, rest));
  RedisOptions options;
  options.connect.name = url.without_secrets();
  if (auto prefix = url.take("prefix")) {
    MAPFLOW_ASSIGN(options.prefix, key_prefix(*std::move(prefix)));
    options.connect.name += "?prefix=" + options.prefix;
  }
  if (const auto count = url.take("partitions")) {
    MAPFLOW_ASSIGN(options.shared_partitions, parse_count("partitions", *count, 1, 4096));
  }
  if (const auto seconds = url.take("patience")) {
    MAPFLOW_ASSIGN(const std::uint32_t patience, parse_count("patience", *seconds, 0, 3600));
    options.patience = std::chrono::seconds(patience);
  }
  MAPFLOW_TRY(read_tls(url, scheme.starts_with("rediss"), options.connect));
  options.cluster = scheme.ends_with("+cluster");
  // The name of an unknown one is not repeated: a '?' in a password makes a part of it look like an option.
  if (!url.options.empty())
    return fail(code::invalid_input, fmt::format("the URL of the {} store has an option that it does not know", scheme),
                "it knows prefix, partitions, patience, cafile, certfile and keyfile; a '?' in a password is written %3F");
  if (!url.path.empty()) {
    MAPFLOW_ASSIGN(options.connect.database, parse_count("database (behind the host)", url.path, 0, 1'000'000));
  }
  options.connect.user = url.user;
  options.connect.password = url.password;
  for (const StoreUrl::Host& host : url.hosts)
    options.endpoints.push_back({host.name, host.port == 0 ? kDefaultPort : host.port});
  if (options.endpoints.empty()) options.endpoints.push_back({"127.0.0.1", kDefaultPort});
  if (options.cluster && options.connect.database != 0)
    return fail(code::invalid_input, "a Redis Cluster has no database but 0", "leave the number behind the host out");
  if (!options.cluster && options.endpoints.size() > 1)
    return fail(code::invalid_input, fmt::format("the URL of the {} store names several hosts", scheme), "name the one that is the primary, or write redis+cluster:// when they are a cluster");
  return options;
}

}  // namespace mapflow::persistence
