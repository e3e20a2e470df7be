#include "cli/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace mapflow::cli {

namespace {

constexpr char32_t kReplacement = 0xFFFD;

/// Takes one code point off the front of `text`; U+FFFD and one byte for what is not UTF-8.
char32_t take_code_point(std::string_view& text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const std::size_t length = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
  char32_t point = length == 1 ? first : length == 0 ? kReplacement : first & (0xFFu >> (length + 1));
  bool sound = length != 0 && length <= text.size();
  for (std::size_t i = 1; sound && i < length; ++i) {
    sound = byte(i) >> 6 == 2;
    point = point << 6 | (byte(i) & 0x3Fu);
  }
  constexpr std::array<char32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
  sound = sound && point >= smallest[length] && point <= 0x10FFFF && !(point >= 0xD800 && point <= 0xDFFF);
  text.remove_prefix(sound ? length : 1);
  return sound ? point : kReplacement;
}

std::size_t columns_of(char32_t point) {
  const auto within = [point](char32_t low, char32_t high) { return point >= low && point <= high; };
  if (point < 0x20 || within(0x7F, 0x9F)) return 0;
  if (within(0x300, 0x36F) || within(0x200B, 0x200F) || within(0xFE00, 0xFE0F) || within(0x20D0, 0x20FF)) return 0;
  if (within(0x1100, 0x115F) || within(0x2E80, 0xA4CF) || within(0xAC00, 0xD7A3) || within(0xF900, 0xFAFF) ||
      within(0xFE30, 0xFE6F) || within(0xFF00, 0xFF60) || within(0xFFE0, 0xFFE6) || within(0x1F300, 0x1F64F) ||
      within(0x1F680, 0x1F6FF) || within(0x1F900, 0x1F9FF) || within(0x20000, 0x3FFFD))
    return 2;
  return 1;
}

/// The length of the colour escape that `text` begins with, or 0.
std::size_t escape_length(std::string_view text) {
  if (!text.starts_with("\x1b[")) return 0;
  const std::size_t end = text.find_first_not_of("0123456789;", 2);
  return end == std::string_view::npos ? text.size() : end + 1;
}

/// Control characters, and those that turn the direction of the text around.
bool steers(char32_t point) {
  return point < 0x20 || (point >= 0x7F && point <= 0x9F) || (point >= 0x202A && point <= 0x202E) ||
         (point >= 0x2066 && point <= 0x2069) || point == 0x2028 || point == 0x2029;
}

std::string without_control(std::string_view text, bool keep_lines) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::string_view before = text;
    const char32_t point = take_code_point(text);
    const std::string_view bytes = before.substr(0, before.size() - text.size());
    if (point == U'\n' || point == U'\t') {
      out += keep_lines ? static_cast<char>(point) : ' ';
    } else if (point == kReplacement) {
      out += "\xEF\xBF\xBD";
    } else if (!steers(point)) {
      out += bytes;
    }
  }
  return out;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    if (const std::size_t escape = escape_length(text)) {
      text.remove_prefix(escape);
    } else {
      width += columns_of(take_code_point(text));
    }
  }
  return width;
}

std::string printable(std::string_view text) { return without_control(text, false); }
std::string printable_lines(std::string_view text) { return without_control(text, true); }

std::string fit(std::string_view text, std::size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  std::string out;
  std::size_t width = 0;
  bool colored = false;
  while (!text.empty()) {
    if (const std::size_t escape = escape_length(text)) {
      out += text.substr(0, escape);
      colored = true;
      text.remove_prefix(escape);
      continue;
    }
    const std::string_view before = text;
    const char32_t point = take_code_point(text);
    if (width + columns_of(point) + 1 > columns) break;
    width += columns_of(point);
    out += before.substr(0, before.size() - text.size());
  }
  if (columns > 0) out += "…";
  if (colored) out += "\x1b[0m";
  return out;
}

std::string pad(std::string_view text, std::size_t columns) {
  std::string out(text);
  if (const std::size_t width = display_width(text); width < columns) out.append(columns - width, ' ');
  return out;
}

std::string format_elapsed(Duration span) {
  const std::int64_t tenths = std::max<std::int64_t>(span.count(), 0) / 100'000;
  const std::int64_t seconds = tenths / 10;
  if (seconds < 60) return fmt::format("{}.{}s", seconds, tenths % 10);
  if (seconds < 3600) return fmt::format("{}m {:02}s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{}h {:02}m", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{}d {:02}h", seconds / 86400, seconds / 3600 % 24);
}

std::string format_clock(Timestamp at) {
  constexpr std::int64_t day = 86'400'000'000;
  const std::int64_t micros = ((to_micros(at) % day) + day) % day;
  const std::int64_t seconds = micros / 1'000'000;
  return fmt::format("{:02}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, micros / 1000 % 1000);
}

std::string shell_quoted(std::string_view word) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,";
  if (!word.empty() && word.find_first_not_of(plain) == std::string_view::npos) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string counted(std::uint64_t count, std::string_view noun) {
  if (count == 1) return fmt::format("1 {}", noun);
  if (noun.ends_with('y')) return fmt::format("{} {}ies", count, noun.substr(0, noun.size() - 1));
  return fmt::format("{} {}s", count, noun);
}

std::vector<std::string> Table::lines(const Stream& stream) const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], display_width(row[i]));
    }
  std::vector<std::string> lines;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line += "  ";
      line += i + 1 < row.size() ? pad(row[i], widths[i]) : row[i];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    if (lines.empty()) line = stream.paint(Color::bold, line);
    lines.push_back(stream.terminal() ? fit(line, stream.columns()) : line);
  }
  return lines;
}

}  // namespace mapflow::cli
