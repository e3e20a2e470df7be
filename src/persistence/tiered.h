// Composite stores as people write them down: a file of lines `name: value`, as in YAML.
//
//   primary: postgres://mapflow@db/orders
//   cache: memory:
//   backup: sqlite:/var/backups/orders.db
//   archive: sqlite:/var/lib/mapflow/archive.db
//   retention: 30d
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "persistence/store.h"

namespace mapflow::persistence {

struct TierConfig {
  std::string primary;                         ///< URLs
  std::string cache, backup, archive;          ///< empty: none
  std::size_t cache_entries = 100'000;
  Duration retention = std::chrono::days(30);  ///< how long finished instances stay in the primary
};

/// `file` names the text in errors. Errors: invalid_input, with the line.
Result<TierConfig> parse_tier_config(std::string_view text, const std::string& file);

/// Opens every tier and puts them together. Errors: those of persistence::open, naming the tier; invalid_input when the
/// tiers do not fit together.
Result<std::unique_ptr<Store>> open_tiers(const TierConfig& config);

/// What `tiered:` names: a file with the configuration. Errors: those of the above; unavailable when it cannot be read.
Result<std::unique_ptr<Store>> open_tiered(std::string_view path);

}  // namespace mapflow::persistence
