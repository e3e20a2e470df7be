#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "persistence/redis.h"
#include "persistence/url.h"

namespace mapflow::persistence {
namespace {

using Kind = redis::AccessOptions::Kind;

constexpr std::uint16_t kDefaultPort = 6379, kSentinelPort = 26379;
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
    return fail(code::invalid_input, "the URL of the redis store names files for TLS, but its scheme is without TLS", "write rediss instead of redis");
  if (secured) connect.tls = std::move(tls);
  return {};
}

Status read_options(StoreUrl& url, RedisOptions& options) {
  redis::AccessOptions& access = options.access;
  if (auto prefix = url.take("prefix")) {
    MAPFLOW_ASSIGN(options.prefix, key_prefix(*std::move(prefix)));
    access.connect.name += "?prefix=" + options.prefix;
  }
  if (const auto count = url.take("partitions")) {
    MAPFLOW_ASSIGN(options.shared_partitions, parse_count("partitions", *count, 1, 4096));
  }
  if (const auto seconds = url.take("patience")) {
    MAPFLOW_ASSIGN(const std::uint32_t patience, parse_count("patience", *seconds, 0, 3600));
    access.patience = std::chrono::seconds(patience);
  }
  if (const auto count = url.take("replicas")) {
    MAPFLOW_ASSIGN(access.replicas, parse_count("replicas", *count, 0, 100));
  }
  access.sentinel.user = url.take("sentineluser").value_or("");
  access.sentinel.password = url.take("sentinelpassword");
  // The name of an unknown one is not repeated: a '?' in a password makes a part of it look like an option.
  if (!url.options.empty())
    return fail(code::invalid_input, fmt::format("the URL of the {} store has an option that it does not know", url.scheme),
                "it knows prefix, partitions, patience, replicas, cafile, certfile, keyfile, sentineluser and sentinelpassword; "
                "a '?' in a password is written %3F");
  return {};
}

/// What is behind the host: NUMBER, or behind sentinels NAME or NAME/NUMBER.
Status read_path(const StoreUrl& url, redis::AccessOptions& access) {
  std::string_view database = url.path;
  if (access.kind == Kind::sentinel) {
    access.primary = url.path.substr(0, url.path.find('/'));
    database.remove_prefix(std::min(database.size(), access.primary.size() + 1));
    if (access.primary.empty())
      return fail(code::invalid_input, fmt::format("the URL of the {} store does not say which server the sentinels are to name", url.scheme),
                  fmt::format("write {}://HOST:26379/NAME", url.scheme));
  }
  if (!database.empty()) {
    MAPFLOW_ASSIGN(access.connect.database, parse_count("database (behind the host)", database, 0, 1'000'000));
  }
  if (access.kind == Kind::cluster && access.connect.database != 0)
    return fail(code::invalid_input, "a Redis Cluster has no database but 0", "leave the number behind the host out");
  return {};
}

}  // namespace

Result<RedisOptions> parse_redis_url(std::string_view scheme, std::string_view rest) {
  MAPFLOW_ASSIGN(StoreUrl url, parse_store_url(scheme, rest));
  RedisOptions options;
  redis::AccessOptions& access = options.access;
  access.kind = scheme.ends_with("+cluster") ? Kind::cluster : scheme.ends_with("+sentinel") ? Kind::sentinel : Kind::single;
  access.connect.name = url.without_secrets();
  MAPFLOW_TRY(read_tls(url, scheme.starts_with("rediss"), access.connect));
  MAPFLOW_TRY(read_options(url, options));
  MAPFLOW_TRY(read_path(url, access));
  access.connect.user = url.user;
  access.connect.password = url.password;
  access.sentinel.name = access.connect.name;
  access.sentinel.tls = access.connect.tls;
  access.sentinel.scripts = false;
  const std::uint16_t usual_port = access.kind == Kind::sentinel ? kSentinelPort : kDefaultPort;
  for (const StoreUrl::Host& host : url.hosts) access.endpoints.push_back({host.name, host.port == 0 ? usual_port : host.port});
  if (access.endpoints.empty()) access.endpoints.push_back({"127.0.0.1", usual_port});
  if (access.kind == Kind::single && access.endpoints.size() > 1)
    return fail(code::invalid_input, fmt::format("the URL of the {} store names several hosts", scheme),
                "name the one that is the primary; servers of a cluster are named by redis+cluster://, sentinels by redis+sentinel://");
  return options;
}

}  // namespace mapflow::persistence
