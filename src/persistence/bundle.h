// One instance as bytes of no particular store: its row with the snapshot, and its history.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "persistence/store.h"

namespace mapflow::persistence {

struct Bundle {
  InstanceRow row;  ///< but for its details
  std::vector<HistoryChunk> history;
};

std::string encode(const Bundle& bundle);
/// Errors: corrupt for what encode() did not make.
Result<Bundle> decode_bundle(std::string_view bytes);

}  // namespace mapflow::persistence
