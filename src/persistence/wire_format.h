// Numbers and texts one after the other, as bytes: what bundles and exported stores are made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace mapflow::persistence {

class ByteWriter {
 public:
  void number(std::uint64_t number) {
    for (; number >= 0x80; number >>= 7) out_ += static_cast<char>(number | 0x80);
    out_ += static_cast<char>(number);
  }
  void text(std::string_view text) {
    number(text.size());
    out_ += text;
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

/// Gives zeros and empty texts once something was wrong; ok() tells.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t number() {
    std::uint64_t number = 0;
    for (unsigned shift = 0; ok_ && shift < 64; shift += 7) {
      if (bytes_.empty()) break;
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      number |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return number;
    }
    ok_ = false;
    return 0;
  }
  std::string text() {
    const std::uint64_t size = number();
    if (size > bytes_.size()) ok_ = false;
    if (!ok_) return {};
    std::string text(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
    return text;
  }
  /// How many things follow, each of at least one byte.
  std::size_t count() {
    const std::uint64_t count = number();
    if (count > bytes_.size()) ok_ = false;
    return ok_ ? count : 0;
  }
  /// Everything was read, and rightly.
  bool complete() const { return ok_ && bytes_.empty(); }
  bool ok() const { return ok_; }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace mapflow::persistence
