#include "builder/utf8.h"

#include <algorithm>

namespace mapflow::builder {

namespace {

/// Length of the well-formed sequence at the start of `text`, 0 when there is none. Overlong forms, surrogates and
/// values past U+10FFFF are not well-formed.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (lead == 0xE0 && byte(1) < 0xA0) return 0;
    if (lead == 0xED && byte(1) > 0x9F) return 0;
    return tail(1) && tail(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (lead == 0xF0 && byte(1) < 0x90) return 0;
    if (lead == 0xF4 && byte(1) > 0x8F) return 0;
    return tail(1) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::optional<TextFault> find_text_fault(std::string_view text) {
  Mark at{1, 1};
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == '\n') {
      ++at.line;
      at.column = 1;
      ++i;
      continue;
    }
    if (byte < 0x20 && byte != '\t' && byte != '\r') return TextFault{at, true, byte};
    const std::size_t length = sequence_length(text.substr(i));
    if (length == 0) return TextFault{at, false, byte};
    i += length;
    ++at.column;
  }
  return std::nullopt;
}

std::string_view line_of(std::string_view text, std::uint32_t line) {
  for (std::uint32_t at = 1; at < line; ++at) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

bool blanks_are_endless(std::string_view text) {
  constexpr std::size_t kUsual = 64, kMost = 400'000'000;
  std::size_t cost = 0;
  for (std::size_t at = 0; at < text.size() && cost <= kMost;) {
    const std::size_t begin = std::min(text.find_first_of(" \t\r\n", at), text.size());
    at = std::min(text.find_first_not_of(" \t\r\n", begin), text.size());
    if (at - begin > kUsual) cost += (at - begin) * (at - begin);
  }
  return cost > kMost;
}

std::string_view without_byte_order_marks(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  while (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  return text;
}

}  // namespace mapflow::builder
