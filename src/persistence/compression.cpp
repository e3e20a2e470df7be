#include "persistence/compression.h"

#include <fmt/format.h>
#include <zstd.h>

namespace mapflow::persistence {
namespace {

/// Records are short and alike: level 3 makes them 3 % shorter still, and takes more than twice the time.
constexpr int kLevel = -1;
/// More than any chunk has: a larger size in a frame is a damaged one, not a reason to reserve memory.
constexpr unsigned long long kMaxSize = 1ull << 30;

}  // namespace

struct Compressor::Context {
  ZSTD_CCtx* zstd = ZSTD_createCCtx();
  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { ZSTD_freeCCtx(zstd); }
};

Compressor::Compressor() = default;
Compressor::~Compressor() = default;

std::string Compressor::compress(std::string_view bytes) {
  if (!context_) context_ = std::make_unique<Context>();
  if (!context_->zstd) return {};
  std::string frame(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size =
      ZSTD_compressCCtx(context_->zstd, frame.data(), frame.size(), bytes.data(), bytes.size(), kLevel);
  if (ZSTD_isError(size)) return {};
  frame.resize(size);
  frame.shrink_to_fit();
  return frame;
}

Result<std::string> decompress(std::string_view frame) {
  const unsigned long long expected = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (expected > kMaxSize) return fail(code::corrupt, "the compressed bytes have no readable header");
  std::string bytes(static_cast<std::size_t>(expected), '\0');
  const std::size_t size = ZSTD_decompress(bytes.data(), bytes.size(), frame.data(), frame.size());
  if (ZSTD_isError(size))
    return fail(code::corrupt, fmt::format("the compressed bytes are damaged: {}", ZSTD_getErrorName(size)));
  if (size != expected) return fail(code::corrupt, "the compressed bytes are cut short");
  return bytes;
}

}  // namespace mapflow::persistence
