#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <memory>

#include "persistence/postgres.h"
#include "persistence/url.h"

namespace mapflow::persistence {
namespace {

/// The longest name that still fits into the names that the store makes of it.
constexpr std::size_t kMaxSchemaName = 40;

bool libpq_knows(const std::string& option) {
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> known(PQconndefaults(), &PQconninfoFree);
  for (const PQconninfoOption* each = known.get(); each && each->keyword; ++each)
    if (option == each->keyword) return true;
  return false;
}

Result<std::string> schema_name(std::string name) {
  const auto fits = [](char letter) { return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '_'; };
  if (name.empty() || name.size() > kMaxSchemaName || !std::ranges::all_of(name, fits) || name.starts_with("pg_"))
    return fail(code::invalid_input, "option 'schema' of the store: not a name for a schema",
                fmt::format("use up to {} of a-z, 0-9 and _", kMaxSchemaName));
  return name;
}

void add_hosts(const StoreUrl& url, postgres::ConnectOptions& connect) {
  if (url.hosts.empty()) return;
  std::string names, ports;
  for (const StoreUrl::Host& host : url.hosts) {
    const std::string comma = names.empty() && ports.empty() ? "" : ",";
    names += comma + host.name;
    ports += comma + std::to_string(host.port == 0 ? 5432 : host.port);
  }
  connect.parameters.emplace_back("host", names);
  connect.parameters.emplace_back("port", ports);
  // Of several hosts the one that may be written, whichever that is now.
  if (url.hosts.size() > 1) connect.parameters.emplace_back("target_session_attrs", "read-write");
}

}  // namespace

Result<PostgresOptions> parse_postgres_url(std::string_view rest) {
  MAPFLOW_ASSIGN(StoreUrl url, parse_store_url("postgres", rest));
  PostgresOptions options;
  options.connect.name = url.without_secrets();
  if (auto name = url.take("schema")) {
    MAPFLOW_ASSIGN(options.schema, schema_name(*std::move(name)));
    options.connect.name += "?schema=" + options.schema;
  }
  if (const auto count = url.take("partitions")) {
    MAPFLOW_ASSIGN(options.shared_partitions, parse_count("partitions", *count, 1, 4096));
  }
  if (const auto seconds = url.take("patience")) {
    MAPFLOW_ASSIGN(const std::uint32_t patience, parse_count("patience", *seconds, 0, 3600));
    options.patience = std::chrono::seconds(patience);
  }
  if (const auto pooled = url.take("pgbouncer")) {
    MAPFLOW_ASSIGN(options.pooled, parse_switch("pgbouncer", *pooled));
  }

  add_hosts(url, options.connect);
  auto& parameters = options.connect.parameters;
  if (!url.user.empty()) parameters.emplace_back("user", url.user);
  if (url.password) parameters.emplace_back("password", *url.password);
  if (!url.path.empty()) parameters.emplace_back("dbname", url.path);
  parameters.emplace_back("fallback_application_name", "mapflow");
  for (const auto& [name, value] : url.options) {
    // The name of an unknown one is not repeated: a '?' in a password makes a part of it look like an option.
    if (!libpq_knows(name) || name == "client_encoding")
      return fail(code::invalid_input, "the URL of the postgres store has an option that neither the store nor libpq knows",
                  "the store knows schema, partitions, patience and pgbouncer; a '?' in a password is written %3F");
    if (name == "connect_timeout") {
      MAPFLOW_ASSIGN(const std::uint32_t seconds, parse_count(name, value, 1, 3600));
      options.connect.connect_timeout = std::chrono::seconds(seconds);
    } else {
      parameters.emplace_back(name, value);
    }
  }
  parameters.emplace_back("client_encoding", "UTF8");
  return options;
}

}  // namespace mapflow::persistence
