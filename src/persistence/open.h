// What people can open, and opening a store that must be cut as another one is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "persistence/store.h"

namespace mapflow::persistence {

/// The forms that URLs of stores have, for people: `memory:, sqlite:PATH, …`.
std::string known_urls();

/// As open(); a store that is made here gets so many shared partitions, whatever its URL says. One that is there keeps its
/// number, and so does a composite one.
Result<std::unique_ptr<Store>> open_cut(std::string_view url, std::uint32_t shared_partitions);

/// Of an encrypted store, the URL of the one behind it; any other URL as it is.
std::string_view unencrypted(std::string_view url);

}  // namespace mapflow::persistence
