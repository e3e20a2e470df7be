// What is done with stores by their URLs, beside opening them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "persistence/store.h"

namespace mapflow::persistence {

/// The forms that URLs of stores have, for people: `memory:, sqlite:PATH, …`.
std::string known_urls();

/// As open(), but also a store in which everything is encrypted, as it is: for who only carries it from one place to another.
Result<std::unique_ptr<Store>> open_as_it_is(std::string_view url);

/// As open_as_it_is(); a store that is made here gets so many shared partitions, whatever its URL says. One that is there keeps its
/// number, and so does a composite one.
Result<std::unique_ptr<Store>> open_cut(std::string_view url, std::uint32_t shared_partitions);

/// Whether a server keeps the store, which may be away for a while; of a composite store, its primary. False for what is no URL.
bool on_server(std::string_view url);

/// Of an encrypted store, the URL of the one behind it; any other URL as it is.
std::string_view unencrypted(std::string_view url);

/// Moves the instances into the archive of the composite store that the URL names, now, that are over and have not changed for so
/// long (nullopt: for the retention that its file says), and gives how many. Errors: those of open(); invalid_state when
/// it has no archive.
Result<std::size_t> archive_now(std::string_view url, std::optional<Duration> older_than);

}  // namespace mapflow::persistence
