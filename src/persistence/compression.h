// Long opaque bytes made shorter, for what is kept and seldom read.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace mapflow::persistence {

/// Makes zstd frames. Keeping one for many short pieces halves what each costs. Thread safety: one thread at a time.
class Compressor {
 public:
  Compressor();
  ~Compressor();
  /// Empty only if the library fails, which leaves the caller with the bytes it has.
  std::string compress(std::string_view bytes);

 private:
  struct Context;
  std::unique_ptr<Context> context_;  ///< made with the first frame
};

/// Errors: corrupt for what a Compressor did not make.
Result<std::string> decompress(std::string_view frame);

}  // namespace mapflow::persistence
