// Long opaque bytes made shorter, for what is kept and seldom read.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace mapflow::persistence {

/// A zstd frame. Empty only if the library fails, which leaves the caller with the bytes it has.
std::string compress(std::string_view bytes);

/// Errors: corrupt for what compress() did not make.
Result<std::string> decompress(std::string_view frame);

}  // namespace mapflow::persistence
