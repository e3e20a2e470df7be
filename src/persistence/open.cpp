#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "persistence/encrypted.h"
#include "persistence/memory.h"
#include "persistence/open.h"
#include "persistence/postgres.h"
#include "persistence/redis.h"
#include "persistence/sealing.h"
#include "persistence/sqlite.h"
#include "persistence/store.h"
#include "persistence/tiered.h"
#include "persistence/url.h"

namespace mapflow::persistence {
namespace {

constexpr std::string_view kEncrypted = "encrypted:";

/// Each opens what follows "scheme:".
Result<std::unique_ptr<Store>> open_memory_url(std::string_view rest) {
  if (!rest.empty())
    return fail(code::invalid_input, fmt::format("store 'memory:{}': a memory store has no name", rest),
                "write just 'memory:'");
  return make_memory_store();
}

Result<std::string> sqlite_path(std::string_view rest) {
  if (rest.starts_with("//") && !rest.starts_with("///"))
    return fail(code::invalid_input, fmt::format("store 'sqlite:{}': there is no host to name", rest),
                fmt::format("write 'sqlite:{}'", rest.substr(2)));
  while (rest.starts_with("//")) rest.remove_prefix(1);
  if (rest.empty() || rest.find('\0') != rest.npos)
    return fail(code::invalid_input, "store 'sqlite:' needs the path of a file", "write for example 'sqlite:mapflow.db'");
  return std::string(rest);
}

Result<std::unique_ptr<Store>> open_sqlite_url(std::string_view rest) {
  MAPFLOW_ASSIGN(const std::string path, sqlite_path(rest));
  return open_sqlite(path);
}

Result<std::unique_ptr<Store>> open_postgres_url(std::string_view rest) {
  MAPFLOW_ASSIGN(const PostgresOptions options, parse_postgres_url(rest));
  return open_postgres(options);
}

Result<std::unique_ptr<Store>> open_redis_url(std::string_view scheme, std::string_view rest) {
  MAPFLOW_ASSIGN(const RedisOptions options, parse_redis_url(scheme, rest));
  return open_redis(options);
}

/// KEYS and the URL of the store behind them.
Result<std::pair<std::string_view, std::string_view>> split_encrypted(std::string_view rest) {
  const std::size_t colon = rest.find(':');
  if (colon == rest.npos || colon == 0 || colon + 1 == rest.size())
    return fail(code::invalid_input, "store 'encrypted:' needs a file with keys, and the store behind it",
                "write for example 'encrypted:store.keys:sqlite:mapflow.db', or 'encrypted:env=NAME:…' for keys in the environment");
  const std::string_view url = rest.substr(colon + 1);
  if (url.starts_with(kEncrypted)) return fail(code::invalid_input, "a store is encrypted once", "name all keys in one file");
  return std::pair(rest.substr(0, colon), url);
}

/// `open`: how the store behind is opened.
template <class Open>
Result<std::unique_ptr<Store>> open_encrypted(std::string_view rest, Open open) {
  MAPFLOW_ASSIGN(const auto parts, split_encrypted(rest));
  MAPFLOW_ASSIGN(Keyring keys, Keyring::load(parts.first));
  MAPFLOW_ASSIGN(std::unique_ptr<Store> store, open(parts.second));
  return std::make_unique<EncryptedStore>(std::move(store), std::move(keys));
}

struct Scheme {
  std::string_view name;
  std::string_view form;  ///< for messages; empty: the same as another's
  Result<std::unique_ptr<Store>> (*open)(std::string_view rest);
};

/// A new backend is one line here.
constexpr std::array kSchemes = {
    Scheme{"memory", "memory:", open_memory_url},
    Scheme{"sqlite", "sqlite:PATH", open_sqlite_url},
    Scheme{"postgres", "postgres://…", open_postgres_url},
    Scheme{"postgresql", "", open_postgres_url},  // libpq's other spelling
    Scheme{"redis", "redis://…", [](std::string_view rest) { return open_redis_url("redis", rest); }},
    Scheme{"redis+cluster", "redis+cluster://…", [](std::string_view rest) { return open_redis_url("redis+cluster", rest); }},
    Scheme{"redis+sentinel", "redis+sentinel://…", [](std::string_view rest) { return open_redis_url("redis+sentinel", rest); }},
    Scheme{"rediss", "", [](std::string_view rest) { return open_redis_url("rediss", rest); }},  // under TLS
    Scheme{"rediss+sentinel", "", [](std::string_view rest) { return open_redis_url("rediss+sentinel", rest); }},
    Scheme{"rediss+cluster", "", [](std::string_view rest) { return open_redis_url("rediss+cluster", rest); }},
    Scheme{"tiered", "tiered:FILE", open_tiered},
    Scheme{"encrypted", "encrypted:KEYS:URL",
           [](std::string_view rest) { return open_encrypted(rest, open_as_it_is); }},
};

/// Whoever goes on without the keys understands nothing, and what they write nobody expects there. Definitions tell, for no
/// instance is without one. Errors: invalid_state.
Status check_in_the_clear(Store& store, std::string_view url) {
  const auto first = store.definitions({}, 1);
  if (!first || first->empty() || !is_sealed(first->front().document)) return {};  // what does not read is told when it is needed
  return fail(code::invalid_state, fmt::format("{}: what is in this store is encrypted, and no keys are named", store.name()),
              fmt::format("name them in front of it: --store encrypted:KEYS:{}, with KEYS the file of its keys, or env=NAME for the"
                          " variable that holds them", without_password(url)));
}

/// What to do about a server that is not to be reached, where nothing is known that is closer to the trouble.
Error with_advice(Error error, std::string_view url) {
  if (!error.is(code::unavailable) || !error.hint.empty() || !on_server(url)) return error;
  error.hint = error.retryable == false ? "check host, user, password and database in the URL of the store"
                                        : "look whether the server runs, and can be reached from here; or name another store: --store URL";
  return error;
}

}  // namespace

std::string known_urls() {
  std::string forms;
  for (const Scheme& scheme : kSchemes)
    if (!scheme.form.empty()) forms += fmt::format("{}{}", forms.empty() ? "" : ", ", scheme.form);
  return forms;
}

Result<std::unique_ptr<Store>> open(std::string_view url) {
  auto store = open_as_it_is(url);
  if (!store) return fail(with_advice(std::move(store).error(), url));
  if (!url.starts_with(kEncrypted)) MAPFLOW_TRY(check_in_the_clear(**store, url));
  return store;
}

Result<std::unique_ptr<Store>> open_as_it_is(std::string_view url) {
  const std::size_t colon = url.find(':');
  if (colon == url.npos)
    return fail(code::invalid_input, fmt::format("'{}' is not the URL of a store (known: {})", url, known_urls()),
                url.empty() ? "" : fmt::format("did you mean 'sqlite:{}'?", url));
  for (const Scheme& scheme : kSchemes)
    if (url.substr(0, colon) == scheme.name) return scheme.open(url.substr(colon + 1));
  return fail(code::invalid_input,
              fmt::format("no kind of store is called '{}' (known: {})", url.substr(0, colon), known_urls()));
}

Result<std::unique_ptr<Store>> open_cut(std::string_view url, std::uint32_t shared_partitions) {
  const std::size_t colon = std::min(url.find(':'), url.size());
  const std::string_view scheme = url.substr(0, colon), rest = url.substr(std::min(colon + 1, url.size()));
  if (url == "memory:") return make_memory_store({.shared_partitions = shared_partitions});
  if (scheme == "sqlite") {
    MAPFLOW_ASSIGN(const std::string path, sqlite_path(rest));
    return open_sqlite(path, {.shared_partitions = shared_partitions});
  }
  if (scheme == "postgres" || scheme == "postgresql") {
    MAPFLOW_ASSIGN(PostgresOptions options, parse_postgres_url(rest));
    options.shared_partitions = shared_partitions;
    return open_postgres(options);
  }
  if (scheme.starts_with("redis") && std::ranges::find(kSchemes, scheme, &Scheme::name) != kSchemes.end()) {
    MAPFLOW_ASSIGN(RedisOptions options, parse_redis_url(scheme, rest));
    options.shared_partitions = shared_partitions;
    return open_redis(options);
  }
  if (url.starts_with(kEncrypted))
    return open_encrypted(rest, [&](std::string_view behind) { return open_cut(behind, shared_partitions); });
  return open_as_it_is(url);
}

std::string_view unencrypted(std::string_view url) {
  if (!url.starts_with(kEncrypted)) return url;
  const auto parts = split_encrypted(url.substr(kEncrypted.size()));
  return parts ? parts->second : url;
}

}  // namespace mapflow::persistence
